"""Lines read a second time, by a language model that can tell whether one answers, where there is such a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from hicom_agent.agent.confidence import log_odds
from hicom_agent.agent.evidence import Evidence
from hicom_agent.agent.plan import SubQuestion
from hicom_agent.agent.reading import READ_FROM
from hicom_agent.llm.text import Draft

LINES = 4  # read again; of the lines that answer, one in ninety comes later
# Of the log odds of both readings, and the constant: within a tenth of what benchmarks/words.py --fit-reader prints, a
# little stricter, since more of what a film does not hold is answered than the fit aims at.
WEIGHTS = (0.95, 0.49, -1.15)


@runtime_checkable
class LineReader(Protocol):
    """A language model that reads one line at a time."""

    def holds(self, question: str, line: str) -> float:
        """Return the log odds that the line holds the answer."""

    def extract(self, question: str, line: str) -> Draft | None:
        """Return the words of the line that answer, None if it holds none."""


def reread(sub: SubQuestion, pieces: Sequence[Evidence], reader: LineReader) -> list[Evidence]:
    """Return pieces of words with their support after a second reading, most surely first.

    Those where the wording points are read; of them, what does not come to be read is not believed.
    """
    fitting = sorted((piece for piece in pieces if piece.modality in sub.sources), key=lambda piece: -piece.support)
    read = [replace(p, support=join(p.support, reader.holds(sub.text, p.text))) for p in fitting[:LINES]]
    rest = [replace(piece, support=min(piece.support, READ_FROM - 0.01)) for piece in fitting[LINES:]]
    others = [piece for piece in pieces if piece.modality not in sub.sources]
    return sorted([*read, *rest, *others], key=lambda piece: -piece.support)


def join(support: float, held: float) -> float:
    """Return how surely a line answers, from what it shares with the question and what the model's log odds are.

    >>> join(0.6, 8.0) > 0.6 > join(0.6, 0.0)
    True
    """
    return 1 / (1 + math.exp(-(WEIGHTS[0] * log_odds(support) + WEIGHTS[1] * held + WEIGHTS[2])))
