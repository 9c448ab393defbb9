"""Search an archive of a thousand hours: time, memory, disk, and whether the right video is among those looked at.

    python benchmarks/archive.py            # 10, 100 and 1,000 hours; writes benchmarks/results/archive.json
    python benchmarks/archive.py --quick    # 5 and 50 hours, prints and writes nothing

Videos are made (`archive_made.py`), one hour each, and committed by the real writer into .bench/archive, half of them
in a store of their own that is then merged. A question is about one clip, line or text of one video: its vector half
lost in noise, and four of its words; in all other ways it leads nowhere. A search is what `Agent.search` does but for
looking at pictures, of which the cost for each chosen video is measured on real films and told apart.
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import archive_made as made
import numpy as np
from measured import Line, circumstances, save

HERE = Path(__file__).resolve().parent
BENCH = HERE.parent / ".bench"
ARCHIVE, QUALITY = BENCH / "archive", BENCH / "quality" / "store"
RESULT = HERE / "results" / "archive.json"
ASKED = 40  # questions of each kind
LIMITS = (4, 8, 16, 32)
HITS, PER_VIDEO = 10, 3  # as Agent.search asks
NUM_READ = 5  # films
P95_MS, RSS_GB = 50.0, 2.0


@dataclass(frozen=True)
class Needle:
    """A question, what holds its answer, and how it is read."""

    text: str
    kind: str  # "seen", "said", "written"
    video_id: str
    guide: np.ndarray
    sentence: np.ndarray


class Reader:
    """Reads the made questions; what it gives took a language model no time."""

    version, reads, temperature = made.PROFILE, "1", None

    def __init__(self, needles: Sequence[Needle]) -> None:
        self._needles = {needle.text: needle for needle in needles}

    def encode_guide(self, question: str) -> np.ndarray:
        return self._needles[question].guide

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self._needles[text].sentence for text in texts])


def make_needles(hours: int) -> list[Needle]:
    rng = np.random.default_rng(11)

    def lost(vector: np.ndarray | None = None) -> np.ndarray:
        noise = made.unit(rng.standard_normal(made.WIDTH).astype(np.float32))
        return noise if vector is None else made.unit(vector + noise)

    found = []
    words, sums = made.vocabulary()
    for number in rng.integers(hours, size=ASKED).tolist():
        hour, clip, line = made.make_hour(number), int(rng.integers(made.CLIPS)), int(rng.integers(made.WRITTEN))
        a_clip = made.KEPT // made.CLIPS
        mean = made.unit(hour.frames[a_clip * clip : a_clip * clip + a_clip].mean(axis=0))
        strange = words[np.searchsorted(sums, rng.random(4))]
        found += [
            Needle(f"seen{clip} " + " ".join(strange), "seen", hour.video_id, lost(mean), lost()),
            Needle(_four(rng, hour.said[line]), "said", hour.video_id, lost(), lost(hour.speech[line])),
            Needle(_four(rng, hour.written[line]), "written", hour.video_id, lost(), lost(hour.texts[line])),
        ]
    return found


def _four(rng: np.random.Generator, line: str) -> str:
    return " ".join(rng.permutation(line.split())[:4])


# ---------------------------------------------------------------------- the archives


def prepare(hours: int) -> dict[str, float]:
    """Make an archive, half of it by merging; return what that took, now or when it was done."""
    folder, note = ARCHIVE / f"hours-{hours}", ARCHIVE / f"hours-{hours}.json"
    from hicom_agent.memory import Store

    if note.is_file() and folder.is_dir():
        Store.open(folder, write=True).close()  # which brings what an older version made into the form of this one
        return dict(json.loads(note.read_text()))
    from hicom_agent.memory.joining import merge

    shard, half = ARCHIVE / f"shard-{hours}", hours - hours // 2
    for path in (folder, shard):
        shutil.rmtree(path, ignore_errors=True)
    began_s = time.perf_counter()
    made.make_store(folder, range(half))
    made.make_store(shard, range(half, hours))
    made_s = time.perf_counter()
    with Store.open(folder, write=True) as store:
        merge(store, [shard])
    spent = {"made": hours, "make_s": made_s - began_s, "merged": hours // 2, "merge_s": time.perf_counter() - made_s}
    shutil.rmtree(shard)
    note.write_text(json.dumps(spent) + "\n")
    return spent


def disk_bytes(folder: Path) -> dict[str, int]:
    """Return the bytes of each part, apart from patches and thumbnails, which are stand-ins."""
    parts = {"catalogue": (folder / "catalog.sqlite").stat().st_size}
    for kind in ("frames", "clips", "speech", "texts"):
        parts[f"cache of {kind}"] = sum(path.stat().st_size for path in folder.glob(f"cache/*-{kind}.vectors"))
    for name in ("vectors.safetensors", "meta.json", "MANIFEST.json"):
        parts[name] = sum(path.stat().st_size for path in folder.glob(f"*/gen-*/{name}"))
    return parts


def pictures_an_hour() -> dict[str, float]:
    """Return the bytes of patches and thumbnails of a real kept frame, times the frames kept of a made hour."""
    from hicom_agent.memory import Store

    with Store.open(QUALITY) as store:
        kept = sum(row.num_kept for row in store.videos())
    names = ("patches.safetensors", "thumbs.bin")
    return {
        name: made.KEPT * sum(path.stat().st_size for path in QUALITY.glob(f"*/gen-*/{name}")) / kept for name in names
    }


# ---------------------------------------------------------------------- one size, in a process of its own


def measure_part(hours: int) -> dict[str, Any]:
    found: dict[str, Any] = {"hours": hours, "disk": disk_bytes(ARCHIVE / f"hours-{hours}")}
    needles = make_needles(hours)
    found["rss_before_gb"] = rss_gb()
    from hicom_agent.memory import Store

    began_s = time.perf_counter()
    store = Store.open(ARCHIVE / f"hours-{hours}")
    found["open_s"] = time.perf_counter() - began_s
    began_s = time.perf_counter()
    for needle, kind in zip(needles, ("clips", "speech", "texts"), strict=False):
        store.search_vectors(kind, needle.guide if kind == "clips" else needle.sentence, 32)  # type: ignore[arg-type]
    store.search_words("speech", needles[1].text, 32)
    found["first_question_s"] = time.perf_counter() - began_s
    found["rss_store_gb"] = rss_gb()
    found |= measure_search(store, needles)
    found["rss_with_torch_gb"] = rss_gb()
    return found


def measure_search(store: Any, needles: Sequence[Needle]) -> dict[str, Any]:
    """Measure what the caller waits, and beside it what the processor worked, for the machine is seldom alone."""
    from hicom_agent.agent.film import Film
    from hicom_agent.agent.route import route
    from hicom_agent.agent.sight import nearest_clips

    reader: Any = Reader(needles)
    steps: dict[str, Step] = {name: Step() for name in ("route", "lines_in_chosen", "clips_in_chosen", "search")}
    for needle in [needles[0], *needles]:
        with store.snapshot() as still, steps["search"]:
            with steps["route"]:
                chosen = route(still, reader, needle.text, None, routed())
            with steps["lines_in_chosen"]:
                lines_in(still, needle, chosen)
            with steps["clips_in_chosen"]:
                nearest_clips(still, reader, needle.text, chosen)
    film_ms = times_ms([functools.partial(Film.read, store, made.video_id(i)) for i in range(NUM_READ)])
    return {
        **{name: step.told() for name, step in steps.items()},
        "second_question_ms": round(steps["search"].waited_ms[0], 1),
        "parts": {name: spread(times) for name, times in parts_ms(store, needles).items()},
        "routed": routed(),
        "recall": recalls(store, reader, needles),
        "read_film_ms": round(float(np.median(film_ms)), 2),
    }


def routed() -> int:
    """Return how many videos `Agent.search` chooses."""
    from hicom_agent.agent.route import num_routed

    return num_routed(HITS, PER_VIDEO)


class Step:
    """Collects how long something took, each time it was done; the first time is left out of what is told."""

    def __init__(self) -> None:
        self.waited_ms: list[float] = []
        self.worked_ms: list[float] = []

    def __enter__(self) -> None:
        self._began_s = time.perf_counter(), time.process_time()

    def __exit__(self, *error: object) -> None:
        self.waited_ms.append(1e3 * (time.perf_counter() - self._began_s[0]))
        self.worked_ms.append(1e3 * (time.process_time() - self._began_s[1]))

    def told(self) -> dict[str, float]:
        return spread(self.waited_ms[1:]) | {f"cpu_{name}": ms for name, ms in spread(self.worked_ms[1:]).items()}


def lines_in(store: Any, needle: Needle, chosen: Sequence[str]) -> None:
    """Find lines in the chosen videos as Agent.search does, by meaning and by words."""
    from hicom_agent.agent.evidence import Asked, find_lines

    asked = Asked(needle.text, needle.sentence, needle.text, topical=True)
    find_lines(store, asked, chosen, HITS, PER_VIDEO)


def parts_ms(store: Any, needles: Sequence[Needle]) -> dict[str, list[float]]:
    """Return how long each way of the routing takes."""
    each: dict[str, list[Callable[[], object]]] = {}
    for needle in needles:
        for kind in ("clips", "speech", "texts"):
            vector = needle.guide if kind == "clips" else needle.sentence
            each.setdefault(f"vectors of {kind}", []).append(functools.partial(store.search_vectors, kind, vector, 32))
        for kind in ("speech", "texts"):
            each.setdefault(f"words of {kind}", []).append(functools.partial(store.search_words, kind, needle.text, 32))
    return {name: times_ms(calls) for name, calls in each.items()}


def recalls(store: Any, reader: Any, needles: Sequence[Needle]) -> dict[str, dict[str, float]]:
    """Return, by kind, the share of questions whose video is among the first so many."""
    from hicom_agent.agent.route import route

    found: dict[str, dict[str, float]] = {}
    for limit in LIMITS:
        right: dict[str, list[bool]] = {}
        for needle in needles:
            routed = route(store, reader, needle.text, None, limit)
            right.setdefault(needle.kind, []).append(needle.video_id in routed)
        for kind, hits in right.items():
            found.setdefault(kind, {})[str(limit)] = round(float(np.mean(hits)), 3)
    return found


def times_ms(calls: Sequence[Callable[[], object]]) -> list[float]:
    taken = []
    for call in calls:
        began_s = time.perf_counter()
        call()
        taken.append(1e3 * (time.perf_counter() - began_s))
    return taken


def spread(times: Sequence[float]) -> dict[str, float]:
    """Return p50 and p95."""
    return {name: round(float(np.quantile(times, at)), 2) for name, at in (("p50_ms", 0.5), ("p95_ms", 0.95))}


def rss_gb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 2**20


# ---------------------------------------------------------------------- real films


def measure_real() -> dict[str, Any]:
    """Measure on the films of the quality set: reading a question, looking at a film, and how well it is routed to."""
    from quality_questions import questions

    from hicom_agent.agent.film import Film
    from hicom_agent.agent.route import route
    from hicom_agent.build import Workspace
    from hicom_agent.settings import load_settings

    work = Workspace(load_settings({"store": QUALITY, "profile": "nano"}))
    encoder = work.encoder
    asked = [question for question in questions() if question.kind != "unanswerable"]
    with work.store() as store:
        names = {row.title: row.video_id for row in store.videos()}
        read_ms = times_ms([functools.partial(_read, encoder, question.text) for question in asked[:40]])
        looks: list[float] = []
        for video_id in names.values():
            kept = Film.read(store, video_id).kept()
            look = functools.partial(_scan, encoder, store, video_id, kept)
            looks += [ms / len(kept) for ms in times_ms([look] * 4)[1:]]
        routed = {
            limit: [names[q.film] in route(store, encoder, q.text, None, limit) for q in asked]
            for limit in (1, 2, 3, 4)
        }
    return {
        "films": len(names),
        "questions": len(asked),
        "recall": {str(limit): round(float(np.mean(hits)), 3) for limit, hits in routed.items()},
        "read_question_ms": round(float(np.median(read_ms)), 2),
        "scan_ms_a_kept_frame": round(float(np.median(looks)), 4),
        "rss_with_models_gb": round(rss_gb(), 3),
    }


def _read(encoder: Any, question: str) -> None:
    encoder.encode_guide(question)
    encoder.encode_texts([question])


def _scan(encoder: Any, store: Any, video_id: str, kept: list[int]) -> None:
    encoder.scan("a white car on the road", store.features(video_id, kept))


# ---------------------------------------------------------------------- the report


def lines_of(sizes: Sequence[dict[str, Any]], spent: dict[int, dict[str, float]], real: dict[str, Any]) -> list[Line]:
    lines: list[Line] = []
    for size in sizes:
        hours = size["hours"]
        bounded = size is sizes[-1]
        for name in ("route", "lines_in_chosen", "clips_in_chosen", "search"):
            bound = P95_MS if bounded and name == "search" else None
            lines.append(Line(f"{hours} hours, {name}, p50", size[name]["p50_ms"], "ms"))
            lines.append(Line(f"{hours} hours, {name}, p95", size[name]["p95_ms"], "ms", bound))
        lines.append(Line(f"{hours} hours, open", size["open_s"], "s"))
        lines.append(Line(f"{hours} hours, first question", size["first_question_s"], "s"))
        memory = RSS_GB if bounded else None
        lines.append(Line(f"{hours} hours, resident, store alone", size["rss_store_gb"], "GB", memory))
        lines.append(Line(f"{hours} hours, resident, with torch", size["rss_with_torch_gb"], "GB", memory))
        lines.append(Line(f"{hours} hours, on disk without pictures", sum(size["disk"].values()) / 2**30, "GB"))
        lines.append(Line(f"{hours} hours, merging one", spent[hours]["merge_s"] / spent[hours]["merged"], "s"))
        for kind, recall in size["recall"].items():
            chosen = size["routed"]
            lines.append(Line(f"{hours} hours, {kind}, right video among {chosen}", recall[str(chosen)], ""))
    lines += list(growth(sizes))
    if real:
        lines.append(Line("reading a question", real["read_question_ms"], "ms"))
        lines.append(Line("looking at a chosen hour", made.KEPT * real["scan_ms_a_kept_frame"], "ms"))
        lines.append(Line("resident, models and a small store", real["rss_with_models_gb"], "GB"))
        lines.append(Line(f"{real['films']} real films, right one among 4", real["recall"]["4"], ""))
    return lines


def growth(sizes: Sequence[dict[str, Any]]) -> Iterator[Line]:
    """Give how each number grows between sizes, against how the hours do: 1 is linear."""
    for before, after in zip(sizes, sizes[1:], strict=False):
        times = after["hours"] / before["hours"]
        taken = {
            "search p50": (before["search"]["p50_ms"], after["search"]["p50_ms"]),
            "first question": (before["first_question_s"], after["first_question_s"]),
            "memory of the store": tuple(s["rss_store_gb"] - s["rss_before_gb"] for s in (before, after)),
            "disk": tuple(sum(s["disk"].values()) for s in (before, after)),
        }
        for name, (one, other) in taken.items():
            yield Line(f"{name}, {before['hours']} to {after['hours']} hours", other / one / times, "x hours", 1.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--part", metavar="HOURS")
    options = parser.parse_args()
    if options.part:
        print(json.dumps(measure_real() if options.part == "real" else measure_part(int(options.part))))
        return
    ARCHIVE.mkdir(parents=True, exist_ok=True)
    under = circumstances("hicom-agent", "faiss-cpu", "numpy")
    under["versions"]["sqlite"] = __import__("sqlite3").sqlite_version
    hours = [5, 50] if options.quick else [10, 100, 1000]
    spent = {num: prepare(num) for num in hours}
    sizes = [in_own_process(str(num)) for num in hours]
    real = in_own_process("real") if QUALITY.is_dir() else {}
    lines = lines_of(sizes, spent, real)
    for line in lines:
        print(line)
    if not options.quick:
        pictures = pictures_an_hour() if QUALITY.is_dir() else {}
        shapes = {name: getattr(made, name) for name in ("WIDTH", "CLIPS", "FRAMES", "KEPT", "SPOKEN", "WRITTEN")}
        told = {"an_hour": shapes, "pictures_an_hour_bytes": pictures, "spent": spent, "sizes": sizes, "real": real}
        save(RESULT, lines, under | told)


def in_own_process(part: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--part", part]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
