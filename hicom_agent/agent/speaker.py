"""Who is speaking, from what speakers say of themselves: "My name is Martha"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hicom_agent.agent.compose import Partial
from hicom_agent.agent.evidence import Evidence

_I = re.IGNORECASE
_SPEAKER = r"(?:speaker|narrator|presenter|host|moderator)"
_ASKS = re.compile(
    rf"(?:and )?(?:who(?: is|['\u2019]s| was) (?:speaking|talking|(?:the|this) {_SPEAKER})"
    rf"|(?:what(?: is|['\u2019]s| was) )?(?:the )?name of the {_SPEAKER}"
    rf"|(?:what(?: is|['\u2019]s| was) )?(?:her|his|the {_SPEAKER}['\u2019]s) name"
    rf"|what(?: is|['\u2019]s| was) (?:the {_SPEAKER}|she|he) called)",
    _I,
)
_NAME = r"([A-Z][^\W\d_]+(?: [A-Z][^\W\d_]+)*)"
_SAYS = re.compile(
    rf"\b(?i:my name is|my name['\u2019]s|i am called|i['\u2019]m called)\s+{_NAME}"
    rf"|\b(?:I am|I['\u2019]m) {_NAME}(?=[,.])"
)
SURE = 0.9


def asks_speaker(question: str) -> bool:
    """Tell whether a question asks for the name of whoever speaks.

    >>> asks_speaker("Who is the narrator?"), asks_speaker("What is the name of the cat?")
    (True, False)
    """
    return _ASKS.fullmatch(question.strip(" ?!.")) is not None


def name_speaker(said: Sequence[Evidence]) -> Partial | None:
    """Return how the first speaker who says a name of their own is called; None if nobody does."""
    for piece in said:
        found = _SAYS.search(piece.text)
        if found:
            return Partial(found[1] or found[2], SURE, (piece,), how="chosen")
    return None
