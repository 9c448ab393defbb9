"""What opens and what closes a film, in the words that other rules read: "What is the closing line?" asks the last."""

from __future__ import annotations

import re

from hicom_agent.agent.whole import FILM

_I = re.IGNORECASE
_FIRST = r"begin(?:s|ning)?|starts?|opens?"
_LAST = r"ends?|finish(?:es)?|close[sd]?|concludes?"
_TURNS = rf"({_FIRST}|{_LAST})"
_PIECE = (
    r"(?:lines?|sentences?|words?|remarks?|statements?|texts?|titles?|cards?|captions?|signs?|slides?|scenes?|shots?)"
)
_UTTERED = r"(?:line|sentence|word|remark|statement)"
_SPEECH = r"(?:(?:the|this|her|his|their) )?(?:speech|talk|narration|narrator|speaker|voice(?:-?over)?|commentary)"
_TOLD = r"(?:said|spoken|written|mentioned|told|heard|say|hear|read|mention|tell)"
_FRONT = re.compile(rf"(?<=\bthe )(?:(opening|introductory)|closing|concluding) (?!signs?\b)(?={_PIECE}\b)", _I)
_FILM_TURNS = re.compile(rf"(?:how|with what) (?:does|did|do) (?:the|this) {FILM} {_TURNS}", _I)
_FILM_TURNS_WITH = re.compile(rf"what (?:does|did) (?:the|this) {FILM} {_TURNS} with", _I)
_SPEECH_TURNS = re.compile(
    rf"(?:how (?:does|did) {_SPEECH} {_TURNS}|what (?:does|did) (?:{_SPEECH}|she|he) {_TURNS} (?:with|by saying))", _I
)
_PIECE_TURNS = re.compile(rf"(?:which|what) ({_PIECE}) {_TURNS} (?:the|this) {FILM}", _I)
_SIMPLE = r"(?:(?!\b(?:when|who|which|that|while|where)\b).)*?"
_TOLD_AT = re.compile(
    rf"(?P<asked>what\b{_SIMPLE}\b{_TOLD})"
    rf" (?:(?:right )?(?:at|in) the (?:very )?{_TURNS}(?: of (?:the|this) {FILM})?"
    r"|(?P<first>to (?:begin|start) with|at first|initially)|finally|lastly|in the end)",
    _I,
)


def name_edges(plain: str) -> str:
    """Return a question without its end mark, asking for the first or the last where it asks what opens or closes.

    >>> name_edges("What is the closing line"), name_edges("How does the film end")
    ('What is the last line', 'What happens last')
    >>> name_edges("What is said at the very end"), name_edges("Which sentence opens the film")
    ('What is said last', 'Which sentence is said first')
    >>> name_edges("What time is the opening of the shop")
    'What time is the opening of the shop'
    """
    if found := _FILM_TURNS.fullmatch(plain) or _FILM_TURNS_WITH.fullmatch(plain):
        return f"What happens {_place(found[1])}"
    if found := _SPEECH_TURNS.fullmatch(plain):
        return f"What is said {_place(found[1] or found[2])}"
    if found := _PIECE_TURNS.fullmatch(plain):
        are = "are" if found[1].lower().endswith("s") else "is"
        told = "said" if re.match(_UTTERED, found[1], _I) else "shown"
        return f"Which {found[1]} {are} {told} {_place(found[2])}"
    if found := _TOLD_AT.fullmatch(plain):
        return f"{found['asked']} {'first' if found['first'] else _place(found[2] or 'end')}"
    return _FRONT.sub(lambda front: "first " if front[1] else "last ", plain)


def _place(verb: str) -> str:
    return "first" if re.fullmatch(_FIRST, verb, _I) else "last"
