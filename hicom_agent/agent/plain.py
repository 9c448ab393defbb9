"""A question in plain form: "Could you tell me whether the ferry is late, please?" asks "is the ferry late?"."""

from __future__ import annotations

import re

from hicom_agent.agent.edges import name_edges
from hicom_agent.agent.whole import FILM, asks_outline, asks_to_find, asks_transcript, is_thing_alone
from hicom_agent.llm.kinds import asked_kinds

_I = re.IGNORECASE
_GREETING = r"(?:(?:hi|hello|hey|ok|okay|so|well|please|sorry|excuse me|just)\b[ ,!.]+)*"
_WISHES = (
    r"(?:can|could|would|will) you (?:please |kindly |maybe )?(?:tell|explain to|let|remind) (?:me|us)(?: know)?",
    r"(?:please |just )*(?:tell|let|remind) (?:me|us)(?: know)?",
    r"(?:do|would|can) you (?:happen to )?(?:know|remember|say)",
    r"(?:any|an) (?:idea|clue)",
    r"i(?: would|['\u2019]d)? (?:just |really )?(?:like|want|need) to (?:know|find out|learn|understand)",
    r"i(?:['\u2019]m| am| was)? (?:just )?wonder(?:ing|ed)?",
)
_ASKING = r"what|when|where|who|whom|whose|which|why|how|(?:at|from|in|on|to|by|with) (?:what|which|whom)"
_PREFACE = re.compile(
    rf"{_GREETING}(?:{'|'.join(_WISHES)})[ ,:]+(?=(?:{_ASKING}|if|whether|(?P<named>the|her|his|their|its|this))\b)", _I
)
_GREETED = re.compile(rf"{_GREETING}(?=(?:{_ASKING}|is|are|was|were|do|does|did)\b)", _I)
_ENDING = re.compile(r",? (?:please|thanks|thank you|thx)[ ?!.]*$", _I)
_AUXILIARY = r"is|are|was|were|can|could|will|would|does|do|did|has|have|had|must|should|may"
_CLAIM = re.compile(rf"(.+?) (?:(have to|has to|had to)|({_AUXILIARY}))\b(.*)", _I)
_TITLE = re.compile(
    rf"what(?: is|['\u2019]s) (?:the )?(?:title|name) of (?:the|this) {FILM}"
    rf"|what(?: is|['\u2019]s) (?:the|this) {FILM}(?:['\u2019]s (?:title|name)| called)",
    _I,
)
_ABOUT_ANOTHER = re.compile(  # "And the rocket?", "What about the rocket?"
    r"(?:(?:and|but|or|so) )?(?P<about>(?:what|how) about|and|but)\b[ ,]*(?P<thing>(?:the|that|an?|his|her) [^,]+)", _I
)
_MOMENTS = re.compile(
    r"(?:please )?(?:(?:can|could|would) you )?(?:please )?(?:(?:give|tell|list|find|show|get)(?: me| us)? )?"
    r"(?:all |the |every )*(?:times?|timestamps?|moments?) (?:when|where|(?:at|in) which) (.+)",
    _I,
)
_HAVE_TO = {"have to": "do", "has to": "does", "had to": "did"}
_INDIRECT = re.compile(
    rf"(where|who|what|how long|how old|how far) ((?:the|an?|this|that|her|his|its|our|their|my) [\w' -]+?|{FILM})"
    r" (is|are|was|were|lasts?)",
    _I,
)


def put_plainly(question: str) -> str:
    """Return a question without what is only polite, in the order of a direct one; a wish to find something stays.

    >>> put_plainly("Do you know whether children have to pay?"), put_plainly("I wonder where the key is.")
    ('do children have to pay', 'where is the key')
    >>> put_plainly("Hi, do you know the price of a ticket?"), put_plainly("Could you tell me the story?")
    ('the price of a ticket', 'Could you tell me the story?')
    >>> put_plainly("How does the film end?"), put_plainly("What is the video called?")
    ('What happens last?', 'What is the first text written at the beginning of the film?')
    >>> put_plainly("And the red car?"), put_plainly("And the old man leaves?")
    ('the red car', 'And the old man leaves?')
    >>> put_plainly("Please tell me when the car is seen, thanks!"), put_plainly("Can you show me the red car?")
    ('when the car is seen', 'Can you show me the red car?')
    """
    text = _ENDING.sub("", question.strip())
    plain = text.rstrip(" ?!.")
    if _TITLE.fullmatch(plain):
        return "What is the first text written at the beginning of the film?"
    if (edge := name_edges(plain)) != plain:
        return f"{edge}?"
    if (other := _ABOUT_ANOTHER.fullmatch(plain)) and (is_thing_alone(other["thing"]) or len(other["about"]) > 3):
        return other["thing"]
    if moments := _MOMENTS.fullmatch(plain):
        return f"when {moments[1]}"
    found = _PREFACE.match(text)
    if found is None or asks_to_find(text) or asks_outline(text) or asks_transcript(text):
        greeted = _GREETED.match(text)
        return text[greeted.end() :] if greeted else text
    rest = text[found.end() :].rstrip(" ?!.")
    if found["named"] and not asked_kinds(rest):
        return text
    if re.match(r"(?:if|whether)\b", rest, _I):
        return _ask_whether(re.sub(r"^(?:if|whether)(?: or not)? | or not$", "", rest, flags=_I))
    indirect = _INDIRECT.fullmatch(rest)
    return f"{indirect[1]} {_direct(indirect[3])} {indirect[2]}" if indirect else rest


def _direct(verb: str) -> str:
    return "is" if verb.startswith("last") else verb


def _ask_whether(claim: str) -> str:
    found = _CLAIM.fullmatch(claim)
    if found is None:
        return f"does {claim}"
    if found[2]:
        return f"{_HAVE_TO[found[2].lower()]} {found[1]} have to{found[4]}"
    return f"{found[3]} {found[1]}{found[4]}"
