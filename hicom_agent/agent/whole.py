"""Wordings that ask of a film as a whole: what it holds, all that is said, whether anything is; and of plain wishes.

Patterns alone. Each stands for a whole question, so that "When is the overview map shown?" asks of no overview.
"""

from __future__ import annotations

import re

from hicom_agent.llm.kinds import asked_kinds
from hicom_agent.types import Modality

FILM = r"(?:film|video|clip|footage|movie|recording)"
_I = re.IGNORECASE
_PLEASE = r"(?:please )?(?:(?:can|could|would|will) you )?(?:please )?"
_FILM = (
    r"(?:(?:the|this|that|my|these|those) )?(?:whole |entire )?"
    rf"(?:{FILM}|scene|picture)s?"
)
_WHERE = rf"(?: (?:in|of|on|during) {_FILM}| here| at all)?"
_SUMMARY = r"(?:summary|synopsis|overview|outline|gist)"
_OUTLINES = (
    rf"{_PLEASE}(?:summari[sz]e|sum up)"
    rf"(?: {_FILM}| it| this| what (?:happens|is (?:said|shown|seen|written)))?{_WHERE}",
    rf"(?:{_PLEASE}(?:give|tell|show|write|make)(?: me| us)? )?(?:(?:an?|the) )?(?:\w+ )?{_SUMMARY}(?: of {_FILM})?",
    rf"what is the (?:\w+ )?{_SUMMARY}(?: of {_FILM})?",
    rf"{_PLEASE}(?:describe|tell (?:me|us)(?: all)? about)(?: what happens in)? {_FILM}",
    rf"what(?:'s| is| was)?(?: being)? (?:happen(?:s|ed|ing)?|goes on|going on|went on){_WHERE}",
    rf"what(?:'s| is| are) (?:{_FILM}|this|it)(?: all)? about",
    rf"what(?:'s| is) (?:this|{_FILM})",
    r"what (?:comes?|came|follows?|followed|is)(?: (?:up )?next)?(?<!is)",
    rf"what (?:does|do) {_FILM} (?:show|contain|hold)",
    rf"what(?:(?: kinds? of| sorts? of)? (?:objects?|things?))?(?: all)?"
    rf" (?:is|are|was|were|can be|could be)(?: there)?(?: being)?(?: seen| visible| shown)?(?: in {_FILM}| here)?",
    rf"what(?:(?: kinds? of| sorts? of)? (?:objects?|things?))? (?:do|can|could|did) (?:you|we|one|I) see{_WHERE}",
)
_NO_OUTLINES = r"what(?:'s| is| are| was| were)?(?: (?:the )?(?:objects?|things?))?(?: (?:is|are|was|were))?(?: there)?"
_OUTLINE = re.compile(rf"(?!(?:{_NO_OUTLINES})$)(?:{'|'.join(_OUTLINES)})$", _I)
_TRANSCRIPT = re.compile(
    rf"(?:{_PLEASE}(?:give|show|tell|read|print|list)(?: me| us)? )?(?:(?:the|a|whole|full|complete) )*"
    rf"(?:transcript|transcription|(?:everything|all)(?: that)?(?: is| was|'s| gets)?(?: being)? said){_WHERE}",
    _I,
)
_ASKED_OF_ANY = (
    r"(?:is|are|was|were|does|do|did|can|when|at what times?|how (?:long|often|many times))"
    r"(?: (?:is|are|was|were|does|do|did))?(?: (?:there|you hear|we hear))?"
)
_ANYBODY = r"(?:any ?one|any ?body|some ?one|some ?body|a person|people|they|anything|something|a voice|voices)"
_ANY_SAID = re.compile(
    rf"{_ASKED_OF_ANY}(?: any)?"
    rf"(?: {_ANYBODY}(?: being)? (?:speaks?|speaking|talks?|talking|said|heard|says? (?:any|some)thing)"
    rf"| (?:speech|talking|narration|dialogue|voices?|spoken words?)(?: heard)?){_WHERE}",
    _I,
)
_ANY_WRITTEN = re.compile(
    rf"{_ASKED_OF_ANY}(?: any| some)?"
    rf"(?: (?:anything|something)(?: being)? (?:written|to read)| (?:text|writing|words|captions|subtitles))"
    rf"(?: (?:written|shown|visible|seen|appear|to read))?(?: on (?:the |a )?screen)?{_WHERE}",
    _I,
)
_FIND = re.compile(
    rf"(?!.*\b(?:out|how|who|where|why|which|what|when|if)\b){_PLEASE}(?:find|show|search for|look for|locate) "
    rf"|(?:{_PLEASE}(?:give|tell|list|get|find|show)(?: me| us)? )?(?:all |the |every )*"
    r"(?:times?|timestamps?|moments?|scenes|clips|occurrences|appearances) (?:of|with|when|where|in which) ",
    _I,
)
_THING = re.compile(r"(?:(?:an?|the) )?[a-z-]{3,}(?: [a-z-]{3,}){0,1}", re.ASCII)
_NO_THING = re.compile(
    r"(?:thanks|thank|hello|hey|okay|yes|continue|more|next|again|please|help|stop|start|translate|tell|explain|why|how"
    r"|with|by|from|to|for|about|at|in|on|whom|what|when|where|who|which|whose|and|but|then|is|are|was|were|does|did|can|could)\b"
)
_DONE = (  # as the last word: where something is done
    r"(?:\w{3,}ed|(?!building|painting|drawing|wedding|meeting|ceiling|ring|king|wing|string)\w+ing|shot|built|taken|caught"
    r"|found|bought|hidden|grown|left|sold|made|held|born|kept|worn|drawn|written|won|lost|paid|thrown|spent|shown|seen"
    r"|said|told|from|to|for|at|in|on)"
)
_WHERE_IS = re.compile(
    r"(?:and )?where(?:['\u2019]s| is| are| was| were) (?:the|an?|that|this|these|those|his|her|its|their|my|your|our)"
    rf"(?: [\w'\u2019-]+){{0,3}} (?!{_DONE}$)[\w-]+",
    _I,
)
_KIND_OF = re.compile(
    r"(?:what|which) (?:kinds?|sorts?|types?) of \w+ (?:is|are|was|were|can|do|does|appears?|comes?)\b"
    r"|(?:what|which) \w+ (?:(?:is|are|was|were|can be)(?: there)?(?: being)?(?: shown| seen| visible)|appears?"
    rf"|(?:is|are) there|(?:is|are) in {_FILM}|(?:do|can) (?:you|we) see){_WHERE}$",
    _I,
)


def asks_outline(text: str) -> bool:
    """Tell whether a question asks what the film, or the part of it that was named, holds.

    >>> asks_outline("What happens in this video"), asks_outline("What happens to the dog")
    (True, False)
    """
    return _OUTLINE.match(text.strip(" ?!.")) is not None


def asks_transcript(text: str) -> bool:
    """Tell whether all that is said is asked for."""
    return _TRANSCRIPT.fullmatch(text.strip(" ?!.")) is not None


def asks_for_any(text: str) -> Modality | None:
    """Return what a question asks for if it asks whether, or when, anything at all is said or written.

    >>> asks_for_any("Is anyone speaking?"), asks_for_any("Does anyone mention it?")
    ('speech', None)
    """
    text = text.strip(" ?!.")
    if _ANY_SAID.fullmatch(text):
        return "speech"
    return "text" if _ANY_WRITTEN.fullmatch(text) else None


def asks_to_find(text: str) -> bool:
    """Tell whether something is to be found, by a wish or by its name alone; not a price, a number or a name.

    >>> asks_to_find("Show me the red car"), asks_to_find("red car"), asks_to_find("phone number")
    (True, True, False)
    """
    text = text.strip(" ?!.")
    if asked_kinds(text):
        return False
    return _FIND.match(text) is not None or is_thing_alone(text)


def is_thing_alone(text: str) -> bool:
    """Tell whether a text is no more than the name of a thing."""
    plain = text.strip(" ?!.").lower()
    return _NO_THING.match(plain) is None and _THING.fullmatch(plain) is not None


def asks_presence(text: str) -> bool:
    """Tell whether a question asks whether something is there to be seen, and not what is said of it.

    >>> asks_presence("Is there a boat?"), asks_presence("Is the boat late?")
    (True, False)
    """
    return re.match(r"(?:is|are|was|were) there\b|(?:do|can) (?:you|we) see\b", text.strip(), _I) is not None


def asks_where(question: str) -> bool:
    """Tell whether a question asks where a thing is, which moments answer, and not where something is done.

    >>> asks_where("Where is the red car?"), asks_where("Where's our boat"), asks_where("Where is the key kept?")
    (True, True, False)
    """
    text = re.sub(rf" in (?:the|this) {FILM}$", "", question.strip(" ?!."), flags=_I)
    return _WHERE_IS.fullmatch(text) is not None


def wants_kind(question: str) -> bool:
    """Tell whether a question asks which one of a kind is seen.

    >>> wants_kind("What kind of animal is it?"), wants_kind("What bird is shown?"), wants_kind("Which bird is old?")
    (True, True, False)
    """
    return _KIND_OF.match(question.strip(" ?!.")) is not None
