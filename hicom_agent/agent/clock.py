"""Stretches of a film that a question names by the clock, or as its beginning, half or end."""

from __future__ import annotations

import re
from collections.abc import Callable

from hicom_agent.agent.evidence import ALWAYS, Window
from hicom_agent.agent.plan import names_nothing, understand
from hicom_agent.agent.whole import FILM
from hicom_agent.types import parse_time

AROUND_S = 3.0  # how far from a named moment what is seen "at" it may begin
EDGE = 0.1  # share of a film that is its beginning, or its end
EDGE_S = 10.0  # but at least
_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "forty-five": 45, "fifty": 50, "sixty": 60,
    "ninety": 90, "half a": 0.5,
}  # fmt: skip
_NUMBER = "|".join(sorted(_NUMBERS, key=len, reverse=True))
CLOCK = (
    r"(?:\d{1,3}(?::\d{2}){1,2}(?:\.\d+)?|\d+(?:\.\d+)? ?(?:s|secs?|seconds?|mins?|minutes?)\b"
    rf"|(?:{_NUMBER}) (?:seconds?|minutes?)\b)"
)


def read_clock(text: str, duration_s: float, counts: Callable[[str], bool]) -> tuple[Window, str]:
    """Return the stretch that a question names by the clock or by share of the film, and the question without it.

    A time past the end of the film is no time of the film, unless a picture is asked for; nor is one in a question
    that does not ask of the film, which `counts` tells of what is left: "Which train leaves at 9:30".

    >>> read_clock("What is written between 0:10 and 0:20", 60, lambda rest: True)
    ((10.0, 20.0), 'What is written')
    """
    for pattern, read in _STRETCHES:
        found = pattern.search(text)
        window = read(found, duration_s) if found else None
        if found and window is not None:
            rest = re.sub(r"\s+", " ", text[: found.start()] + text[found.end() :]).strip(" ,")
            inside = window[0] < duration_s and window[1] <= duration_s + AROUND_S
            sub = understand(rest)
            meant = inside or sub.sources == ("visual",) or names_nothing(sub)  # words may tell of other times
            if counts(rest) and meant:
                return window, rest
    return ALWAYS, text


def _seconds(text: str) -> float:
    """Return a time or a length in seconds.

    >>> _seconds("1:05"), _seconds("2 min"), _seconds("half a minute")
    (65.0, 120.0, 30.0)
    """
    text = f"1 {text}" if text.lower() in ("minute", "second") else text
    word = re.match(rf"({_NUMBER}) (?=[sm])", text, re.IGNORECASE)
    text = f"{_NUMBERS[word[1].lower()]} {text[word.end() :]}" if word else text
    number = re.match(r"\d+(?:\.\d+)?", text)
    if ":" in text or number is None:
        return parse_time(text)
    return float(number[0]) * (60.0 if "m" in text.lower() else 1.0)


def _two(found: re.Match[str], duration_s: float) -> Window | None:
    first, last = sorted((_seconds(found[1]), _seconds(found[2])))
    return (first, last) if first < last else None


def _edge(found: re.Match[str], duration_s: float) -> Window:
    length_s = max(EDGE_S, EDGE * duration_s)
    return (max(0.0, duration_s - length_s), duration_s) if found[1].lower() == "end" else (0.0, length_s)


def _share(found: re.Match[str], duration_s: float) -> Window:
    if found[2] == "half":
        middle_s = duration_s / 2
        return (0.0, middle_s) if found[1].lower() == "first" else (middle_s, duration_s)
    length_s = _seconds(found[2])
    if found[1].lower() == "second":
        return length_s, 2 * length_s
    return (0.0, length_s) if found[1].lower() == "first" else (max(0.0, duration_s - length_s), duration_s)


_STRETCHES = (
    (re.compile(rf"\b(?:between|from) ({CLOCK}) (?:and|to|until|till) ({CLOCK})", re.IGNORECASE), _two),
    (
        re.compile(rf"\b(?:after|since|from) (?:the first )?({CLOCK}|(?<=the first )minute\b)(?: on\b)?", re.I),
        lambda found, duration_s: (_seconds(found[1]), duration_s),
    ),
    (re.compile(rf"\b(?:before|until) ({CLOCK})", re.IGNORECASE), lambda found, duration_s: (0.0, _seconds(found[1]))),
    (
        re.compile(rf"\b(?:at|around) (?:about )?({CLOCK})(?: in(?:to the {FILM})?$)?", re.I),
        lambda found, duration_s: (max(0.0, _seconds(found[1]) - AROUND_S), _seconds(found[1]) + AROUND_S),
    ),
    (
        re.compile(
            r"(?:\b(?:in|during|within|of)|(?<=summari[sz]e)|(?<=describe)) the (first|last|second) "
            rf"({CLOCK}|half|minute|second)(?: of the {FILM})?",
            re.I,
        ),
        _share,
    ),
    (
        re.compile(
            rf"\b(?:at|in|near) the (?:very )?(beginning|start|end)\b(?: of the {FILM}|(?! of\b))", re.IGNORECASE
        ),
        _edge,
    ),
)
