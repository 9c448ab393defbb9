"""What answers are worth, in numbers: pure functions of times, words, confidences and truths."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
import judge  # noqa: E402
import script  # noqa: E402

if TYPE_CHECKING:
    from quality_questions import Question

Span = tuple[float, float]
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NUMBERS = {word: float(number) for number, word in enumerate(WORDS)} | {"never": 0.0, "once": 1.0, "twice": 2.0}


# ---------------------------------------------------------------------- where


def union(spans: Iterable[Span]) -> list[Span]:
    """Return the stretches joined where they touch, in order.

    >>> union([(5, 8), (0, 2), (7, 9)])
    [(0, 2), (5, 9)]
    """
    joined: list[Span] = []
    for start_s, end_s in sorted(spans):
        if joined and start_s <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end_s))
        else:
            joined.append((start_s, end_s))
    return joined


def hits_first(cited: Sequence[Span], true: Sequence[Span], slack_s: float = judge.SLACK_S) -> bool:
    """Return whether the first citation overlaps a true stretch, or comes as near to it as the slack.

    >>> hits_first([(12, 15), (0, 9)], [(3, 10.5)]), hits_first([(13, 15), (0, 9)], [(3, 10.5)])
    (True, False)
    """
    return any(cited[0][0] <= high + slack_s and cited[0][1] >= low - slack_s for low, high in true) if cited else False


def temporal_iou(cited: Sequence[Span], true: Sequence[Span]) -> float:
    """Return how long citations and truth agree, as a share of how long either lasts.

    >>> temporal_iou([(0, 4), (2, 6)], [(3, 9)]), temporal_iou([(5, 5)], [(5, 5)])
    (0.3333333333333333, 0.0)
    """
    a, b = union(cited), union(true)
    both = sum(max(0.0, min(x[1], y[1]) - max(x[0], y[0])) for x in a for y in b)
    either = sum(end_s - start_s for start_s, end_s in union([*a, *b]))
    return both / either if either else 0.0


# ---------------------------------------------------------------------- what


def first_number(text: str) -> float | None:
    """Return the first number that the text names, in figures or in words; timecodes don't count.

    >>> first_number("It is seen twice: at 00:00:05 and 00:01:09."), first_number("For 14.5 s."), first_number("Yes.")
    (2.0, 14.5, None)
    """
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", re.sub(r"\b\d+(:\d\d)+(\.\d+)?", " ", text.lower()))
    for found in re.findall(r"\d+(?:\.\d+)?|[a-z]+", plain):
        if found[0].isdigit() or found in NUMBERS:
            return NUMBERS[found] if found in NUMBERS else float(found)
    return None


def leads(text: str, words: Iterable[str], instead: Iterable[str]) -> bool:
    """Return whether one of `words` stands in the text before any of `instead`.

    >>> leads("No, the taxi comes first; yes.", ["yes"], ["no"]), leads("The rabbit.", ["rabbit"], ["sign"])
    (False, True)
    """

    plain = text.lower().replace("-", " ")

    def first(wanted: Iterable[str]) -> float:
        places = [found.start() for word in wanted for found in re.finditer(rf"\b{re.escape(word)}\b", plain)]
        return min(places, default=float("inf"))

    return first(words) < first(instead)


def fault(question: Question, answer: Mapping[str, Any]) -> str:
    """Return what is wrong with the words of an answer, "" if nothing: examples/judge.py, but for where it cites."""
    if question.kind == "unanswerable":
        return "" if answer["abstained"] else "the film does not hold this"
    if answer["abstained"]:
        return f"gave up: {answer['reason'] or 'no reason'}"
    start_s, end_s = question.ranges_s[0]
    placed = {**answer, "citations": [{"start_s": start_s, "end_s": end_s, "modality": ""}]}
    faults = [judge.judge(_asked(question), placed).why]
    if question.instead and not leads(answer["answer"], question.keywords[0], question.instead):
        faults.append(f"names {'/'.join(question.instead)} first")
    if question.count is not None:
        number = first_number(answer["answer"])
        if number is None or abs(number - question.count) > question.tolerance * question.count:
            faults.append(f"names {number}, not {question.count:g}")
    return "; ".join(filter(None, faults))


def strays(question: Question, answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the citations of an answer that lie outside the true ranges by more than the slack."""
    return judge.judge(_asked(question), answer).stray


def _asked(question: Question) -> script.Question:
    kind = "not in the film" if question.kind == "unanswerable" else "seen"
    told = (question.truth, question.keywords, question.ranges_s, question.names_time)
    return script.Question(question.text, kind, *told)


# ---------------------------------------------------------------------- how sure


def abstention(abstained: Sequence[bool], unanswerable: Sequence[bool]) -> tuple[float, float]:
    """Return the precision of abstentions, and the share of what can't be answered that was declined.

    >>> abstention([True, True, False, False], [True, False, True, False])
    (0.5, 0.5)
    """
    both = sum(a and u for a, u in zip(abstained, unanswerable, strict=True))
    return both / max(1, sum(abstained)), both / max(1, sum(unanswerable))


class Bin(NamedTuple):
    """Answers of about the same confidence."""

    low: float
    high: float
    num: int
    confidence: float  # their mean
    right: float  # the share that is right


Binning = Callable[[Sequence[float], Sequence[bool]], Sequence[Bin]]


def reliability(confidence: Sequence[float], right: Sequence[bool], num_bins: int = 10) -> list[Bin]:
    """Return bins of equal width over 0 to 1; empty ones are left out.

    >>> reliability([0.95, 1.0], [True, False])
    [Bin(low=0.9, high=1.0, num=2, confidence=0.975, right=0.5)]
    """
    sure, true = np.asarray(confidence, float), np.asarray(right, float)
    which = np.minimum((sure * num_bins).astype(int), num_bins - 1)
    kept = [int(k) for k in np.unique(which)]
    return [Bin(k / num_bins, (k + 1) / num_bins, *_means(sure[which == k], true[which == k])) for k in kept]


def reliability_by_mass(confidence: Sequence[float], right: Sequence[bool], num_bins: int = 5) -> list[Bin]:
    """Return bins that hold as many answers each, or one more.

    >>> [(b.num, b.right) for b in reliability_by_mass([0.9, 0.1, 0.2, 0.8], [True, False, False, True], 2)]
    [(2, 0.0), (2, 1.0)]
    """
    sure, true = np.asarray(confidence, float), np.asarray(right, float)
    order = np.argsort(sure, kind="stable")
    edges = np.linspace(0, len(order), num_bins + 1).round().astype(int)
    parts = [order[a:b] for a, b in pairwise(edges) if a < b]
    return [Bin(float(sure[p].min()), float(sure[p].max()), *_means(sure[p], true[p])) for p in parts]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return how far confidence is from the share that is right, each answer weighing the same.

    >>> round(calibration_error(reliability([0.05, 0.95, 1.0], [False, True, False])), 4)
    0.3333
    """
    return sum(b.num * abs(b.confidence - b.right) for b in bins) / max(1, sum(b.num for b in bins))


def error_of_chance(confidence: Sequence[float], binned: Binning, draws: int = 500) -> tuple[float, float]:
    """Return the mean and the 95th percentile of the calibration error of an answerer whose confidence is exact.

    A few answers in many bins differ from their confidence by chance: an error below this cannot be asked for.

    >>> mean, high = error_of_chance([0.5] * 10, reliability)
    >>> 0.10 < mean < 0.14, high <= 0.3
    (True, True)
    """
    sure, random = np.asarray(confidence, float), np.random.default_rng(0)
    errors = [calibration_error(binned(confidence, random.random(len(sure)) < sure)) for _ in range(draws)]
    return float(np.mean(errors)), float(np.quantile(errors, 0.95))


def _means(sure: np.ndarray, true: np.ndarray) -> tuple[int, float, float]:
    return len(sure), float(sure.mean()), float(true.mean())


# ---------------------------------------------------------------------- whether it is more than chance


def bootstrap_p(ours: Sequence[float], theirs: Sequence[float], draws: int = 10_000, seed: int = 0) -> float:
    """Return how often chance alone makes the mean of paired differences as large as it is, to either side.

    Questions are drawn with replacement from the differences less their mean.

    >>> bootstrap_p([1, 1, 1, 1, 0, 1, 1, 1], [0, 0, 1, 0, 0, 0, 0, 0]) < 0.01, bootstrap_p([1, 0], [1, 0])
    (True, 1.0)
    """
    difference = np.asarray(ours, float) - np.asarray(theirs, float)
    drawn = np.random.default_rng(seed).integers(0, len(difference), (draws, len(difference)))
    chance = np.abs((difference - difference.mean())[drawn].mean(1))
    return (1 + int((chance >= abs(difference.mean()) - 1e-12).sum())) / (1 + draws)
