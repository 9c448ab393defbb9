"""Which of several moments is meant: the first, the second, ... the last. Rules over words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hicom_agent.agent.evidence import PLACES, Pick
from hicom_agent.agent.plan import names_nothing, understand
from hicom_agent.agent.whole import is_thing_alone

FILMIC = re.compile(
    r"\b(?:sa(?:y|ys|id)|tells?|told|mention(?:s|ed)?|speaks?|spoken|talks?|hear[sd]?|written|read[s]?|shown?|shows|"
    r"se(?:e|en|es)|appears?|appeared|visible|comes?|came|happens?|happened|next|there|look(?:s|ed)? like|on[- ]screen|"
    r"on the screen|film|video|clip|footage|titles?|captions?|signs?|cards?|slides?|subtitles?|scenes?)\b",
    re.IGNORECASE,
)
SHOWN = r"(?:shown|seen|said|written|mentioned|visible|heard|on (?:the )?screen|in view|introduced)"
COMES = r"(?:comes?|came|appears?|appeared|happens?|happened|occurs?|shows? up|starts?)"
_PLACE = r"(first|last|final)"
_TIME_PICK = re.compile(rf"\s*\b(?:for|at) the (?:very )?{_PLACE} (?:time|moment)\b", re.IGNORECASE)
_SHOWABLE = r"time|moment|things?|words?|texts?|titles?|lines?|sentences?|signs?|cards?|slides?|captions?|scenes?"
_PICK = re.compile(
    rf"\b(?:very )?{_PLACE}\b"
    rf"(?= (?:{_SHOWABLE}|{SHOWN}|{COMES}|visible|mention|appearance|appear|shown|come)\b)",
    re.IGNORECASE,
)
_PICK_LAST_WORD = re.compile(r" (?:very )?(first|last)(?:\s+in the film)?$", re.IGNORECASE)
_PICK_THING = re.compile(
    rf"(?<=\bthe )(?:very )?{_PLACE} (?=\w+ (?:is |was |be )?(?:seen|shown|visible|appear))", re.IGNORECASE
)
_PICKS = (_TIME_PICK, _PICK, _PICK_THING, _PICK_LAST_WORD)
_NTH = r"(second|third|fourth|fifth)"
_NTH_TIME = re.compile(rf"\s*\b(?:(?:for|at) the|the|a) {_NTH} (?:time|moment)\b", re.IGNORECASE)
_NTH_CARD = re.compile(
    rf"(?<!what )(?<!which )\b{_NTH} (?=(?:titles?|signs?|cards?|slides?|captions?)\b(?! (?:of|on|in)\b))",
    re.IGNORECASE,
)
_NTH_SEEN = re.compile(rf"(?<=\bthe ){_NTH} (?!floor|class|hand|half|person|row|world|wall|party|of\b|to\b)(?=[a-z])")
STARTS_WITH_PICK = re.compile(rf"(?:the )?(?:very )?(?:{_PLACE}|{_NTH})\b", re.IGNORECASE)
_PICK_SEEN = re.compile(rf"(?<=\bthe )(?:very )?{_PLACE} (?=\w)", re.IGNORECASE)  # of what can only be seen


def read_pick(text: str) -> tuple[Pick, str]:
    """Return which of several moments is meant, and the text without that word.

    >>> read_pick("When is a car seen for the last time"), read_pick("Who won the first prize")
    (('last', 'When is a car seen'), ('', 'Who won the first prize'))
    >>> read_pick("What does the second card say"), read_pick("What is the second thing you need")
    (('second', 'What does the card say'), ('', 'What is the second thing you need'))
    """
    sub = understand(text)
    only_seen = (sub.kind, sub.sources) == ("when", ("visual",))
    found = _search((*_PICKS, _PICK_SEEN) if only_seen else _PICKS, text)
    if found is None:
        return _read_nth(text, only_seen=only_seen)
    if found.re is _PICK_LAST_WORD and not is_filmic(text):
        return "", text
    word = next(word for word in found.groups() if word)
    return ("first" if word.lower() == "first" else "last"), _without(found, text)


def _read_nth(text: str, *, only_seen: bool) -> tuple[Pick, str]:
    """Return the same of second to fifth, where nothing else can be meant."""
    found = _search((_NTH_TIME, _NTH_CARD, _NTH_SEEN) if only_seen else (_NTH_TIME, _NTH_CARD), text)
    if found is None or len(re.findall(_NTH, text)) > 1:
        return "", text
    rest = _without(found, text)
    sub = understand(rest)
    if sub.kind in ("open", "outline") and not names_nothing(sub):
        return "", text
    return next(place for place in PLACES if place == found[1].lower()), rest


def _search(patterns: Iterable[re.Pattern[str]], text: str) -> re.Match[str] | None:
    return next((match for pattern in patterns if (match := pattern.search(text))), None)


def _without(found: re.Match[str], text: str) -> str:
    return re.sub(r"\s+", " ", f"{text[: found.start()]} {text[found.end() :]}").strip(" ,")


def is_filmic(main: str) -> bool:
    """Return whether the words before "after" ask of the film, and not of what is told in it."""
    return bool(FILMIC.search(main)) or (understand(main).kind != "open" and not is_thing_alone(main))
