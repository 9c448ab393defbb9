"""Write what `quality.py` measured into the README, between its two marks.

python benchmarks/quality_table.py           # after quality.py and quality_variants.py
python benchmarks/quality_table.py --check   # exit code 1 if the README says something else
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import quality_metrics as metrics
from quality_metrics import Binning

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
BEGIN, END = "<!-- quality: made by benchmarks/quality_table.py -->", "<!-- /quality -->"
RUNS = {"": "quality.json", ", `packaged:qwen-1500m`": "quality-qwen-1500m.json"}
ASKED = ("object", "place", "when", "count", "said", "written", "follow-up")  # what is seen, said or written


def main() -> int:
    """Write or check the table."""
    text = README.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    made = f"{head}{BEGIN}\n{table([(name, read(file)) for name, file in RUNS.items()])}\n{END}{tail}"
    if "--check" in sys.argv:
        return int(made != text)
    README.write_text(made)
    return 0


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / "results" / name).read_text())
    return found


def table(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Return the table of both halves of every run in Markdown."""
    columns = {}
    for name, result in runs:
        for part in ("tuning", "reported", "blind"):
            columns[f"{part}{name}"] = figures([row for row in result["rows"] if part_of(row) == part])
    names = next(iter(columns.values()))
    lines = [f"| | {' | '.join(columns)} |", f"| --- |{' --- |' * len(columns)}"]
    return "\n".join([*lines, *(f"| {n} | {' | '.join(column[n] for column in columns.values())} |" for n in names)])


def part_of(row: Mapping[str, Any]) -> str:
    """Return the half a question is in; "blind" if it was written later, by somebody who never saw an answer."""
    return "blind" if "-more-" in row["id"] else str(row["half"])


def figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the figures of some rows, in words."""
    able = [row for row in rows if row["kind"] != "unanswerable"]
    unable = [row for row in rows if row["kind"] == "unanswerable"]
    asked = [row for row in able if row["kind"] in ASKED]
    films = len({row["film"] for row in rows})
    return {
        "questions (films)": f"{len(rows)} ({films})",
        "first citation right, of what is seen, said or written": _share(row["hit"] == 1 for row in asked),
        "the same with the closest moment that a declining answer names": _share(row["named"] == 1 for row in asked),
        "answer right, of all": _share(row["right"] for row in rows),
        "answerable and declined": _share(row["abstained"] for row in able),
        "not in the film and declined": _share(row["abstained"] for row in unable),
        "temporal IoU of citations": f"{statistics.fmean(row['iou'] for row in able):.2f}",
        "expected calibration error, 10 bins of equal width": _error(rows, metrics.reliability),
        "what exact confidence would show on so many: mean, at most (19 of 20)": _chance(rows, metrics.reliability),
        "the same error, 5 bins of equal mass": _error(rows, metrics.reliability_by_mass),
        "exact confidence there": _chance(rows, metrics.reliability_by_mass),
        "visual tokens a question": f"{statistics.fmean(row['spend']['visual_tokens'] for row in rows):.0f}",
        "seconds a question (median)": f"{statistics.median(row['seconds'] for row in rows):.2f}",
    }


def _error(rows: Sequence[Mapping[str, Any]], binned: Binning) -> str:
    bins = binned([row["confidence"] for row in rows], [row["right"] for row in rows])
    return f"{metrics.calibration_error(bins):.3f}"


def _chance(rows: Sequence[Mapping[str, Any]], binned: Binning) -> str:
    return ", ".join(f"{error:.3f}" for error in metrics.error_of_chance([row["confidence"] for row in rows], binned))


def _share(found: Any) -> str:
    values = [bool(each) for each in found]
    return f"{sum(values)} of {len(values)} ({sum(values) / len(values):.2f})"


if __name__ == "__main__":
    sys.exit(main())
