"""Measure how well questions in the words of people and agents are answered, about films of the tuning half.

    python benchmarks/wording.py                # writes benchmarks/results/wording.json
    python benchmarks/wording.py --only typo    # one sort alone, in the order in which it stands; writes nothing

The questions of wording_set.json were written by somebody who had not seen the code: keywords, polite requests, slips
of the pen, windows of time, orders of an agent, and what the films do not hold. They are used to choose rules; the
reported half is elsewhere, in quality.py. Films and index are those of quality.py.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import quality
from measured import circumstances
from quality_questions import Question

from hicom_agent.tools import ask_video

HERE = Path(__file__).resolve().parent
SET, RESULT = HERE / "wording_set.json", HERE / "results" / "wording.json"
VERDICTS = {
    "right": "right",
    "gave_up": "declined though answerable",
    "made_up": "answered though it should decline",
    "wrong": "wrong",
}


class Asked(NamedTuple):
    """A row of the set, what was answered, and what that is worth."""

    row: Mapping[str, Any]
    judged: quality.Row
    verdict: str  # of VERDICTS


def main() -> None:
    """Ask, print and write."""
    options = read_options()
    around = circumstances(*quality.VERSIONS)
    rows = load_rows(options.only)
    films = quality.make_films(list(dict.fromkeys(row["film"] for row in rows)))
    quality.index(films)
    work = quality.fresh_workspace(llm=options.llm)
    began_s, asked = time.perf_counter(), []
    for row in rows:
        answer = ask_video(work, str(films[row["film"]]), row["question"]).model_dump(mode="json")
        asked.append(judge(row, answer))
    spent_s = time.perf_counter() - began_s
    print(report(asked))
    print(f"\n{len(asked)} questions asked in {spent_s:.0f} s")
    if options.out:
        found = {"figures": figures(asked), "sorts": {name: figures(some) for name, some in by_sort(asked).items()}}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({**around, "asked_s": round(spent_s, 1), **found}, indent=1) + "\n")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="SORT", default="", help="ask one sort alone")
    parser.add_argument("--out", type=Path, help="where the totals go; of all sorts by default to benchmarks/results")
    parser.add_argument("--llm", default="", help="another language model, such as packaged:qwen-1500m")
    options = parser.parse_args()
    sorts = dict.fromkeys(row["sort"] for row in load_rows())
    if options.only and options.only not in sorts:
        parser.error(f"no sort {options.only}; there are: {', '.join(sorts)}")
    if options.out is None and not options.only:
        options.out = RESULT.with_stem(f"wording-{options.llm.rpartition(':')[2]}") if options.llm else RESULT
    return options


def load_rows(only: str = "") -> list[dict[str, Any]]:
    """Return the rows of a sort, or all of them: film by film, a follow-up after what it follows."""
    rows: list[dict[str, Any]] = json.loads(SET.read_text())
    return [row for row in rows if only in ("", row["sort"])]


# ---------------------------------------------------------------------- verdicts


def judge(row: Mapping[str, Any], answer: Mapping[str, Any]) -> Asked:
    """Return what an answer is worth.

    Where declining is right and keywords stand too ("Is there a dog?"), saying so with one of them is right as well.
    An answer half of whose citations or more lie elsewhere read out the film in place of an answer.
    """
    judged = quality.judged(as_question(row, answer["abstained"]), answer, 0.0)
    heap = len(judged.strays) > 1 and 2 * len(judged.strays) >= len(judged.citations)
    if judged.right and not heap:
        return Asked(row, judged, "right")
    return Asked(row, judged, "made_up" if row["declined"] else "gave_up" if answer["abstained"] else "wrong")


def as_question(row: Mapping[str, Any], abstained: bool = False) -> Question:
    """Return a row as quality.py knows its questions."""
    return Question(
        id=row["sort"],
        film=row["film"],
        text=row["question"],
        kind="unanswerable" if row["declined"] and (abstained or not row["keywords"]) else "said",
        truth=row["truth"],
        keywords=tuple(map(tuple, row["keywords"])),
        ranges_s=tuple((start_s, end_s) for start_s, end_s in row["ranges_s"]),
        names_time=row["names_time"],
        count=row["count"],
        tolerance=row.get("tolerance", 0.0),
        instead=tuple(row["instead"]),
    )


# ---------------------------------------------------------------------- report


def figures(asked: Iterable[Asked]) -> dict[str, int]:
    """Return how many there are of each verdict."""
    found = Counter(each.verdict for each in asked)
    return {"n": found.total()} | {name: found[name] for name in VERDICTS}


def by_sort(asked: Sequence[Asked]) -> dict[str, list[Asked]]:
    """Return the questions of each sort."""
    sorts = sorted({each.row["sort"] for each in asked})
    return {name: [each for each in asked if each.row["sort"] == name] for name in sorts}


def report(asked: Sequence[Asked]) -> str:
    """Return what is printed."""
    lines = [f"{'':<14}{'n':>4}" + "".join(f"{name.replace('_', ' '):>9}" for name in VERDICTS)]
    for name, some in (by_sort(asked) | {"all": list(asked)}).items():
        count = figures(some)
        lines.append(f"  {name:<12}{count['n']:>4}" + "".join(f"{count[verdict]:>9}" for verdict in VERDICTS))
    for row, judged, verdict in asked:
        if verdict != "right":
            lines += ["", f"{row['film']} [{row['sort']}] {row['question']}  ({row['truth']})"]
            lines += [f"  {VERDICTS[verdict]}; sure {judged.confidence:.2f}: {' '.join(judged.answer.split())[:240]}"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
