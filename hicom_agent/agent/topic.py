"""What is said, or written, about a thing: the lines that are about it, in their own words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hicom_agent.agent.compose import Partial
from hicom_agent.agent.evidence import Evidence
from hicom_agent.agent.operators import quote_each
from hicom_agent.agent.reading import READ_FROM
from hicom_agent.types import Modality

MAX_QUOTED = 3  # lines
NEAR_BEST = 0.7  # share of the best line's support that another needs
_ABOUT = re.compile(
    r"(?:and )?what (?:else )?(?:(?:is|was|gets) (?:being )?(?:said|told|written|mentioned)"
    r"|(?:do|does|did|can) (?:the )?[\w-]+ (?:say|tell (?:us|me)|learn|hear|read|write|explain|mention|know))"
    r" (?:about|of|regarding|concerning) (.+)",
    re.IGNORECASE,
)


def asks_topic(question: str) -> str:
    """Return what a question wants to hear about, or nothing.

    >>> asks_topic("What does the narrator say about the ferry?"), asks_topic("What does she say?")
    ('the ferry', '')
    """
    found = _ABOUT.fullmatch(question.strip(" ?!."))
    return found[1] if found else ""


def quote_lines(pieces: Sequence[Evidence], sources: Sequence[Modality]) -> Partial:
    """Return the lines that are surely about a thing, in time order; declined where none is."""
    fitting = sorted((p for p in pieces if p.modality in sources), key=lambda p: -p.support)
    if not fitting or fitting[0].support < READ_FROM:
        return Partial("", 1 - (fitting[0].support if fitting else 0.0), tuple(fitting[:MAX_QUOTED]), "not seen")
    low = max(READ_FROM, NEAR_BEST * fitting[0].support)
    used = tuple(sorted((p for p in fitting[:MAX_QUOTED] if p.support >= low), key=lambda p: p.start_s))
    return Partial(quote_each(used), fitting[0].support, used, how="quoted")
