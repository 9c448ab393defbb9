"""What the index itself knows of a film: how long it is, and in how many clips."""

from __future__ import annotations

import re

from hicom_agent.agent.compose import Partial
from hicom_agent.agent.evidence import Evidence
from hicom_agent.agent.film import Film
from hicom_agent.agent.whole import FILM
from hicom_agent.types import timecode

_THE_FILM = rf"(?:the|this|that|my) (?:whole |entire )?{FILM}"
_LENGTH = re.compile(
    rf"^how (?:long|many (?:seconds|minutes|hours)(?: long)?) (?:is|does|has) {_THE_FILM}"
    r"(?: (?:long|last|run|take|have|in all))?$"
    rf"|^(?:what is the )?(?:length|duration|running time|runtime)(?: of {_THE_FILM})?(?: in (?:seconds|minutes))?$",
    re.IGNORECASE,
)
_CLIPS = re.compile(
    rf"^(?:in(?:to)? )?how many (?:clips|shots|scenes)"
    rf"(?: (?:are there|are|does {_THE_FILM} have|is {_THE_FILM} cut into))?(?: in {_THE_FILM})?$",
    re.IGNORECASE,
)


def asks_fact(question: str) -> bool:
    """Tell whether a question asks of the film as a file.

    >>> asks_fact("How long is the video?"), asks_fact("How long is the bridge?")
    (True, False)
    """
    text = question.strip(" ?!.")
    return _LENGTH.match(text) is not None or _CLIPS.match(text) is not None


def find_fact(question: str, film: Film) -> Partial:
    """Return the answer to such a question; the whole film is cited, if it has pictures."""
    if _LENGTH.match(question.strip(" ?!.")):
        told = f"{timecode(film.row.duration_s)} ({film.row.duration_s:.1f} seconds)"
    else:
        num = len(film.clips)
        told = f"{num} clip{'' if num == 1 else 's'}, as scene detection splits it"
    used = [Evidence(film.video_id, "visual", 0.0, film.row.duration_s, 1.0, "", f.shown_by) for f in film.frames[:1]]
    return Partial(told, 1.0, tuple(used), how="listed")
