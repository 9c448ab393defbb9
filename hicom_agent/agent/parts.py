"""The parts of a compound question, each a question by itself. Rules, no model."""

from __future__ import annotations

import re

from hicom_agent.agent.picks import SHOWN
from hicom_agent.agent.plain import put_plainly
from hicom_agent.agent.plan import ASKING
from hicom_agent.agent.whole import FILM

_SPLIT = re.compile(
    rf"[,;]?\s+(?:and|or)\s+(?:also\s+)?(?=(?:(?:at|by|for|from|in|on|to|with)\s+)?{ASKING}\b)|\?\s+(?=\w)",
    re.IGNORECASE,
)
_LISTED = re.compile(
    rf", (?={ASKING} (?!{ASKING}\b))(?!(?:when|where|which|who)\b (?:the|an?|it|they|he|she)\b)", re.IGNORECASE
)
_IN_FILM = re.compile(rf" in (?:the|this|that) {FILM}$", re.IGNORECASE)
_ONE = r"(?:an?|the|any) [\w-]+(?: [\w-]+)?"
_IS_THERE = r"(?:is|are|was|were) there|(?:do|can) (?:we|you) see"
_EITHER = re.compile(rf"^({_IS_THERE}) ({_ONE}),? or ({_ONE})$", re.IGNORECASE)
_SHOWN = rf"(?:{SHOWN}|appears?)"
_NAMED = rf"(?:an?|the|any) [\w-]+(?: (?!{_SHOWN}\b)[\w-]+)?"
_WHEN = r"(?:when|how often|how many times|(?:for )?how long)"
_TWO_THINGS = re.compile(  # "When is the bus seen, and the red car?": the same is asked of both
    rf"(?P<asking>{_WHEN} (?:do|does|did|can) (?:we|you|they|i) (?:see|hear)|{_IS_THERE}"
    rf"|(?P<shown>{_WHEN} (?:is|are|was|were|does|do|did)))"
    rf" (?P<one>{_NAMED})(?P<rest>(?(shown) {_SHOWN}))"
    rf"(?:,? and (?:what|how) about|, and)(?: also)? (?P<other>{_NAMED})",
    re.IGNORECASE,
)


def split_question(question: str) -> list[str]:
    """Return the parts of a compound question, in order and put plainly; a single question is its own only part.

    >>> split_question("When does the bus come, and what is written on it?")
    ['When does the bus come', 'what is written on it?']
    >>> split_question("When is the bus seen, and the red car?")
    ['When is the bus seen', 'When is the red car seen']
    """
    question = put_plainly(question)
    plain = question.strip(" ?!.")
    if either := _EITHER.match(_IN_FILM.sub("", plain)):
        return [f"{either[1]} {either[2]}", f"{either[1]} {either[3]}"]
    if two := _TWO_THINGS.fullmatch(plain):
        return [f"{two['asking']} {name}{two['rest']}" for name in (two["one"], two["other"])]
    parts = [part.strip(" ,;") for part in _SPLIT.split(question)]
    if len(parts) > 1:  # then a comma before another question word parts as well
        parts = [piece for part in parts for piece in _LISTED.split(part)]
    return [put_plainly(part) for part in parts if len(part.split()) >= 2] or [question]
