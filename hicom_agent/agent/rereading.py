"""Lines read a second time, by a language model that can tell whether one answers, where there is such a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from hicom_agent.agent.evidence import Evidence
from hicom_agent.agent.plan import SubQuestion
from hicom_agent.agent.reading import READ_FROM, Weights, join
from hicom_agent.llm.spans import has_kind
from hicom_agent.llm.text import Draft

LINES = 6  # read again; of the lines that answer, one in seventy comes after four
LEAST = 0.02  # support from which a line is read again, as the best always is: below it none came to be believed
# Of the log odds of both readings, and the constant: benchmarks/words.py --fit-reader
HOLDS = (0.76, 0.68, -2.94)  # whether a line holds the answer
ABOUT = (0.99, 0.9, 1.13)  # whether it is about a thing; the constant 0.3 stricter, for what the set lacks


@runtime_checkable
class LineReader(Protocol):
    """A language model that reads one line at a time."""

    def holds(self, question: str, line: str) -> float:
        """Return the log odds that the line holds the answer."""

    def is_about(self, thing: str, line: str) -> float:
        """Return the log odds that the line is about a thing."""

    def extract(self, question: str, line: str) -> Draft | None:
        """Return the words of the line that answer, None if it holds none."""


def reread(sub: SubQuestion, pieces: Sequence[Evidence], reader: LineReader) -> list[Evidence]:
    """Return pieces of words by how surely they hold the answer after a second reading, most surely first.

    Those where the wording points are read; of them, what does not come to be read is not believed.
    """
    return _reread(sub, pieces, lambda line: reader.holds(sub.text, line), HOLDS)


def reread_mentions(sub: SubQuestion, pieces: Sequence[Evidence], reader: LineReader) -> list[Evidence]:
    """Return the same by how surely they are about the thing that a question asks the time of."""
    return _reread(sub, pieces, lambda line: reader.is_about(sub.thing, line), ABOUT)


def _reread(
    sub: SubQuestion, pieces: Sequence[Evidence], read: Callable[[str], float], weights: Weights
) -> list[Evidence]:
    fitting = sorted((piece for piece in pieces if piece.modality in sub.sources), key=lambda piece: -piece.support)
    num = max(1, sum(piece.support >= LEAST for piece in fitting[:LINES]))
    again = [replace(piece, support=join(piece.support, read(piece.spelled_out), weights)) for piece in fitting[:num]]
    rest = [replace(piece, support=min(piece.support, READ_FROM - 0.01)) for piece in fitting[num:]]
    others = [piece for piece in pieces if piece.modality not in sub.sources]
    return sorted([*again, *rest, *others], key=lambda piece: -piece.support)


def reread_times(
    sub: SubQuestion, mentions: Sequence[Evidence], facts: Sequence[Evidence], reader: LineReader
) -> list[Evidence]:
    """Return pieces of words for a question that asks when, most surely first.

    `mentions` are lines by how surely they are about it, `facts` the same by how surely they answer. Of those that
    name a time the second reading counts: "When is the exam?" is not answered by the time of another thing. Where one
    answers, a mere mention comes after it.
    """
    told = [piece for piece in facts if has_kind(piece.text, sub.text)]
    read = reread(sub, told, reader)
    best = max((piece.support for piece in read), default=0.0)
    most = best - 0.01 if best >= READ_FROM else 1.0
    known = {(piece.modality, piece.index) for piece in told}
    rest = [p for p in mentions if (p.modality, p.index) not in known]
    return sorted([*read, *(replace(p, support=min(p.support, most)) for p in rest)], key=lambda piece: -piece.support)
