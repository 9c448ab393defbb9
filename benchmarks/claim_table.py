"""Write what `claim.py` found into docs/claim.md.

python benchmarks/claim_table.py           # after claim.py
python benchmarks/claim_table.py --check   # exit code 1 if the document says something else
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from scale_table import HERE, replaced, table

DOCUMENT = HERE.parent / "docs" / "claim.md"
MARKS = "<!-- claim: made by benchmarks/claim_table.py -->", "<!-- /claim -->"


def main() -> int:
    """Write or check the tables."""
    result = json.loads((HERE / "results" / "claim.json").read_text())
    text = DOCUMENT.read_text()
    made = replaced(text, MARKS, told(result))
    if "--check" in sys.argv:
        return int(made != text)
    DOCUMENT.write_text(made)
    return 0


def told(result: Mapping[str, Any]) -> str:
    """Return the tables, and on what they were made."""
    kinds = list(result["arms"][0]["kinds"])
    arms = {
        row["arm"]: [
            str(row["tokens"]),
            cell(row["conditioned"]),
            cell(row["plain"]),
            gain(row["stage_gain"]),
            *(f"{row['kinds'][kind]:.0f}" for kind in kinds),
        ]
        for row in result["arms"]
    }
    guess = result["guess"]
    arms["(best guess without looking)"] = [
        "0",
        f"{guess['all']:.1f}",
        "",
        "",
        *(f"{guess['kinds'][k]:.0f}" for k in kinds),
    ]
    gains = {
        f"{row['ours']}, over {row['theirs']}": [gain(row["conditioned"]), gain(row["plain"])]
        for row in result["gains"]
    }
    size = result["size"]
    return "\n".join(
        [
            f"Right answers in per cent, means of {size['seeds']} seeds with 95 % intervals (Student's t); kinds of "
            "questions after all stages.",
            "",
            table(["tokens", "all stages", "without condition", "gain of condition", *kinds], arms),
            "",
            "Gains at equal tokens, in points, over seeds:",
            "",
            table(["all stages", "without condition"], gains),
            "",
            f"{size['held_out']} held-out films with {size['questions']} questions each; {size['align']}, "
            f"{size['condition']} and {size['tune']} steps of 64. {result['seconds'] / 60:.0f} minutes on "
            f"{result['machine']['cores']} cores, {result['base_seconds'] / 60:.0f} of them for encoder and language "
            f"model; torch {result['versions']['torch']}, commit {result['commit']}.",
        ]
    )


def cell(value: Mapping[str, Any]) -> str:
    """Return a mean with its interval."""
    return f"{value['mean']:.1f} ± {value['half_width']:.1f}"


def gain(value: Mapping[str, Any]) -> str:
    """Return a difference with its interval and its p."""
    return f"{value['mean']:+.1f} ± {value['half_width']:.1f} (p = {value['p']:.4f})"


if __name__ == "__main__":
    sys.exit(main())
