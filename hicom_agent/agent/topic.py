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

_CARD = r"(?:signs?|cards?|notices?|labels?|posters?|banners?|captions?|(?:notice|bulletin|score)boards?|plaques?)"
_LIST = r"(?:recipes?|menus?|time ?tables?|price lists?|schedules?|programmes?)"
_NAME = (  # of a card: neither its place among others, nor what only stands near it
    r"(?!(?:first|second|third|fourth|fifth|last|next|title|end|same|other|previous|following|opening|closing|top|bottom"
    r"|left|right|new|credit|playing|memory|post|with|holding|on|of|in|at|by|and|a|an|the|text|words?)\b)[\w-]+ "
)
_ON_CARD = re.compile(
    r"(?:(?:and )?what (?:else )?(?:(?:is|was|are|stands?) (?:written |printed |listed )?on|(?:do|does|did))|describe"
    r"|(?:please )?read(?: out| aloud)?|quote) (?:the|that|this)"
    rf" (?:((?:{_NAME}){{1,3}}){_CARD}|((?:{_NAME}){{0,2}}{_LIST}))"
    r"(?: (?:say|tell|read|show|list)(?: us| me)?)?(?: aloud| out)?",
    re.IGNORECASE,
)


def asks_topic(question: str) -> str:
    """Return what a question wants to hear about or to have read out, or nothing.

    >>> asks_topic("What does the narrator say about the ferry?"), asks_topic("What does she say?")
    ('the ferry', '')
    >>> asks_topic("What is written on the ferry sign?"), asks_topic("Read out the recipe")
    ('the ferry', 'the recipe')
    """
    question = question.strip(" ?!.")
    if found := _ABOUT.fullmatch(question):
        return found[1]
    card = _ON_CARD.fullmatch(question)
    return f"the {(card[1] or card[2]).strip()}" if card else ""


def quote_lines(pieces: Sequence[Evidence], sources: Sequence[Modality]) -> Partial:
    """Return the lines that are surely about a thing, in time order; declined where none is."""
    fitting = sorted((p for p in pieces if p.modality in sources), key=lambda p: -p.support)
    if not fitting or fitting[0].support < READ_FROM:
        return Partial("", 1 - (fitting[0].support if fitting else 0.0), tuple(fitting[:MAX_QUOTED]), "not seen")
    low = max(READ_FROM, NEAR_BEST * fitting[0].support)
    used = tuple(sorted((p for p in fitting[:MAX_QUOTED] if p.support >= low), key=lambda p: p.start_s))
    return Partial(quote_each(used), fitting[0].support, used, how="quoted")
