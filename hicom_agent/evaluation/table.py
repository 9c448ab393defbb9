"""Scores: what was right, of how many, how sure that is, at what cost, and beside what the paper says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hicom_agent.evaluation.questions import Benchmark, Question
from hicom_agent.evaluation.run import lost_videos
from hicom_agent.screen import plain

Row = Mapping[str, Any]
NUM_TOLD = 20  # missing or lost videos that a person is shown
WAYS = (("by_letter", "letter"), ("by_likelihood", "likeliest"))
Z = 1.959964  # of 95 %


def wilson(right: int, count: int) -> tuple[float, float]:
    """Return the interval that holds the true share with 95 % (Wilson's).

    >>> [round(x, 3) for x in wilson(8, 10)], wilson(0, 0)
    ([0.49, 0.943], (0.0, 1.0))
    """
    if not count:
        return 0.0, 1.0
    share, extra = right / count, Z * Z / count
    middle = (share + extra / 2) / (1 + extra)
    half = Z * math.sqrt(share * (1 - share) / count + extra / count / 4) / (1 + extra)
    return max(0.0, middle - half), min(1.0, middle + half)


def score(
    benchmark: Benchmark, questions: Sequence[Question], rows: Mapping[str, Row], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return all that is reported of an evaluation; shares are percent, over answered questions."""
    asked = [(question, rows[question.id]) for question in questions if question.id in rows]
    answered = [(question, row) for question, row in asked if not row["reason"]]
    judged = [(question, row) for question, row in answered if question.answer is not None]
    groups = _groups(judged)
    return {
        "benchmark": benchmark.name,
        "title": benchmark.title,
        "settings": dict(settings),
        "coverage": _coverage(questions, asked, answered),
        "overall": _shares(row for _, row in judged),
        "groups": groups,
        "means": _means(benchmark, groups),
        "cost": _cost([row for _, row in answered]),
        "paper": _paper(benchmark, settings),
        "lost": list(lost_videos([row for _, row in asked]).values()),
        "missing": list(dict.fromkeys(question.video for question in questions if question.path is None)),
    }


def _coverage(
    questions: Sequence[Question], asked: Sequence[tuple[Question, Row]], answered: Sequence[tuple[Question, Row]]
) -> dict[str, int]:
    ids = {question.id for question, _ in asked}
    missing = sum(question.path is None and question.id not in ids for question in questions)
    return {
        "questions": len(questions),
        "answered": len(answered),
        "failed": len(asked) - len(answered),
        "missing": missing,
        "left": len(questions) - len(asked) - missing,
        "without_public_answer": sum(question.answer is None for question, _ in answered),
    }


def _shares(rows: Iterable[Row]) -> dict[str, Any]:
    """Return how many of these rows are right, by what was written and by likelihood."""
    given = list(rows)
    found: dict[str, Any] = {"questions": len(given), "fallbacks": sum(bool(row["fallback"]) for row in given)}
    for way, field in WAYS:
        told = [row for row in given if row[field] is not None]
        right = sum(row[field] == row["right"] for row in told)
        low, high = wilson(right, len(told))
        found[way] = (
            {
                "right": right,
                "percent": round(100 * right / len(told), 2),
                "low": round(100 * low, 2),
                "high": round(100 * high, 2),
            }
            if told
            else None
        )
    return found


def _groups(judged: Sequence[tuple[Question, Row]]) -> list[dict[str, Any]]:
    members: dict[tuple[str, str], list[Row]] = {}
    for question, row in judged:
        for group in question.groups:
            members.setdefault(group, []).append(row)
    kinds = {kind: number for number, kind in enumerate(dict.fromkeys(kind for kind, _ in members))}
    ordered = sorted(members.items(), key=lambda item: kinds[item[0][0]])
    return [{"kind": kind, "name": name, **_shares(rows)} for (kind, name), rows in ordered]


def _means(benchmark: Benchmark, groups: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the mean over groups where the benchmark reports it; overall is the mean over questions."""
    if not benchmark.mean_of:
        return {}
    means = {}
    for way, _ in WAYS:
        shares = [group[way]["percent"] for group in groups if group["kind"] == benchmark.mean_of and group[way]]
        if shares:
            means[way] = round(sum(shares) / len(shares), 2)
    return {benchmark.mean_name: means}


def _cost(rows: Sequence[Row]) -> dict[str, float]:
    """Return what a question took, on average; and the most visual tokens that one took."""

    def mean(name: str) -> float:
        return round(float(sum(row[name] for row in rows)) / max(1, len(rows)), 3)

    return {
        "visual_tokens": mean("visual_tokens"),
        "most_visual_tokens": max((row["visual_tokens"] for row in rows), default=0),
        "llm_tokens": mean("llm_tokens"),
        "frames": mean("frames"),
        "seconds": mean("seconds"),
        "watch_seconds": mean("watch_s"),
    }


def _paper(benchmark: Benchmark, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the paper reports for HICom 7B, by the number of frames; {} where it reports nothing."""
    with_subtitles = bool(settings.get("subtitles"))
    known = benchmark.paper_subtitles if with_subtitles else benchmark.paper
    if not known:
        return {}
    return {"model": "HICom 7B", "subtitles": with_subtitles, "percent_by_frames": dict(known)}


def table_lines(found: Mapping[str, Any]) -> list[str]:
    """Return a table for a person."""
    coverage, cost, settings = found["coverage"], found["cost"], found["settings"]
    told = ", ".join(f"{name} {value}" for name, value in settings.items() if value not in (None, "", False))
    lines = [
        f"{found['title']}: {plain(told)}",
        "",
        _line("", "questions", "by letter, %", "by likelihood, %", "fallbacks"),
    ]
    lines.append(_share_line("all", found["overall"]))
    for name, means in found["means"].items():
        shown = [f"{means[way]:.1f}" if way in means else "-" for way, _ in WAYS]
        lines.append(_line(name, "", shown[0], shown[1], ""))
    kind = ""
    for group in found["groups"]:
        lines += [f"by {group['kind']}"] if group["kind"] != kind else []
        kind = group["kind"]
        lines.append(_share_line(f"  {plain(group['name'])}", group))
    parts = [f"{coverage[name]} {name}" for name in ("failed", "missing", "left") if coverage[name]]
    if coverage["without_public_answer"]:
        parts.append(f"{coverage['without_public_answer']} without a public answer")
    rest = f"; {', '.join(parts)}" if parts else ""
    tokens = f"{cost['visual_tokens']:.0f} visual tokens (at most {cost['most_visual_tokens']})"
    frames = f", {cost['frames']:.0f} frames" if cost["frames"] else ""
    return [
        *lines,
        "",
        f"answered   {coverage['answered']} of {coverage['questions']}{rest}",
        f"a question {tokens}{frames}, {cost['seconds']:.2f} s, and {cost['watch_seconds']:.2f} s for its video",
        *_paper_lines(found["paper"]),
        *_video_lines(found),
    ]


def _paper_lines(paper: Mapping[str, Any]) -> list[str]:
    if not paper:
        return []
    shares = ", ".join(f"{percent} at {frames} frames" for frames, percent in paper["percent_by_frames"].items())
    subtitles = ", with subtitles" if paper["subtitles"] else ""
    return [f"paper      {paper['model']}{subtitles}, all questions, by letter: {shares}"]


def _video_lines(found: Mapping[str, Any]) -> list[str]:
    lost = [
        f"failed     {plain(each['video'])} ({each['questions']} questions): {plain(each['reason'])}"
        for each in found["lost"]
    ]
    missing = [f"missing    {plain(video)}" for video in found["missing"]]
    lines = []
    for part in (lost, missing):
        lines += part[:NUM_TOLD] + ([f"           and {len(part) - NUM_TOLD} more"] if len(part) > NUM_TOLD else [])
    return lines


def _share_line(name: str, shares: Mapping[str, Any]) -> str:
    cells = []
    for way, _ in WAYS:
        share = shares[way]
        cells.append(f"{share['percent']:.1f} ({share['low']:.1f}-{share['high']:.1f})" if share else "-")
    return _line(name, str(shares["questions"]), cells[0], cells[1], str(shares["fallbacks"]))


def _line(name: str, count: str, letter: str, likelihood: str, fallbacks: str) -> str:
    return f"{name:<28} {count:>9} {letter:>18} {likelihood:>18} {fallbacks:>9}".rstrip()
