"""Measure what indexing and asking cost, as ratios to a plain decode of the same film in the same run.

    python benchmarks/ingest.py            # an hour of 640x360, some minutes
    python benchmarks/ingest.py --quick    # ten minutes of film

The film repeats a minute of real footage, so most of its frames show nothing new, as with a camera that stands still;
the last lines of the table say what a film would cost of which every sampled frame is new.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import measured
import psutil
from looped import make_film
from measured import Line

from hicom_agent import scenes, video
from hicom_agent.build import Workspace
from hicom_agent.ingest.pictures import BATCH
from hicom_agent.scenes.segments import split_segments
from hicom_agent.settings import load_settings
from hicom_agent.types import Frame

HERE = Path(__file__).resolve().parent
BENCH = HERE.parent / ".bench"
FOOTAGE = HERE.parents[1] / "shared" / "videos"
NAMES = ("car-detection.mp4", "bottle-detection.mp4")
QUESTIONS = (
    "when does a car drive through?",
    "what stands on the table?",
    "is there a bottle with a blue cap?",
    "how many cars are there?",
    "what breed is the dog?",
)
VERSIONS = ("hicom-agent", "av", "scenedetect", "torch", "ctranslate2", "numpy")
MODELS = ("lite0", "minilm", "imagenet-labels", "smollm2")


@dataclass
class Watched:
    """What one pass over the film came to."""

    seconds: float = 0.0
    num_sampled: int = 0
    num_cuts: int = 0
    kept: list[Frame] = field(default_factory=list)


def main() -> None:
    options = read_options()
    around = measured.circumstances(*VERSIONS)
    minutes = 10 if options.quick else options.minutes
    film = make_film(options.footage or [FOOTAGE / name for name in NAMES], BENCH, minutes)
    settings = load_settings({"store": BENCH / "store", "speech": False, "ocr": False})
    work = Workspace(settings)
    lines: list[Line] = []
    for measure in (
        lambda: measure_passes(work, film, options.rounds),
        lambda: measure_index(work, film, minutes / 60),
        lambda: measure_answers(work, film),
        lambda: measure_starts(work, film),
    ):
        found = measure()
        print(*found, sep="\n", flush=True)
        lines += found
    save(lines, film, minutes, around)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ten minutes of film")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3, help="passes of each kind, interleaved; the median counts")
    parser.add_argument("--footage", type=Path, nargs="+", help="videos that the film shows in turn")
    options = parser.parse_args()
    if not options.footage and not FOOTAGE.is_dir():
        parser.error(f"no footage in {FOOTAGE}; name some with --footage")
    return options


# ---------------------------------------------------------------------- watching


def measure_passes(work: Workspace, film: Path, rounds: int) -> list[Line]:
    """Return the wall time of decoding, watching, and watching with features and thumbnails."""
    encoder = work.encoder
    encoder.encode_frames([watch(film, work, limit=1).kept[0].picture])  # loads it
    plain, seen, full = [], [], []
    for _ in range(rounds):
        plain.append(decode(film))
        seen.append(watch(film, work))
        full.append(watch(film, work, lambda frames: encoder.pack(encoder.encode_frames([f.picture for f in frames]))))
    base_s = statistics.median(plain)
    seen_s, full_s = (statistics.median(one.seconds for one in many) for many in (seen, full))
    kept = full[0].kept
    per_frame_s = timed(lambda: encoder.encode_frames([f.picture for f in kept[:BATCH]])) / min(BATCH, len(kept))
    per_thumb_s = timed(lambda: [scenes.thumbnail(f) for f in kept[:BATCH]]) / min(BATCH, len(kept))
    new_s = seen_s + (per_frame_s + per_thumb_s) * seen[0].num_sampled
    share = f"{len(kept)} of {seen[0].num_sampled} frames new, {seen[0].num_cuts} cuts"
    return [
        Line("plain decode", base_s, "s", note=f"median of {rounds}: {', '.join(f'{x:.1f}' for x in plain)}"),
        Line("decode + scenes + gating + sampling", seen_s / base_s, "x", 1.5, share),
        Line("and nano features, thumbnails", full_s / base_s, "x", 2.5),
        Line("  the same if every sampled frame were new", new_s / base_s, "x", note="from the two lines below"),
        Line("  nano features", per_frame_s * 1000, "ms/frame"),
        Line("  thumbnail", per_thumb_s * 1000, "ms/frame"),
    ]


def decode(film: Path) -> float:
    """Return the seconds in which PyAV decodes the film and does nothing else."""
    began_s = time.perf_counter()
    with av.open(str(film)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for _ in container.decode(video=0):
            pass
    return time.perf_counter() - began_s


def watch(
    film: Path, work: Workspace, encode: Callable[[list[Frame]], object] | None = None, limit: int = 0
) -> Watched:
    """Watch the film as indexing does, in segments, up to `limit` kept frames if one is given."""
    watched = Watched()
    began_s = time.perf_counter()
    gate = scenes.ChangeGate()
    with video.open_video(film) as opened:
        items = video.stream(opened, video.StreamPlan(sample_every_s=work.settings.sample_every_s), work.limits)
        with closing(items):
            for segment in split_segments(items, 0):
                end_s = segment.start_s + 60.0
                watched.num_cuts += len(scenes.segment_cuts(segment.glimpses, segment.start_s, end_s))
                scenes.segment_changes(segment.glimpses, segment.start_s, end_s)
                first = watched.num_sampled
                watched.num_sampled += len(segment.frames)
                kept = [f for i, f in enumerate(segment.frames, first) if gate.add(f, i)[0] == i]
                watched.kept += kept
                if encode is not None:
                    for i in range(0, len(kept), BATCH):
                        encode(kept[i : i + BATCH])
                    for frame in kept:
                        scenes.thumbnail(frame)
                if limit and len(watched.kept) >= limit:
                    break
    watched.seconds = time.perf_counter() - began_s
    return watched


# ---------------------------------------------------------------------- the whole command

GROWING = (".safetensors", ".bin", ".faiss")  # files of the store that grow with the frames that show something new


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "import sys; from hicom_agent.cli import main; sys.exit(main())", *arguments]


def measure_index(work: Workspace, film: Path, hours: float) -> list[Line]:
    """Return what `hicom-agent index` takes: time, memory of it and its decoding process, bytes on disk."""
    shutil.rmtree(work.settings.store, ignore_errors=True)
    began_s = time.perf_counter()
    arguments = ["--store", str(work.settings.store), "index", str(film), "--no-speech", "--no-ocr", "--json"]
    process = psutil.Popen(command(*arguments), stdout=subprocess.PIPE, text=True)
    with sampled_memory(process) as peak_mb:
        said, _ = process.communicate()
    seconds = time.perf_counter() - began_s
    if process.returncode:
        sys.exit(f"index failed with code {process.returncode}: {said}")
    sizes = {path: path.stat().st_size / 1e6 for path in work.settings.store.rglob("*") if path.is_file()}
    size_mb, of_frames_mb = sum(sizes.values()), sum(mb for path, mb in sizes.items() if path.suffix in GROWING)
    with work.store() as store:
        row = store.videos()[0]
    new_mb = size_mb + of_frames_mb * (row.num_frames / row.num_kept - 1)
    return [
        Line("hicom-agent index, start to end", seconds, "s"),
        Line("  memory of it and its decoding process", max(peak_mb["all"]) / 1e3, "GB", 1.5, _peaks(peak_mb)),
        Line("  on disk, per hour of film", size_mb / hours, "MB", 60, f"{row.num_kept} frames kept"),
        Line("  the same if every sampled frame were new", new_mb / hours, "MB", 60, "files of frames in proportion"),
    ]


@contextlib.contextmanager
def sampled_memory(process: psutil.Popen) -> Iterator[dict[str, list[float]]]:
    """Yield lists that fill with resident megabytes: of the process, of its children, and of all, while it runs."""
    found: dict[str, list[float]] = {"parent": [0.0], "child": [0.0], "all": [0.0]}
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            with contextlib.suppress(psutil.Error):
                parent = process.memory_info().rss / 1e6
                child = sum(c.memory_info().rss for c in process.children(recursive=True)) / 1e6
                for name, size in (("parent", parent), ("child", child), ("all", parent + child)):
                    found[name].append(size)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def _peaks(found: dict[str, list[float]]) -> str:
    return f"parent {max(found['parent']):.0f} MB, child {max(found['child']):.0f} MB at most"


# ---------------------------------------------------------------------- asking


def measure_answers(work: Workspace, film: Path) -> list[Line]:
    """Return what a warm answer takes: the median over the questions, each asked a second time."""
    with work.store() as store:
        agent = work.agent(store)
        video_id = store.find_video(str(film))
        for question in QUESTIONS:
            agent.ask(video_id, question)
        answers = [agent.ask(video_id, question) for question in QUESTIONS]
    spends = [answer.spend for answer in answers]
    slowest = max(spend.seconds for spend in spends)

    def middle(name: str) -> float:
        return statistics.median(float(getattr(spend, name)) for spend in spends)

    return [
        Line("warm ask", middle("seconds"), "s", 6, f"slowest {slowest:.2f} s"),
        Line("  retrieval", 1000 * middle("retrieval_s"), "ms", 100),
        Line("  compression", 1000 * middle("compression_s"), "ms", note=f"{middle('clips_compressed'):.0f} clips"),
        Line("  language model", 1000 * middle("llm_s"), "ms", note=f"{middle('llm_tokens'):.0f} tokens"),
    ]


def measure_starts(work: Workspace, film: Path) -> list[Line]:
    """Return how long a person waits who begins with nothing loaded."""
    ask = command("--store", str(work.settings.store), "ask", str(film), QUESTIONS[0], "--json")
    return [
        Line("hicom-agent --help", timed(lambda: run(command("--help")), 5), "s", 0.5),
        Line("cold ask", timed(lambda: run(ask), 3), "s", 12),
    ]


def run(arguments: list[str]) -> None:
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)


def timed(work: Callable[[], object], times: int = 3) -> float:
    """Return the median seconds that `work` takes."""
    found = []
    for _ in range(times):
        began_s = time.perf_counter()
        work()
        found.append(time.perf_counter() - began_s)
    return statistics.median(found)


# ---------------------------------------------------------------------- result


def save(lines: list[Line], film: Path, minutes: int, around: dict[str, Any]) -> None:
    """Write the numbers with what they were measured on."""
    told = {"film": {"name": film.name, "minutes": minutes, "bytes": film.stat().st_size}}
    measured.save(HERE / "results" / "ingest.json", lines, around | told)


if __name__ == "__main__":
    main()
