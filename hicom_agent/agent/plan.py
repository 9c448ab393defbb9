"""What a question asks for: its parts, what kind of answer each wants, and where to look. Rules, no model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from hicom_agent.agent.whole import FILM, asks_for_any, asks_outline, asks_to_find, asks_transcript
from hicom_agent.llm.grounding import content_words
from hicom_agent.llm.kinds import asked_kinds
from hicom_agent.types import Modality

Kind = Literal["when", "count", "how long", "whether", "outline", "open"]

ASKING = r"(?:what|when|where|who|whom|whose|which|why|how|is|are|was|were|does|do|did|can|could|at what)"
_WHEN = re.compile(
    r"^(?:when|since when|until when)\b|\b(?:at what|what|which) (?:time|moment|point|second|minute|timestamp)s?\b"
    r"(?:.*\b(?:in|of) the (?:film|video|clip|footage|recording)\b)?",
    re.IGNORECASE,
)
_AUXILIARY = r"(?:is|are|was|were|do|does|did|can|could|will|has|have|had)\b"
_AT_WHEN = re.compile(  # of a clock's time it is a fact of the film: "At what time does the ferry leave?"
    r"(?:(?:and|but) )?(?:when|since when|until when|at (?:what|which) (?:times|(?:moment|point|second|minute)s?))\b"
    rf"|(?:(?:and|but) )?(?!{ASKING}\b)[^,]+, (?:when|at what (?:time|moment|point)) {_AUXILIARY}"
    r"|(?:(?:and|but) )?at (?:what|which) time\b"
    r".*\b(?:see|seen|shown|visible|hear|heard|mention|mentioned|on[- ]screen)\b",
    re.IGNORECASE,
)
_NAMED_BEFORE = re.compile(  # "And the cat, when is it shown?"
    rf"(?:(?:and|but) )?([^,]+), (?:when|at what\b[^,]*?) {_AUXILIARY} (?:it|they|he|she|that|this)\b.*",
    re.IGNORECASE,
)
_BEFORE_THING = re.compile(
    r"(?:(?:and|but) )?(?:[^,]+, (?=when|at what))?(?:(?:since |until )?when\b|at (?:what|which)\b"
    r"(?: (?:times?|moments?|points?|seconds?|minutes?)\b)?|(?:for )?how (?:many times|often|long)\b"
    r"|(?:find|show(?: me)?|look for|search for)\b)?\s*"
    rf"(?:{_AUXILIARY})?\s*(?:(?:we|you|they|he|she|it|one|i|the)\b\s*)?"
    r"(?:(?:see|sees|hear|get|learn|talk(?:s|ed|ing)?|discuss(?:es|ed)?|explain(?:s|ed)?|speaks?)\b\s*)?"
    r"(?:(?:about|that|of)\b\s*)?(?:(?:the|an?)\b\s*)?",
    re.IGNORECASE,
)
_COUNT = re.compile(r"\bhow (?:many times|often)\b|\bon how many occasions\b", re.IGNORECASE)
_LONG = re.compile(r"\bhow (?:long|many (?:seconds|minutes)) (?:is|are|does|do|was|were|did)\b", re.IGNORECASE)
_WHETHER = re.compile(r"^(?:is|are|was|were|does|do|did|can|could|has|have|will)\b", re.IGNORECASE)
_SPOKEN = re.compile(
    r"\b(?:said|saying|speak|speaks|spoke|spoken|talk|talks|talked|talking about|sentences?|hear|heard|narrator"
    r"|narration|speaker|voice|announce[ds]?)\b",
    re.IGNORECASE,
)
_SAID = re.compile(
    r"\b(?:say|says|tell|tells|told|mention|mentions|mentioned|explain|explains|explained|according to)\b",
    re.IGNORECASE,
)
_TOLD_SOMEHOW = re.compile(  # by a voice or by a card
    rf"\b(?:(?:does|did|do) (?:it|(?:the|this) {FILM}) (?:ever )?(?:say|tell|mention|explain)"
    rf"|(?:it|(?:the|this) {FILM}) (?:says|tells|mentions|explains)|according to (?:the|this) {FILM}"
    r"|(?:is|are|was|were|gets?|been|being)(?: (?!said\b|it\b)[\w'-]+){0,5} (?:mentioned|told|explained))\b",
    re.IGNORECASE,
)
_WRITTEN = re.compile(
    r"\b(?:written|writes?|title[ds]?|caption(?:s|ed)?|subtitles?|slides?|sign|signs|text|letters?|words? on|headline|"
    r"reads|labels?|labelled|chapters?|posters?|cards?|notices?|banners?|recipes?|timetables?|menus?|price list)\b",
    re.IGNORECASE,
)
_ONLY_TOLD = re.compile(  # no picture shows it
    r"\b(?:pay|pays|paid|costs?|prices?|fees?|charges?|know|knows|think|thinks|believes?|wants?|allowed|means?|meaning"
    r"|called|named|names?|numbers?|address(?:es)?|recommends?|advises?|warns?)\b",
    re.IGNORECASE,
)
_SIGN_SAYS = re.compile(
    r"^what (?:do|does|did) (?:the|that|this|these|those)(?: [\w-]+){0,3}? (?:signs?|cards?|notices?|labels?|posters?"
    r"|banners?|slides?|captions?|titles?|texts?|headlines?|screens?|boards?|recipes?|menus?|time ?tables?|price lists?"
    r"|schedules?|programmes?)(?: [\w-]+){0,3}? (?:say|tell)\b"
    r"(?! about)",
    re.IGNORECASE,
)
_MEDIUM = re.compile(
    r"\b(?:narrator|narration|speaker|voice|talk(?:s|ed|ing)?(?: about)?|speak(?:s|ing)?|spoke|"
    r"say|says|said|spoken|tell|tells|told|mention(?:s|ed)?|hear|heard|according to|"
    r"title(?: card)?|captions?|subtitles?|slides?|signs?|cards?|notices?|banners?|posters?|labels?|text|words?|"
    r"written|writes?|reads?|screen|on-screen|"
    r"shown|shows?|appears?|visible|film|video|clip|footage|scene|moment)\b",
    re.IGNORECASE,
)
_WHO = re.compile(r"^(?:and )?who(?:m|se)?\b", re.IGNORECASE)
_WHERE = re.compile(r"^(?:and )?where\b", re.IGNORECASE)
_ANYTHING_WORDS = """
anything everything thing something list moment first last new come next line sentence piece word film movie scene
footage speaker exactly people person someone anyone somebody anybody announcement card notice banner poster board
"""
_ANYTHING = frozenset(content_words(_ANYTHING_WORDS))
_SHOWN = re.compile(  # said of things and of words on the screen alike
    r"\b(?:show|shows|shown|appears?|appeared|appearance|on[- ]screen|on the screen|displayed)\b", re.IGNORECASE
)
_SEEN = re.compile(
    r"\b(?:see|sees|seen|visible|look|looks|looking|picture|image|in view|on camera|in the picture|"
    r"drives?|driving|rides?|riding|walks?|walking|runs?|running|comes? into|enters?|passes|crosses)\b",
    re.IGNORECASE,
)
_NOT_NAMES = re.compile(
    r"\b(?:how|why|who|whom|whose|where)\b|\b(?:what|which) (?:colou?rs?|number|time|size|year|name|language)\b"
    r"|\bhappen(?:s|ed|ing)?\b|\bsummar|\babout$|\bnames? of\b|\bcalled\b|\bnamed\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SubQuestion:
    """One thing that is asked."""

    text: str
    kind: Kind
    sources: tuple[Modality, ...]  # where the wording points; several if it does not say

    @property
    def about(self) -> str:
        """Return the question without the words that only say where to look.

        >>> understand("What does the narrator say about the suitcase?").about
        'What does the about the suitcase?'
        """
        return re.sub(r"\s+", " ", _MEDIUM.sub(" ", self.text)).strip()

    @property
    def thing(self) -> str:
        """Return what a question asks the time of.

        >>> understand("When does she talk about the red suitcase?").thing
        'red suitcase'
        """
        before = _NAMED_BEFORE.match(self.about)
        rest = _BEFORE_THING.sub("", before[1] if before else self.about, count=1)
        return re.sub(r"\s(?:be|been|being)$", "", rest.strip(" ?!.,")) or self.text


def names_nothing(sub: SubQuestion) -> bool:
    """Tell whether an open question asks for whatever is there, such as "What is said next?".

    >>> names_nothing(understand("What is written")), names_nothing(understand("What is said about the ferry"))
    (True, False)
    """
    if asks_transcript(sub.text):
        return True
    if sub.kind != "open" or _WHO.match(sub.text) or _WHERE.match(sub.text) or asked_kinds(sub.text):
        return False
    return _ANYTHING.issuperset(content_words(sub.about))


def wants_names(question: str) -> bool:
    """Tell whether names of things can answer an open question: not how many, who, why, or what colour.

    >>> wants_names("what can be seen on the table?"), wants_names("how many bottles are there?")
    (True, False)
    """
    return _NOT_NAMES.search(question.strip(" ?.!")) is None


def understand(question: str) -> SubQuestion:
    """Return what kind of answer `question` wants and from where.

    >>> understand("And the cat, when is it shown?").kind, understand("At what time does the ferry leave?").kind
    ('when', 'open')
    """
    return SubQuestion(question, _kind(question), _sources(question))


def _kind(question: str) -> Kind:
    text = question.strip(" ?!.")
    if asks_transcript(text):
        return "open"
    if asks_outline(text):
        return "outline"
    if _COUNT.search(text):
        return "count"
    if _LONG.search(text):
        return "how long"
    if _AT_WHEN.match(text):
        return "when"
    if _WHEN.search(text) and re.search(
        r"\b(?:film|video|clip|footage|recording|moment|timestamp)\b", text, re.IGNORECASE
    ):
        return "when"
    if asks_to_find(text):
        return "when"
    return "whether" if _WHETHER.match(text) else "open"


def _sources(question: str) -> tuple[Modality, ...]:
    any_of = "speech" if asks_transcript(question) else asks_for_any(question)
    if any_of is not None:
        return (any_of,)
    if _SIGN_SAYS.search(question):
        return ("text",)
    if _SPOKEN.search(question):
        return ("speech",)
    if _SAID.search(question):
        return ("speech", "text") if _TOLD_SOMEHOW.search(question) else ("speech",)
    if _WRITTEN.search(question):
        return ("text",)
    if _SEEN.search(question):
        return ("visual",)
    if _SHOWN.search(question):
        return ("visual", "text")
    return ("speech", "text") if _ONLY_TOLD.search(question) else ("speech", "text", "visual")
