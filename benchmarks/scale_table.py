"""Write what `archive.py` measured, and what follows from it for larger archives, into docs/scale.md.

python benchmarks/scale_table.py           # after archive.py
python benchmarks/scale_table.py --check   # exit code 1 if the document says something else
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parent / "docs" / "scale.md"
MEASURED = "<!-- measured: made by benchmarks/scale_table.py -->", "<!-- /measured -->"
CARRIED = "<!-- carried: made by benchmarks/scale_table.py -->", "<!-- /carried -->"
HOURS = (1_000, 10_000, 100_000)
GB = 2**30


def main() -> int:
    """Write or check the tables."""
    result = json.loads((HERE / "results" / "archive.json").read_text())
    text = DOCUMENT.read_text()
    made = replaced(replaced(text, MEASURED, measured(result)), CARRIED, carried(result))
    if "--check" in sys.argv:
        return int(made != text)
    DOCUMENT.write_text(made)
    return 0


def replaced(text: str, marks: tuple[str, str], table: str) -> str:
    """Return the text with a table between two marks."""
    head, _, rest = text.partition(marks[0])
    return f"{head}{marks[0]}\n{table}\n{marks[1]}{rest.partition(marks[1])[2]}"


def table(heads: list[str], rows: Mapping[str, list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [f"| | {' | '.join(heads)} |", f"| --- |{' --- |' * len(heads)}"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])


def measured(result: Mapping[str, Any]) -> str:
    """Return what was measured, one column for each size, and what it was measured on."""
    sizes, real = result["sizes"], result["real"]
    chosen = str(sizes[-1]["routed"])

    def each(tell: Any) -> list[str]:
        return [tell(size) for size in sizes]

    def both(name: str) -> list[str]:
        return each(lambda s: f"{s[name]['p50_ms']:.0f} / {s[name]['p95_ms']:.0f}")

    rows = {
        "routing, p50 / p95 ms": both("route"),
        f"lines of the {chosen} chosen, ms": both("lines_in_chosen"),
        f"clips of the {chosen} chosen, ms": both("clips_in_chosen"),
        "all of these, ms": both("search"),
        "the same in processor time, ms": each(
            lambda s: f"{s['search']['cpu_p50_ms']:.0f} / {s['search']['cpu_p95_ms']:.0f}"
        ),
        "opening, ms": each(lambda s: f"{1e3 * s['open_s']:.0f}"),
        "first question, s": each(lambda s: f"{s['first_question_s']:.1f}"),
        "resident, store alone, GB": each(lambda s: f"{s['rss_store_gb']:.2f}"),
        "resident, with torch, GB": each(lambda s: f"{s['rss_with_torch_gb']:.2f}"),
        "on disk without pictures, GB": each(lambda s: f"{sum(s['disk'].values()) / GB:.2f}"),
        "merging one hour, s": each(lambda s: f"{merge_s(result, s):.2f}"),
        f"right video among {chosen}: seen / said / written": each(
            lambda s: " / ".join(f"{s['recall'][kind][chosen]:.2f}" for kind in ("seen", "said", "written"))
        ),
    }
    told = [
        table([f"{size['hours']:,} hours" for size in sizes], rows),
        "",
        f"{result['machine']['cores']} cores, load {result['machine']['load']:.1f} before; "
        f"faiss {result['versions']['faiss-cpu']}, SQLite {result['versions']['sqlite']}, commit {result['commit']}.",
    ]
    missed = [line for line in result["lines"] if line["holds"] is False]
    told += [
        f"\n**Bound missed:** {each['name']}: {each['value']:.2f} {each['unit']}, where {each['at_most']:g} was set."
        for each in missed
    ]
    if real:
        hour_ms = result["an_hour"]["KEPT"] * real["scan_ms_a_kept_frame"]
        told.append(
            f"\nBeside that, with real films: reading a question takes {real['read_question_ms']:.0f} ms, looking "
            f"through the patch features of one chosen hour {hour_ms:.0f} ms, models and a small store "
            f"{real['rss_with_models_gb']:.2f} GB; the right one of {real['films']} films is among the first 4 for "
            f"{real['recall']['4']:.2f} of {real['questions']} questions."
        )
    return "\n".join(told)


def merge_s(result: Mapping[str, Any], size: Mapping[str, Any]) -> float:
    """Return the seconds that merging one video took."""
    spent = result["spent"][str(size["hours"])]
    return float(spent["merge_s"] / spent["merged"])


def carried(result: Mapping[str, Any]) -> str:
    """Return what larger archives would take, as the largest measured one did for each hour."""
    largest, hour = result["sizes"][-1], result["an_hour"]
    by = largest["hours"]
    vectors = hour["CLIPS"] + hour["SPOKEN"] + hour["WRITTEN"]
    held = (largest["rss_store_gb"] - largest["rss_before_gb"]) / by
    scans = sum(part["p50_ms"] for name, part in largest["parts"].items() if name.startswith("vectors"))
    disk, pictures = sum(largest["disk"].values()) / by, sum(result["pictures_an_hour_bytes"].values())

    def each(tell: Any) -> list[str]:
        return [tell(hours) for hours in HOURS]

    rows = {
        f"vectors for routing ({vectors:,} an hour)": each(lambda h: f"{vectors * h / 1e6:,.1f} million"),
        f"memory ({1024 * held:.2f} MB an hour)": each(lambda h: f"{held * h:,.1f} GB"),
        f"of which float16 ({vectors * hour['WIDTH'] * 2 / 2**20:.2f} MB)": each(
            lambda h: f"{vectors * hour['WIDTH'] * 2 * h / GB:,.1f} GB"
        ),
        f"of which sketches ({vectors * hour['WIDTH'] / 4 / 2**20:.2f} MB)": each(
            lambda h: f"{vectors * hour['WIDTH'] / 4 * h / GB:,.1f} GB"
        ),
        f"vector searches of a routing ({scans:.0f} ms at {by:,} hours)": each(lambda h: f"{scans * h / by:,.0f} ms"),
        f"first question ({largest['first_question_s']:.1f} s at {by:,} hours)": each(
            lambda h: f"{largest['first_question_s'] * h / by:,.0f} s"
        ),
        f"SQLite rows ({sum(hour[n] for n in ('CLIPS', 'FRAMES', 'SPOKEN', 'WRITTEN')):,} an hour)": each(
            lambda h: f"{sum(hour[n] for n in ('CLIPS', 'FRAMES', 'SPOKEN', 'WRITTEN')) * h / 1e6:,.0f} million"
        ),
        f"catalogue ({largest['disk']['catalogue'] / by / 2**20:.2f} MB an hour)": each(
            lambda h: f"{largest['disk']['catalogue'] / by * h / GB:,.1f} GB"
        ),
        f"lines in the full-text indexes ({hour['SPOKEN'] + hour['WRITTEN']:,} an hour)": each(
            lambda h: f"{(hour['SPOKEN'] + hour['WRITTEN']) * h / 1e6:,.1f} million"
        ),
        f"disk without pictures ({disk / 2**20:.1f} MB an hour)": each(lambda h: f"{disk * h / GB:,.0f} GB"),
        f"patches and thumbnails ({pictures / 2**20:.1f} MB an hour)": each(lambda h: f"{pictures * h / GB:,.0f} GB"),
        f"merging all ({merge_s(result, largest):.2f} s an hour)": each(
            lambda h: f"{merge_s(result, largest) * h / 3600:,.1f} hours"
        ),
    }
    return table([f"{hours:,} hours" for hours in HOURS], rows)


if __name__ == "__main__":
    sys.exit(main())
