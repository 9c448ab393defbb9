"""Measure the quality of the profile nano: films of known contents, questions with their truths, one table.

    python benchmarks/quality.py                  # both halves; writes benchmarks/results/quality.json
    python benchmarks/quality.py --half tuning    # only the half that may be looked at while something is chosen
    python benchmarks/quality.py --films harbour,evening --out /tmp/two.json

Films are made once, and indexed once, with speech and text on the screen, into .bench/quality. Questions are asked of
a copy of that memory, so that each run begins with nothing kept of earlier questions. Misses are printed of the tuning
half alone: the other is for reporting.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import quality_metrics as metrics
from measured import circumstances
from quality_films import FILMS, sources
from quality_more import all_questions
from quality_questions import Question

from hicom_agent.build import Workspace
from hicom_agent.settings import load_settings
from hicom_agent.tools import ask_video, index_video

HERE = Path(__file__).resolve().parent
BENCH = HERE.parent / ".bench" / "quality"
STORE, ASKED = BENCH / "store", BENCH / "asked"
RESULT = HERE / "results" / "quality.json"
HALVES = {film.name: film.half for film in FILMS}
VERSIONS = ("hicom-agent", "av", "torch", "ctranslate2", "faster-whisper", "rapidocr", "transformers", "numpy")
CITED = ("start_s", "end_s", "score", "modality", "quote")


@dataclass(frozen=True)
class Row:
    """A question, what was answered, and what that is worth."""

    id: str
    film: str
    half: str
    kind: str
    text: str
    answer: str
    abstained: bool
    confidence: float
    reason: str
    citations: tuple[dict[str, Any], ...]  # of an abstention: the closest moments, which count in `named` alone
    spend: dict[str, Any]
    seconds: float  # all that the caller waited
    right: bool  # in its words and times, or rightly declined
    fault: str
    strays: tuple[str, ...]  # citations outside the true ranges
    hit: float | None  # whether the first citation is right; None for what the film does not hold
    iou: float | None
    named: float | None  # whether the first moment named is right, be it only the closest one of an abstention


def main() -> None:
    options = read_options()
    around = circumstances(*VERSIONS)
    films = make_films(options.films)
    indexed_s = index(films, options.again)
    began_s = time.perf_counter()
    rows = ask_all(fresh_workspace(llm=options.llm), films, [q for q in all_questions() if q.film in films])
    print(report(rows))
    print(f"\nindexed in {indexed_s:.0f} s, {len(rows)} questions asked in {time.perf_counter() - began_s:.0f} s")
    if options.out:
        save(options.out, rows, films, indexed_s, around)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", help="names, with commas between them")
    parser.add_argument("--half", choices=("tuning", "reported", "both"), default="both")
    parser.add_argument("--out", type=Path, help="where the JSON goes; of all films by default to benchmarks/results")
    parser.add_argument("--again", action="store_true", help="index anew")
    parser.add_argument("--llm", default="", help="another language model, such as packaged:qwen-1500m")
    options = parser.parse_args()
    named = options.films.split(",") if options.films else list(HALVES)
    if unknown := set(named) - set(HALVES):
        parser.error(f"no film {', '.join(sorted(unknown))}; there are: {', '.join(HALVES)}")
    options.films = [name for name in named if options.half in ("both", HALVES[name])]
    if options.out is None and len(options.films) == len(HALVES):
        options.out = RESULT.with_stem(f"quality-{options.llm.rpartition(':')[2]}") if options.llm else RESULT
    return options


def make_films(names: Sequence[str]) -> dict[str, Path]:
    """Return the films by name, made if they are not here."""
    found = sources(BENCH / "footage")
    films = {film.name: BENCH / "films" / f"{film.name}.mp4" for film in FILMS if film.name in names}
    for film in FILMS:
        if film.name in films and film.make(found, films[film.name]):
            print(f"made {films[film.name]}", flush=True)
    return films


def index(films: Mapping[str, Path], again: bool = False) -> float:
    """Index what is not in the store yet; return the seconds that indexing took, now or when it was done."""
    if again:
        shutil.rmtree(STORE, ignore_errors=True)
    note = STORE.with_suffix(".json")
    spent_s = json.loads(note.read_text()) if note.is_file() and STORE.is_dir() else {}
    work = Workspace(load_settings({"store": STORE, "profile": "nano"}))
    for name, path in films.items():
        done = index_video(work, path)
        if done.state != "unchanged":
            spent_s[name] = round(done.seconds, 1)
            note.write_text(json.dumps(spent_s) + "\n")
    return sum(spent_s.get(name, 0.0) for name in films)


def fresh_workspace(**settings: Any) -> Workspace:
    """Return a workspace on a copy of the store, in which no question was asked before."""
    shutil.rmtree(ASKED, ignore_errors=True)
    shutil.copytree(STORE, ASKED)
    return Workspace(load_settings({"store": ASKED, "profile": "nano", **settings}))


def ask_all(work: Workspace, films: Mapping[str, Path], asked: Iterable[Question]) -> list[Row]:
    """Ask the questions in order, and return what came of each."""
    rows = []
    for question in asked:
        began_s = time.perf_counter()
        answer = ask_video(work, str(films[question.film]), question.text).model_dump(mode="json")
        rows.append(judged(question, answer, time.perf_counter() - began_s))
    return rows


def judged(question: Question, answer: Mapping[str, Any], seconds: float) -> Row:
    """Return the row of an answer. An abstention cites nothing."""
    wrong = metrics.fault(question, answer)
    named = [(c["start_s"], c["end_s"]) for c in answer["citations"]]
    spans = [] if answer["abstained"] else named
    holds = question.kind != "unanswerable"
    return Row(
        id=question.id,
        film=question.film,
        half=HALVES[question.film],
        kind=question.kind,
        text=question.text,
        answer=answer["answer"],
        abstained=answer["abstained"],
        confidence=answer["confidence"],
        reason=answer["reason"],
        citations=tuple({name: citation[name] for name in CITED} for citation in answer["citations"]),
        spend=dict(answer["spend"]),
        seconds=round(seconds, 3),
        right=not wrong,
        fault=wrong,
        strays=metrics.strays(question, answer) if holds else (),
        hit=float(metrics.hits_first(spans, question.ranges_s)) if holds else None,
        iou=round(metrics.temporal_iou(spans, question.ranges_s), 4) if holds else None,
        named=float(metrics.hits_first(named, question.ranges_s)) if holds else None,
    )


# ---------------------------------------------------------------------- figures


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the numbers of some rows; declining what the film holds is a miss in all but `named_at_1`."""
    sure, right = [row.confidence for row in rows], [row.right for row in rows]
    declined = metrics.abstention([row.abstained for row in rows], [row.kind == "unanswerable" for row in rows])
    by_width, by_mass = metrics.reliability(sure, right), metrics.reliability_by_mass(sure, right)
    return {
        "n": len(rows),
        "hit_at_1": _mean(row.hit for row in rows),
        "named_at_1": _mean(row.named for row in rows),
        "temporal_iou": _mean(row.iou for row in rows),
        "accuracy": _mean(right),
        "declined": _mean(row.abstained for row in rows),
        "right_without_strays": _mean(row.right and not row.strays for row in rows),
        "abstention_precision": round(declined[0], 3),
        "abstention_recall": round(declined[1], 3),
        "ece_10_equal_width": round(metrics.calibration_error(by_width), 3),
        "ece_5_equal_mass": round(metrics.calibration_error(by_mass), 3),
        "visual_tokens": _mean((row.spend["visual_tokens"] for row in rows), 0),
        "seconds": round(statistics.median(row.seconds for row in rows), 2),
    }


def chance(rows: Sequence[Row]) -> dict[str, list[float]]:
    """Return the calibration error that exact confidence would show on so many answers: mean and 95th percentile."""
    sure = [row.confidence for row in rows]
    binned = {"ece_10_of_chance": metrics.reliability, "ece_5_of_chance": metrics.reliability_by_mass}
    return {name: [round(x, 3) for x in metrics.error_of_chance(sure, by)] for name, by in binned.items()}


def _mean(values: Iterable[float | None], digits: int = 3) -> float | None:
    kept = [float(value) for value in values if value is not None]
    return round(statistics.fmean(kept), digits) if kept else None


def by_half(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows of each half, and of both if there are both."""
    halves = {half: [row for row in rows if row.half == half] for half in ("tuning", "reported")}
    kept = {half: found for half, found in halves.items() if found}
    return kept | ({"both": list(rows)} if len(kept) > 1 else {})


def by_kind(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows of each kind."""
    return {kind: [row for row in rows if row.kind == kind] for kind in sorted({row.kind for row in rows})}


# ---------------------------------------------------------------------- report

COLUMNS = {  # heading: figure, digits
    "hit@1": ("hit_at_1", 2),
    "named@1": ("named_at_1", 2),
    "tIoU": ("temporal_iou", 2),
    "right": ("accuracy", 2),
    "declined": ("declined", 2),
    "tokens": ("visual_tokens", 0),
    "s": ("seconds", 2),
}
TOTALS = (
    "right_without_strays",
    "abstention_precision",
    "abstention_recall",
    "ece_10_equal_width",
    "ece_10_of_chance",
    "ece_5_equal_mass",
    "ece_5_of_chance",
)


def report(rows: Sequence[Row]) -> str:
    """Return what is printed."""
    lines = []
    for half, some in by_half(rows).items():
        total = figures(some) | chance(some)
        lines += ["", f"{half:<14}{'n':>4}" + "".join(f"{heading:>10}" for heading in COLUMNS)]
        lines += [_line(kind, figures(found)) for kind, found in by_kind(some).items()]
        lines += [_line("all", total), *(f"  {name.replace('_', ' ')}: {total[name]}" for name in TOTALS)]
    misses = [_miss(row) for row in rows if row.half == "tuning" and not (row.right and row.hit in (1.0, None))]
    return "\n".join([*lines, "", "misses of the tuning half, in words or in the first citation:", *misses])


def _line(name: str, found: Mapping[str, Any]) -> str:
    cells = ("-" if found[key] is None else f"{found[key]:.{digits}f}" for key, digits in COLUMNS.values())
    return f"  {name:<12}{found['n']:>4}" + "".join(f"{cell:>10}" for cell in cells)


def _miss(row: Row) -> str:
    told = " ".join(row.answer.split())[:160]
    first = f"{row.citations[0]['start_s']:.1f}-{row.citations[0]['end_s']:.1f} s" if row.citations else "nothing"
    why = row.fault or f"cites {first} first"
    return f"  {row.id} [{row.kind}] {row.text}\n    {why}; sure {row.confidence:.2f}: {told}"


def save(
    path: Path, rows: Sequence[Row], films: Mapping[str, Path], indexed_s: float, around: Mapping[str, Any]
) -> None:
    """Write the numbers and all rows with what they were measured on."""
    halves = by_half(rows)
    result = {
        "films_s": {film.name: film.lasts_s for film in FILMS if film.name in films},
        **around,
        "indexed_s": round(indexed_s, 1),
        "figures": {half: figures(some) | chance(some) for half, some in halves.items()},
        "kinds": {half: {k: figures(found) for k, found in by_kind(some).items()} for half, some in halves.items()},
        "reliability": {half: _bins(some) for half, some in halves.items()},
        "rows": [asdict(row) for row in rows],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


def _bins(rows: Sequence[Row]) -> list[dict[str, float]]:
    found = metrics.reliability([row.confidence for row in rows], [row.right for row in rows])
    return [{name: round(value, 3) for name, value in b._asdict().items()} for b in found]


if __name__ == "__main__":
    main()
