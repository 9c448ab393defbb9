"""Search among unit vectors: video by video, all at once, and by a sketch, against a plain product of all, in one run.

    python benchmarks/index.py            # up to 300,000 vectors of 384 numbers; writes benchmarks/results/index.json
    python benchmarks/index.py --quick    # up to 10,000 and 50 videos, prints and writes nothing

Vectors are made: films about topics, scenes in films, near-duplicates in scenes, 100 a film. Questions are other frames
of these scenes ("like"), such frames half lost in noise ("near"), and directions from anywhere ("random").
Every way runs in a process of its own, on one thread; `x npy` is its time in those of a plain product of all.
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from measured import git, processor

from hicom_agent.memory import Store, flat, index, vectors
from hicom_agent.memory.index import VectorIndex
from hicom_agent.testing import make_record

HERE = Path(__file__).resolve().parent
WIDTH, A_VIDEO, K = 384, 100, 20
WAYS = ("numpy", "loop", "flat", "sketch")
LIKE = ("like", "near", "random")
NO_LIMIT = 1 << 40


@dataclass
class Row:
    """What one way costs with so many vectors."""

    way: str
    num: int
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    two_threads_ms: float = 0.0
    times_numpy: float = 1.0
    build_s: float = 0.0
    bytes_each: float = 0.0  # resident memory that it took, by vector
    recall: dict[str, float] = field(default_factory=dict)  # of the 20 nearest, by kind of question
    one_video_ms: float = 0.0
    tenth_ms: float = 0.0  # asking 10 % of the videos
    removed_ms: float = 0.0  # after 20 % of the videos were removed
    compact_s: float = 0.0
    compacted_ms: float = 0.0


@dataclass
class Line:
    """One number with a bound."""

    name: str
    value: float
    unit: str
    bound: str = ""
    holds: bool | None = None


def make_vectors(num: int) -> np.ndarray:
    """Return vectors [num, e] as float16, 100 of each film, and beside them one question from each scene."""
    rng = np.random.default_rng(0)

    def some(*shape: int) -> np.ndarray:
        return rng.standard_normal((*shape, WIDTH), np.float32) / WIDTH**0.5

    topics, common, parts = some(64), some(), []
    for _ in range(-(-num // A_VIDEO)):
        scenes = 1.2 * common + 0.5 * topics[rng.integers(64)] + 0.5 * some() + 0.6 * some(12)
        parts.append(unit(scenes[np.sort(rng.integers(12, size=A_VIDEO))] + 0.35 * some(A_VIDEO)).astype(np.float16))
    return np.concatenate(parts)[:num]


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def make_questions(rows: np.ndarray, each: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    own = rows[rng.integers(len(rows), size=each)].astype(np.float32)
    noise = [unit(rng.standard_normal(own.shape).astype(np.float32)) for _ in range(3)]
    return {"like": unit(own + 0.3 * noise[0]), "near": unit(own + noise[1]), "random": noise[2]}


def times_ms(questions: Sequence[np.ndarray], ask: Callable[[np.ndarray], object]) -> tuple[float, float]:
    ask(questions[0])
    taken = []
    for question in questions:
        began_s = time.perf_counter()
        ask(question)
        taken.append(1e3 * (time.perf_counter() - began_s))
    return float(np.median(taken)), float(np.quantile(taken, 0.95))


def held_bytes() -> int:
    """Return what is held in memory, without mapped files and without what the allocator keeps for later (30 MB)."""
    ctypes.CDLL(None).malloc_trim(0)
    text = Path("/proc/self/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("RssAnon")).split()[1]) * 1024


def measure_part(way: str, path: Path, num: int) -> Row:
    """Measure one way; the vectors lie in a mapped file, so that they are not counted."""
    rows = np.load(path, mmap_mode="r")[:num]
    asked = make_questions(rows, 60)
    mixed = [question for three in zip(*asked.values(), strict=True) for question in three][:45]
    row = Row(way, num)
    before, began_s = held_bytes(), time.perf_counter()
    made: Any = BUILD[way](rows)
    row.build_s = time.perf_counter() - began_s
    row.bytes_each = (held_bytes() - before) / num
    if way == "numpy":
        row.p50_ms, row.p95_ms = times_ms(mixed, lambda question: np.argpartition(made @ question, -K)[-K:])
    elif way == "loop":
        measure_loop(row, made, mixed[:6] if num > 10_000 else mixed)
    else:
        row.p50_ms, row.p95_ms = times_ms(mixed, lambda question: made.search(question, K))
        index.NUM_THREADS = 2
        row.two_threads_ms = times_ms(mixed, lambda question: made.search(question, K))[0]
        index.NUM_THREADS = 1
        row.recall = {name: recall(made, rows, questions) for name, questions in asked.items()}
        measure_changes(row, made, mixed[:15])
    return row


def measure_loop(row: Row, made: list[tuple[str, Any]], asked: Sequence[np.ndarray]) -> None:
    row.p50_ms, row.p95_ms = times_ms(asked, lambda question: vectors.best_of(made, question, K))
    row.one_video_ms = times_ms(asked, lambda question: vectors.best_of(made[3:4], question, K))[0]
    row.tenth_ms = times_ms(asked, lambda question: vectors.best_of(made[::10], question, K))[0]


def measure_changes(row: Row, made: VectorIndex, asked: Sequence[np.ndarray]) -> None:
    films = [range(start, min(start + A_VIDEO, row.num)) for start in range(0, row.num, A_VIDEO)]
    row.one_video_ms = times_ms(asked, lambda question: made.search(question, K, films[3:4]))[0]
    row.tenth_ms = times_ms(asked, lambda question: made.search(question, K, films[::10]))[0]
    made.remove(np.concatenate([np.array(film) for film in films[::5]]))
    row.removed_ms = times_ms(asked, lambda question: made.search(question, K))[0]
    began_s = time.perf_counter()
    made.compact()
    row.compact_s = time.perf_counter() - began_s
    row.compacted_ms = times_ms(asked, lambda question: made.search(question, K))[0]


def recall(made: VectorIndex, rows: np.ndarray, questions: np.ndarray) -> float:
    """Return which share of the 20 nearest is found; one that is as near as the last counts."""
    cosines = np.concatenate(
        [rows[at : at + 20_000].astype(np.float32) @ questions.T for at in range(0, len(rows), 20_000)]
    )
    last = np.partition(cosines, -K, axis=0)[-K]
    found = [np.count_nonzero(made.search(q, K)[1] >= at - 1e-5) for q, at in zip(questions, last, strict=True)]
    return float(np.mean(found)) / K


def build_loop(rows: np.ndarray) -> list[tuple[str, flat.Part]]:
    starts = range(0, len(rows), A_VIDEO)
    parts = [rows[at : at + A_VIDEO].astype(np.float16) for at in starts]
    return [
        (f"{at:016x}", flat.Part(np.arange(len(part), dtype=np.int32), flat.flat_of(part)))
        for at, part in zip(starts, parts, strict=True)
    ]


def build_flat(rows: np.ndarray, flat_until: int = NO_LIMIT) -> VectorIndex:
    made = VectorIndex(WIDTH, flat_until=flat_until)
    for at in range(0, len(rows), 6400):
        part = rows[at : at + 6400].astype(np.float32)
        made.add(np.arange(at, at + len(part)), part)
    return made


def build_sketch(rows: np.ndarray) -> VectorIndex:
    made = build_flat(rows, 500)
    made.compact()
    return made


BUILD: dict[str, Callable[[np.ndarray], Any]] = {
    "numpy": lambda rows: rows.astype(np.float32),
    "loop": build_loop,
    "flat": build_flat,
    "sketch": build_sketch,
}


def measure_store(rows: np.ndarray, folder: Path) -> list[Line]:
    """Ask a store of many videos, as an agent does: catalogue, collection, and all."""
    num = len(rows) // A_VIDEO
    base = dataclasses.replace(make_record(1, num_frames=2 * A_VIDEO, width=WIDTH), speech=[], texts=[])
    ids = [f"{7919 * i + 1:016x}" for i in range(num)]
    with Store.open(folder, write=True) as store:
        for i, video_id in enumerate(ids):
            frames = {"frames": rows[i * A_VIDEO : (i + 1) * A_VIDEO].astype(np.float32)}
            store.commit(dataclasses.replace(base, video_id=video_id, sha256=video_id + "0" * 48, vectors=frames))
    asked = [question for kind in make_questions(rows, 10).values() for question in kind]
    lines, answers = [], []
    merged_from = vectors.MANY
    for name, many in (("one by one", NO_LIMIT), ("as one", merged_from)):
        vectors.MANY = many
        with Store.open(folder) as store:
            began_s = time.perf_counter()
            store.search_vectors("frames", asked[0], K)
            lines.append(Line(f"store, {num} videos {name}, first question", time.perf_counter() - began_s, "s"))
            for which in (None, ids[:1], ids[::10]):
                p50, p95 = times_ms(asked, lambda q, which=which: store.search_vectors("frames", q, K, which))
                bound = ("<= 20", p50 <= 20) if which is None and many == merged_from else ("", None)
                told = f"store, {num} videos {name}, {len(which or ids)} asked"
                lines += [Line(f"{told}, p50", p50, "ms", *bound), Line(f"{told}, p95", p95, "ms")]
            answers.append([store.search_vectors("frames", question, K) for question in asked])
    same = float(np.mean([one == other for one, other in zip(*answers, strict=True)]))
    return [*lines, Line("store, answers that are the same both ways", same, "", "= 1", same == 1)]


def bounds(rows: list[Row]) -> list[Line]:
    lines = []
    one = {(row.way, row.num): row for row in rows}
    for (way, num), row in one.items():
        if row.recall:
            worst = min(row.recall.values())
            lines.append(Line(f"{way}, {num} vectors, worst recall", worst, "", ">= 0.98", worst >= 0.98))
        if way in ("flat", "sketch") and num == 100_000:
            lines.append(Line(f"{way}, {num} vectors, p50", row.p50_ms, "ms", "<= 20", row.p50_ms <= 20))
        before = one.get((way, num // 10), one.get((way, num // 3)))
        if way in ("flat", "sketch") and before and num > 10_000:
            grown = row.bytes_each / before.bytes_each
            lines.append(Line(f"{way}, bytes a vector, {num} / {before.num}", grown, "x", "<= 1.2", grown <= 1.2))
    return lines


def in_own_process(way: str, path: Path, num: int, threads: int = 1) -> Row:
    """Measure one way; `threads` are those of NumPy, FAISS builds on all and is told how many to search on."""
    command = [sys.executable, __file__, "--part", way, str(path), str(num)]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads)}
    return Row(**json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout))


def measure_size(path: Path, num: int) -> list[Row]:
    rows = [in_own_process(way, path, num) for way in WAYS]
    rows[0].two_threads_ms = in_own_process("numpy", path, num, threads=2).p50_ms
    for row in rows:
        row.times_numpy = row.p50_ms / rows[0].p50_ms
    return rows


def show(row: Row) -> None:
    recalls = " ".join(f"{row.recall[name]:.3f}" for name in LIKE) if row.recall else "-"
    more = (row.one_video_ms, row.tenth_ms, row.removed_ms, row.compacted_ms, row.compact_s)
    print(
        f"{row.way:<6}{row.num:>7}{row.p50_ms:>8.2f}{row.p95_ms:>8.2f}{row.times_numpy:>7.2f}"
        f"{row.two_threads_ms or float('nan'):>8.2f}{row.build_s:>9.2f}{row.bytes_each:>7.0f}"
        f"  {recalls:<18}" + "".join(f"{value:>9.2f}" if value else f"{'-':>9}" for value in more),
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--part", nargs=3, metavar=("WAY", "PATH", "NUM"))
    options = parser.parse_args()
    if options.part:
        way, path, num = options.part
        print(json.dumps(asdict(measure_part(way, Path(path), int(num)))))
        return
    load, sizes = os.getloadavg()[0], [1000, 10_000] if options.quick else [1000, 10_000, 100_000, 300_000]
    rows: list[Row] = []
    print("way       num  p50 ms     p95  x npy 2 thr's  build s  B/vec  like near random  ", end="")
    print("  1 video     10 %    -20 %  compact'd  in s")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        np.save(path, make_vectors(sizes[-1]))
        for num in sizes:
            rows += measure_size(path, num)
            for row in rows[-len(WAYS) :]:
                show(row)
        films = np.load(path, mmap_mode="r")[: 5000 if options.quick else 100_000]
        lines = bounds(rows) + measure_store(films, Path(folder) / "store")
    for line in lines:
        verdict = "" if line.holds is None else f"{line.bound} {'holds' if line.holds else 'MISSED'}"
        print(f"{line.name:<52} {line.value:>10.3f} {line.unit:<4} {verdict}")
    if not options.quick:
        write(rows, lines, load)


def write(rows: list[Row], lines: list[Line], load: float) -> None:
    found = {
        "machine": {"device": processor(), "cores": len(os.sched_getaffinity(0)), "load_before": round(load, 2)},
        "versions": {"python": platform.python_version(), "numpy": version("numpy"), "faiss": flat.faiss.__version__},
        "commit": git("rev-parse", "--short", "HEAD"),
        "rows": [asdict(row) for row in rows],
        "numbers": [asdict(line) for line in lines],
    }
    (HERE / "results" / "index.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
