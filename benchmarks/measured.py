"""A measured number with its bound, and the circumstances under which it was measured."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True)
class Line:
    """One number, and what it may be at most."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    note: str = ""

    @property
    def holds(self) -> bool | None:
        return None if self.at_most is None else self.value <= self.at_most

    def __str__(self) -> str:
        bound = "" if self.at_most is None else f"<= {self.at_most:g}"
        verdict = {None: "", True: "holds", False: "MISSED"}[self.holds]
        return f"{self.name:<52} {self.value:>10.2f} {self.unit:<10} {bound:>8} {verdict:<7} {self.note}".rstrip()


def circumstances(*packages: str) -> dict[str, Any]:
    """Return machine, versions and commit; the load is that of before."""
    return {
        "machine": {
            "processor": processor(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 2**30),
            "load": round(os.getloadavg()[0], 2),
        },
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
        "commit": git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--short", "-uno") else ""),
    }


def processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def git(*told: str) -> str:
    return subprocess.run(["git", *told], cwd=RESULTS, capture_output=True, text=True, check=False).stdout.strip()


def save(path: Path, lines: Sequence[Line], found: dict[str, Any]) -> None:
    """Write numbers with what they were measured under."""
    told = [asdict(line) | {"holds": line.holds} for line in lines]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found | {"lines": told}, indent=1) + "\n")
