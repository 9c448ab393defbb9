"""What a file of pairs holds and what it took, of all runs together."""

from __future__ import annotations

import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicom_agent.pairs.builder import texts_of
from hicom_agent.pairs.filters import count_words
from hicom_agent.rows import whole
from hicom_agent.screen import plain

if TYPE_CHECKING:
    from hicom_agent.pairs.builder import Run
    from hicom_agent.pairs.ledger import Past
    from hicom_agent.pairs.plan import Fault, Prices

NUM_EXAMPLES, NUM_TOLD = 3, 20
LENGTHS = ("instruction_words", "description_words", "caption_words", "clip_seconds")


def make_report(past: Past, run: Run, skipped: Sequence[Fault], prices: Prices) -> dict[str, Any]:
    """Return the report of a file of pairs; `run` and `skipped` are of this run alone."""
    counts: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    lengths: dict[str, list[float]] = {name: [] for name in LENGTHS}
    rejected: list[dict[str, str]] = []
    for clip in past.clips():
        counts.update(clips=1, pairs=len(clip["pairs"]), clips_with_pairs=bool(clip["pairs"]), told=clip["told"])
        counts.update(pictures=clip["pictures"] * clip["calls"])  # a repair sends them again
        lengths["clip_seconds"].append(clip["end"] - clip["start"])
        lengths["caption_words"] += [count_words(clip["caption"])] if clip["caption"] else []
        for pair in clip["pairs"]:
            for name, text in zip(LENGTHS, texts_of(pair), strict=False):
                lengths[name].append(count_words(text))
            categories[pair["category"]] += 1
        rejected += clip["rejected"]
    reasons, examples = _by_reason(rejected)
    return {
        "pairs": counts["pairs"],
        "clips": counts["clips"],
        "clips_without_pairs": counts["clips"] - counts["clips_with_pairs"],
        "categories": dict(categories.most_common()),
        "lengths": {name: quartiles(values) for name, values in lengths.items()},
        "rejected": dict(reasons.most_common()),
        "examples": examples,
        "calls": past.calls,
        "pictures": counts["pictures"],
        "tokens_in": past.tokens_in,
        "tokens_out": past.tokens_out,
        "tokens_estimated": counts["told"] < counts["clips"],
        "cost": prices.cost(past.tokens_in, past.tokens_out),
        "asked_now": run.answered,
        "seconds": round(run.seconds, 3),
        "failed": [asdict(fault) for fault in run.failed],
        "skipped": [asdict(fault) for fault in skipped],
        "stopped": run.stopped,
    }


def _by_reason(rejected: Sequence[Mapping[str, str]]) -> tuple[Counter[str], dict[str, list[dict[str, str]]]]:
    """Return how many were rejected for each reason, and a few of them."""
    reasons: Counter[str] = Counter()
    examples: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for one in rejected:
        reason, _, detail = one["reason"].partition(": ")
        reasons[reason] += 1
        if len(examples[reason]) < NUM_EXAMPLES:
            quoted = {name: one[name] for name in ("instruction", "description")}
            examples[reason].append(quoted | {"detail": detail})
    return reasons, dict(examples)


def quartiles(values: Sequence[float]) -> dict[str, float]:
    """Return smallest, quartiles and largest of values, nothing of none.

    >>> quartiles([1, 2, 3, 4, 9])
    {'least': 1, 'q1': 2.0, 'median': 3.0, 'q3': 4.0, 'most': 9}
    """
    if not values:
        return {}
    q1, median, q3 = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    told = {"least": min(values), "q1": q1, "median": median, "q3": q3, "most": max(values)}
    return {name: round(value, 3) for name, value in told.items()}


def report_file(out: Path) -> Path:
    """Return where the report of a file of pairs is."""
    return out.with_name(f"{out.stem}.report.json")


def write_report(report: Mapping[str, Any], out: Path) -> Path:
    """Write the report beside the pairs; raises SetupError where the disk fails."""
    path = report_file(out)
    with whole(path) as aside:
        aside.write_text(json.dumps(report, indent=2) + "\n")
    return path


def report_lines(told: Mapping[str, Any], out: Path) -> list[str]:
    """Return a report for a person."""
    estimated = " (estimated, for the model does not tell all)" if told["tokens_estimated"] else ""
    cost = f", {told['cost']:.4g} at these prices" if told["cost"] is not None else ""
    lines = [f"pairs    {told['pairs']} of {told['clips']} clips, {told['clips_without_pairs']} of them without any"]
    for name, five in told["lengths"].items():
        if five:
            what, unit = name.rsplit("_", 1)
            spread = (
                f"{five['least']:g} to {five['most']:g}, quartiles {five['q1']:g} {five['median']:g} {five['q3']:g}"
            )
            lines.append(f"lengths  {what}: {spread} {unit}")
    if told["categories"]:
        lines.append("kinds    " + ", ".join(f"{name} {count}" for name, count in told["categories"].items()))
    for reason, count in told["rejected"].items():
        one = told["examples"][reason][0]
        quote = plain(" / ".join(filter(None, (one["detail"], one["instruction"], one["description"]))))
        lines.append(f"rejected {count} {reason}, such as: {quote}")
    lines += [
        f"spent    {told['calls']} calls, {told['pictures']} pictures, {told['tokens_in']} tokens in, "
        f"{told['tokens_out']} out{estimated}{cost}",
        f"now      {told['asked_now']} clips in {told['seconds']:.1f} s",
    ]
    lost = [*((fault, "skipped ") for fault in told["skipped"]), *((fault, "failed  ") for fault in told["failed"])]
    lines += [f"{word} {plain(fault['name'])}: {plain(fault['reason'])}" for fault, word in lost[:NUM_TOLD]]
    lines += [f"         and {len(lost) - NUM_TOLD} more"] if len(lost) > NUM_TOLD else []
    lines += [f"stopped  {plain(told['stopped'])}"] if told["stopped"] else []
    return [*lines, f"wrote    {plain(str(out))}"]
