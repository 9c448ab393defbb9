"""When in the film a question counts: first, last, before, after, between, clock times, which comes first. Rules.

Words of time are taken out of a question where they speak of the film ("What is said after the sign?"), and left where
they are part of what is asked for ("Which train leaves after nine?"). The times themselves come from the index.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from hicom_agent.agent.clock import CLOCK, read_clock
from hicom_agent.agent.evidence import ALWAYS, Pick, Window
from hicom_agent.agent.picks import COMES, FILMIC, SHOWN, STARTS_WITH_PICK, is_filmic, read_pick
from hicom_agent.agent.plan import understand
from hicom_agent.agent.whole import FILM

Relation = Literal["before", "after", "during"]
Claim = Literal["before", "after", "either"]

_TOLD = re.compile(  # "Is there a bench between the tree and the house?" asks of a place
    r"\b(?:sa(?:y|ys|id)|mention(?:s|ed)?|hear[sd]?|written|reads?|happens?|happened|shown|appears?|comes?)\b",
    re.IGNORECASE,
)
_TOLD_THERE = re.compile(r"\b(?:said|say|says|written|heard|hear|shown|seen?|happens?|read)\b", re.IGNORECASE)
_IS = re.compile(r"^(what|who|where|when|how)['\u2019]?s\b", re.IGNORECASE)
_NO_TIME = re.compile(  # "looks after", "more than once"
    r"\b(?:look(?:s|ed|ing)?|runs?|ran|running|go(?:es|ing)?|nam(?:e|es|ed)|takes?|chas(?:e|es|ing)|more than|only"
    r"|at least|just|ask(?:s|ed)?|called)$",
    re.IGNORECASE,
)
_NO_EVENT = re.compile(
    r"^(?:in\b|which|what|work|school|dinner|lunch|breakfast|noon|midnight|dark|half|quarter|\d"
    r"|(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b)",
    re.IGNORECASE,
)
_SOON = r"(?:(?:right|just|shortly|immediately|directly|soon|only) )?"
_ASKS_OF = r"(?:does|do|did|can) (?:the )?\w+ (?:mention|say|see|hear|show|talk about|speak of)"
_WHICH_FIRST = re.compile(
    rf"^(?:what|which|who)(?: (?:of (?:these|the two|them)|one|thing|event))?\s+"
    rf"(?:{COMES}|(?:is|was|are|were)(?: {SHOWN})?|{_ASKS_OF})"
    r"\s+(first|last|earlier|later|second)\s*[,:;]?\s+(?:in the \w+[,:]? )?(.+?),? or (.+)$",
    re.IGNORECASE,
)
_IS_BEFORE = re.compile(
    rf"^(?:does|do|did|is|are|was|were) (?!there\b)(.+?)(?: (?:{COMES}|{SHOWN}|be))* {_SOON}(before|after) (.+)$",
    re.IGNORECASE,
)
_BEFORE_OR_AFTER = re.compile(
    rf"^(?:does|do|did|is|are|was|were) (?!there\b)(.+?)(?: (?:{COMES}|{SHOWN}|be))*"
    r" (?:(?:before or after|after or before) (.+)|(?:before|after) (.+?),? or (?:before|after)(?: it| that| them)?)$",
    re.IGNORECASE,
)
_MEANWHILE = re.compile(  # "What is said while the rocket is shown?", "What is said then?"
    r"^(what (?:is|was|does|do|did|can)\b.*?),? (?:(?:while|during|(when|as)) (.+)|(?:then|meanwhile"
    r"|at (?:that|the same) (?:time|moment|point)))$",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"^(.*?),? ?\b(?:in )?between (.+?) and (.+)$", re.IGNORECASE)
_RELATED = re.compile(rf"^(.+?),? {_SOON}(before|after|until|once|following) (.+)$", re.IGNORECASE)
_RELATED_AHEAD = re.compile(rf"^{_SOON}(before|after|until|once|following) (.+?), (.+)$", re.IGNORECASE)
_TELLS = re.compile(  # "before she talks about the train"
    r"^(?:(?:she|he|they|someone|somebody|the (?:narrator|speaker|voice|man|woman|lady)) )?"
    r"(?:(?:talk|speak)(?:s|ed|ing)? (?:about|of)|spoke (?:about|of)|mention(?:s|ed|ing)?) ",
    re.IGNORECASE,
)
_TAIL = re.compile(
    rf"(?:,? (?:in|of) the {FILM}| (?:is|was|are|were|has been|have been)(?: \w+)? (?:gone|over|finished)"
    rf"| (?:is|was|are|were|has been|have been) {SHOWN}| {COMES}(?: up)?| {SHOWN})$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Anchor:
    """Something in the film that says when to look."""

    relation: Relation
    text: str

    @property
    def is_answer_before(self) -> bool:
        """Return whether this speaks of what the part of the question before it asked for."""
        return self.text.lower() in ("that", "this", "it", "then", "them")


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that is asked, without its words of time."""

    text: str
    asked: str = ""  # with them
    window: Window = ALWAYS  # named in the question
    anchors: tuple[Anchor, ...] = ()
    pick: Pick = ""  # of several moments only this
    rivals: tuple[str, str] | None = None  # which of these comes first, or last
    claim: Claim | None = None  # whether the first of the rivals comes before the other, or after, or which of both


def read_task(question: str, duration_s: float) -> Task:
    """Return what `question` asks and when in a film of this length it counts.

    >>> read_task("What is said after the boat rental sign?", 60).anchors
    (Anchor(relation='after', text='the boat rental sign'),)
    >>> read_task("Which train leaves after nine?", 60).anchors
    ()
    """
    text = re.sub(r"\s+", " ", question).strip(" ?!.")
    text = _IS.sub(r"\1 is", text)
    asked = text
    order = _read_order(text)
    if order is not None:
        return order
    window, text = read_clock(text, duration_s, asks_of_film)
    anchors, text = _read_anchors(text)
    pick, text = read_pick(text)
    return Task(text, asked, window, anchors, pick)


def _read_order(text: str) -> Task | None:
    found = _WHICH_FIRST.match(text)
    if found:
        word, one, other = found.groups()
        pick: Pick = "first" if word.lower() in ("first", "earlier") else "last"
        return Task(text, text, pick=pick, rivals=(_event(one), _event(other)))
    found = _BEFORE_OR_AFTER.match(text)
    if found:
        return Task(text, text, rivals=(_event(found[1]), _event(found[2] or found[3])), claim="either")
    found = _IS_BEFORE.match(text)
    if found and _is_event(found[3]) and not re.search(CLOCK, found[3]) and not _NO_TIME.search(found[1]):
        claim: Claim = "before" if found[2].lower() == "before" else "after"
        return Task(text, text, rivals=(_event(found[1]), _event(found[3])), claim=claim)
    return None


def _read_anchors(text: str) -> tuple[tuple[Anchor, ...], str]:
    found = _BETWEEN.match(text)
    if found and _TOLD.search(found[1]) and _is_event(found[2]) and _is_event(found[3]):
        return (Anchor("after", _event(found[2])), Anchor("before", _event(found[3]))), found[1]
    found = _MEANWHILE.match(text)
    event = found[3] or "then" if found else ""  # "when it rains" is part of what is told
    if found and _TOLD_THERE.search(found[1]) and _is_event(event) and (not found[2] or FILMIC.search(event)):
        return (Anchor("during", _event(event)),), found[1]
    ahead = _RELATED_AHEAD.match(text)
    found = _RELATED.match(text)
    main, word, event = (
        (ahead[3], ahead[1], ahead[2]) if ahead else (found[1], found[2], found[3]) if found else ("",) * 3
    )
    if not main or not _is_event(event) or not is_filmic(main) or _NO_TIME.search(main):
        return (), text
    if word.lower() == "once" and len(event.split()) < 3:
        return (), text
    relation: Relation = "before" if word.lower() in ("before", "until") else "after"
    return (Anchor(relation, _event(event)),), main


def asks_of_film(main: str) -> bool:
    """Tell whether a question is about what is in the film and when, not about what is told in it.

    >>> asks_of_film("When is the exam mentioned?"), asks_of_film("When is the exam?")
    (True, False)
    """
    sub = understand(main)
    return bool(FILMIC.search(main)) or sub.kind in ("count", "how long", "outline") or sub.sources == ("visual",)


def _is_event(text: str) -> bool:
    return len(text) > 1 and _NO_EVENT.match(text) is None


def _event(text: str) -> str:
    """Return a thing or happening without the words that only say that it is in the film.

    >>> _event("the bus is seen"), _event("the sign in the film")
    ('the bus', 'the sign')
    """
    before, text = "", _TELLS.sub("", text)
    while before != text:
        before, text = text, _TAIL.sub("", text).strip(" ,")
    return text or before


def narrow(window: Window, relation: Relation, start_s: float, end_s: float) -> Window:
    """Return the part of `window` before the stretch begins, after it ends, or in which it lies.

    >>> narrow((0, 60), "after", 10, 20), narrow((0, 60), "before", 10, 20)
    ((20, 60), (0, 10))
    """
    if relation == "before":
        return window[0], min(window[1], start_s)
    if relation == "during":
        return max(window[0], start_s), min(window[1], end_s)
    return max(window[0], end_s), window[1]


def anchor_question(text: str) -> tuple[str, Pick]:
    """Return the question that finds an anchor, and which of its moments is meant.

    >>> anchor_question("the last card")
    ('When is the card', 'last')
    """
    pick, rest = read_pick(f"{text} shown") if STARTS_WITH_PICK.match(text) else ("", text)
    return f"When is {_event(rest)}", pick
