"""Judge answers by what is true: words, times and citations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from script import Question

SLACK_S = 2.0  # a citation may reach this far over its true range
_TIMECODE = re.compile(r"\b(\d+):(\d\d):(\d\d)(?:\.\d+)?\b")


@dataclass(frozen=True)
class Verdict:
    """What an answer is worth; `word` is how it is printed."""

    word: str  # "right", "wrong", "declined" (rightly), "answered" (what the film does not hold), "gave up"
    why: str = ""
    stray: tuple[str, ...] = ()  # citations of an answer that lie outside the true ranges

    @property
    def right(self) -> bool:
        """Return whether the answer is what a person who saw the film would accept."""
        return self.word in ("right", "declined")


def judge(question: Question, answer: Mapping[str, Any]) -> Verdict:
    """Return what `answer`, as `ask --json` prints it, is worth.

    The closest moments that an abstention names are no citations of an answer: they are not judged.
    """
    if question.kind == "not in the film":
        return Verdict("declined") if answer["abstained"] else Verdict("answered", "the film does not hold this")
    if answer["abstained"]:
        return Verdict("gave up", answer["reason"])
    stray = tuple(_strays(question, answer["citations"]))
    faults = [f"no word of {'/'.join(group)}" for group in question.keywords if not holds(answer["answer"], group)]
    faults += [] if answer["citations"] else ["cites nothing"]
    faults += _wrong_times(question, answer["answer"]) if question.names_time else []
    faults += ["cites what is not it"] if stray else []
    return Verdict("wrong" if faults else "right", "; ".join(faults), stray)


def passed(verdicts: Sequence[Verdict]) -> bool:
    """Return whether at most one is not right, nothing that the film does not hold was answered, no citation strays."""
    fair = all(verdict.word != "answered" and not verdict.stray for verdict in verdicts)
    return fair and sum(not verdict.right for verdict in verdicts) <= 1


def holds(text: str, words: Iterable[str]) -> bool:
    """Return whether one of `words` stands in `text` as a whole word; case and commas in numbers don't matter.

    >>> holds("The repairs cost 48,200 euros.", ["48200"])
    True
    """
    plain = re.sub(r"(?<=\d)[, ](?=\d{3}\b)", "", _TIMECODE.sub(" ", text).lower().replace("-", " "))
    return any(re.search(rf"(?<![\w.:]){re.escape(word)}(?!\w|[.:]\d)", plain) for word in words)


def within(start_s: float, end_s: float, ranges_s: Iterable[tuple[float, float]]) -> bool:
    """Return whether no moment of the stretch is farther from the ranges than the slack.

    >>> within(8, 15, [(10, 11), (14, 14)]), within(8, 15, [(10, 11)])
    (True, False)
    """
    reached_s, touched = start_s, False
    for low, high in sorted(ranges_s):
        if low - SLACK_S <= reached_s <= high + SLACK_S:
            reached_s, touched = max(reached_s, high + SLACK_S), True
    return touched and end_s <= reached_s


def _strays(question: Question, citations: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for citation in citations:
        if not within(citation["start_s"], citation["end_s"], question.ranges_s):
            yield f"{citation['start_s']:.1f}-{citation['end_s']:.1f} s ({citation['modality']})"


def _wrong_times(question: Question, text: str) -> list[str]:
    named = [int(h) * 3600 + int(m) * 60 + int(s) for h, m, s in _TIMECODE.findall(text)]
    if not named:
        return ["names no time"]
    # Timecodes are rounded down, so a true time may stand up to a second early.
    return [f"{at} s is not it" for at in named if not any(within(t, t, question.ranges_s) for t in (at, at + 1))]
