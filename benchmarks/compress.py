"""HICom's compressor: the plain path against the fast one, time and memory, in one run of this machine.

Run: python benchmarks/compress.py            # about four minutes on two cores; writes benchmarks/results/compress.json
     python benchmarks/compress.py --quick    # 8 and 32 frames only, prints and writes nothing
Release geometry: frames of 27x27 patches of width 1152, tokens of width 3584, float32 on a CPU (bfloat16 on CUDA).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from measured import git, processor

from hicom_agent.compress import HIComConfig, HIComProjector
from hicom_agent.encode.siglip import JointPatches

HERE = Path(__file__).resolve().parent
CONFIG = {"mm_projector_type": "local43_global32_coarse", "use_guide": "direct", "hidden_size": 3584}
WIDTH, HIDDEN, SIDE, MLP = 1152, 3584, 27, 4304
READOUT_FLOP = 2 * (WIDTH * HIDDEN + HIDDEN * HIDDEN)  # of one token


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    value: float
    unit: str
    bound: str = ""
    holds: bool | None = None
    note: str = ""


class Head:
    """The MLP of SigLIP's head, of full size."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.fc1 = torch.nn.Linear(WIDTH, MLP, device=device, dtype=dtype)
        self.fc2 = torch.nn.Linear(MLP, WIDTH, device=device, dtype=dtype)

    @staticmethod
    def activation_fn(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.gelu(x, approximate="tanh")

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.activation_fn(self.fc1(x)))


class Setting:
    """A projector of release size with random weights, a clip, and questions."""

    def __init__(self, num_frames: int, num_questions: int = 1) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.dtype = torch.bfloat16 if self.device.type == "cuda" else torch.float32
        torch.manual_seed(0)
        self.projector = HIComProjector(HIComConfig.from_checkpoint(CONFIG)).to(self.device, self.dtype)
        self.projector.requires_grad_(False)
        base = torch.randn(2, min(32, num_frames), SIDE, SIDE, WIDTH, device=self.device, dtype=self.dtype)
        self.features, self.patches = (x.repeat(num_frames // len(x), 1, 1, 1) for x in base)
        self.guides = torch.randn(num_questions, WIDTH, device=self.device, dtype=self.dtype)
        self.norm = torch.nn.LayerNorm(WIDTH, 1e-6, device=self.device, dtype=self.dtype)
        self.head = Head(self.device, self.dtype)

    def plain(self) -> torch.Tensor:
        return self.projector(self.features, self.patches, self.guides, fast=False)

    def fast(self) -> torch.Tensor:
        return self.projector(self.features, self.patches, self.guides)

    def fast_one(self) -> torch.Tensor:
        return self.projector(self.features, self.patches, self.guides[0])

    def plain_from_last(self) -> torch.Tensor:
        made = JointPatches(self.patches, self.norm, self.head).rows(slice(None))
        return self.projector(self.features, made, self.guides[0], fast=False)

    def fast_from_last(self, questions: slice = slice(None)) -> torch.Tensor:
        return self.projector(self.features, JointPatches(self.patches, self.norm, self.head), self.guides[questions])

    def seconds(self, *ways: Callable[[], object], rounds: int = 5) -> list[float]:
        """Return the median time of each way; they take turns, after one warm-up each."""
        taken: list[list[float]] = [[] for _ in ways]
        with torch.inference_mode():
            for turn in range(rounds + 1):
                for way, times in zip(ways, taken, strict=True):
                    self.wait()
                    began_s = time.perf_counter()
                    way()
                    self.wait()
                    if turn:
                        times.append(time.perf_counter() - began_s)
        return [statistics.median(times) for times in taken]

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def matrix_rate(setting: Setting) -> float:
    """Return the flop a second of a large product of matrices."""
    a = torch.randn(2048, HIDDEN, device=setting.device, dtype=setting.dtype)
    b = torch.randn(HIDDEN, HIDDEN, device=setting.device, dtype=setting.dtype)
    (seconds,) = setting.seconds(lambda: a @ b)
    return 2 * a.numel() * HIDDEN / seconds


def memory_mb(way: str, num_frames: int) -> float:
    """Return the peak memory that a way takes beyond its inputs and weights, in a process of its own."""
    command = [sys.executable, __file__, "--memory-of", way, "--frames", str(num_frames)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def print_memory(way: str, num_frames: int) -> None:
    setting = Setting(num_frames)
    with torch.inference_mode():
        if setting.device.type == "cuda":
            before, _ = torch.cuda.memory_allocated(), torch.cuda.reset_peak_memory_stats()
            getattr(setting, way)()
            print((torch.cuda.max_memory_allocated() - before) / 1e6)
            return
        before = _status_mb("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        getattr(setting, way)()
    print(_status_mb("VmHWM") - before)


def _status_mb(key: str) -> float:
    text = Path("/proc/self/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith(key)).split()[1]) * 1024 / 1e6


def measure_lengths(lengths: list[int]) -> list[Line]:
    lines = []
    for num_frames in lengths:
        setting = Setting(num_frames)
        few = num_frames > 128
        if few:
            (fast_s,) = setting.seconds(setting.fast, rounds=1)
        else:
            plain_s, fast_s = setting.seconds(setting.plain, setting.fast, rounds=3 if num_frames > 32 else 5)
            with torch.inference_mode():
                plain, fast = setting.plain().float(), setting.fast().float()
            off = float((plain - fast).norm() / plain.norm())
            lines.append(Line(f"T={num_frames} plain", 1e3 * plain_s, "ms"))
        lines.append(Line(f"T={num_frames} fast", 1e3 * fast_s, "ms"))
        if not few:
            bound = (">= 4", plain_s / fast_s >= 4) if num_frames == 32 else ("", None)
            lines.append(
                Line(f"T={num_frames} plain / fast", plain_s / fast_s, "x", *bound, f"relative error {off:.1e}")
            )
        del setting
        fast_mb = memory_mb("fast", num_frames)
        at_most = ("<= 1500", fast_mb <= 1500) if num_frames == 1024 else ("", None)
        lines.append(Line(f"T={num_frames} fast, memory", fast_mb, "MB", *at_most))
        if not few:
            share = fast_mb / (plain_mb := memory_mb("plain", num_frames))
            bound = ("<= 0.33", share <= 1 / 3) if num_frames == 32 else ("", None)
            lines.append(Line(f"T={num_frames} memory, fast / plain", share, "x", *bound, f"plain {plain_mb:.0f} MB"))
    return lines


def measure_questions() -> list[Line]:
    setting = Setting(32, num_questions=8)
    rate = matrix_rate(setting)
    one_s, eight_s = setting.seconds(setting.fast_one, setting.fast, rounds=3)
    floor_s = 648 * READOUT_FLOP / rate
    plain_s, first_s, all_s = setting.seconds(
        setting.plain_from_last, lambda: setting.fast_from_last(slice(1)), setting.fast_from_last, rounds=2
    )
    told = (
        f"the readout's products alone would take {8e3 * floor_s:.0f} ms for 8 questions, {1e3 * floor_s:.0f} for one"
    )
    return [
        Line("matrix products", rate / 1e9, "GFLOP/s"),
        Line("8 questions / 1, from V and E", eight_s / one_s, "x", "<= 2.5", eight_s / one_s <= 2.5, told),
        Line("8 questions / 8 times one, from V and E", eight_s / one_s / 8, "x"),
        Line("1 question, from V and Y, plain", 1e3 * plain_s, "ms", note="E is made"),
        Line("1 question, from V and Y, plain / fast", plain_s / first_s, "x", note="E is never made"),
        Line("8 questions / 1, from V and Y", all_s / first_s, "x", "<= 2.5", all_s / first_s <= 2.5),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--memory-of", choices=["plain", "fast"])
    parser.add_argument("--frames", type=int, default=32)
    options = parser.parse_args()
    if options.memory_of:
        print_memory(options.memory_of, options.frames)
        return
    load = os.getloadavg()[0]
    lines = measure_lengths([8, 32] if options.quick else [8, 32, 128, 1024]) + measure_questions()
    for line in lines:
        verdict = "" if line.holds is None else f"{line.bound} {'holds' if line.holds else 'MISSED'}"
        print(f"{line.name:<42} {line.value:>10.2f} {line.unit:<8} {verdict:<18} {line.note}", flush=True)
    if not options.quick:
        write(lines, load)


def write(lines: list[Line], load: float) -> None:
    on_gpu = torch.cuda.is_available()
    machine: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if on_gpu else processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": round(load, 2),
    }
    found = {
        "machine": machine,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "commit": git("rev-parse", "--short", "HEAD"),
        "numbers": [asdict(line) for line in lines],
    }
    target = HERE / "results" / ("compress-gpu.json" if on_gpu else "compress.json")
    target.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
