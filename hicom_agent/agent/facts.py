"""What the index itself knows of a film: how long it is, and in how many clips."""

from __future__ import annotations

import re

from hicom_agent.agent.clock import FILM
from hicom_agent.agent.compose import Partial
from hicom_agent.agent.evidence import Evidence
from hicom_agent.agent.film import Film
from hicom_agent.types import timecode

_THE_FILM = rf"(?:the|this|that|my) (?:whole |entire )?{FILM}"
_LENGTH = re.compile(
    rf"^how (?:long|many (?:seconds|minutes|hours)(?: long)?) (?:is|does|has) {_THE_FILM}"
    r"(?: (?:long|last|run|take|have|in all))?$"
    rf"|^what is the (?:length|duration|running time|runtime) of {_THE_FILM}$",
    re.IGNORECASE,
)
_CLIPS = re.compile(
    rf"^(?:in(?:to)? )?how many (?:clips|shots|scenes|cuts)"
    rf"(?: (?:are there|are|does {_THE_FILM} have|is {_THE_FILM} cut into))?(?: in {_THE_FILM})?$",
    re.IGNORECASE,
)


def find_fact(question: str, film: Film) -> Partial | None:
    """Return the answer to a question about the film as a file, None to any other; the whole film is cited."""
    text = question.strip(" ?!.")
    if _LENGTH.match(text):
        told = f"{timecode(film.row.duration_s)} ({film.row.duration_s:.1f} seconds)"
    elif _CLIPS.match(text):
        num = len(film.clips)
        told = f"{num} clip{'' if num == 1 else 's'}, as scene detection splits it"
    else:
        return None
    shown = film.frames[0].shown_by if film.frames else -1
    whole = Evidence(film.video_id, "visual" if film.frames else "speech", 0.0, film.row.duration_s, 1.0, "", shown)
    return Partial(told, 1.0, (whole,), how="listed")
