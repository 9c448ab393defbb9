"""What a question asks for: its parts, what kind of answer each wants, and where to look. Rules, no model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from hicom_agent.llm.kinds import asked_kinds
from hicom_agent.llm.spans import unmet
from hicom_agent.types import Modality

Kind = Literal["when", "count", "how long", "whether", "outline", "open"]

ASKING = r"(?:what|when|where|who|whom|whose|which|why|how|is|are|was|were|does|do|did|can|could|at what)"
_SPLIT = re.compile(
    rf"[,;]?\s+(?:and|or)\s+(?:also\s+)?(?=(?:(?:at|by|for|from|in|on|to|with)\s+)?{ASKING}\b)|\?\s+(?=\w)",
    re.IGNORECASE,
)
_EITHER = re.compile(
    r"^((?:is|are|was|were) there(?: any)?|(?:do|can) (?:we|you) see)"
    r" ((?:an? |the |any )?[\w -]+?),? or ((?:an? |the |any )?[\w -]+)$",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"^(?:when|since when|until when)\b|\b(?:at what|what|which) (?:time|moment|point|second|minute|timestamp)s?\b"
    r"(?:.*\b(?:in|of) the (?:film|video|clip|footage|recording)\b)?",
    re.IGNORECASE,
)
_COUNT = re.compile(r"\bhow (?:many times|often)\b|\bon how many occasions\b", re.IGNORECASE)
_LONG = re.compile(r"\bhow long (?:is|are|does|do|was|were|did)\b", re.IGNORECASE)
_WHETHER = re.compile(r"^(?:is|are|was|were|does|do|did|can|could|has|have|will)\b", re.IGNORECASE)
_SAID = re.compile(
    r"\b(?:say|says|said|saying|tell|tells|told|mention|mentions|mentioned|speak|speaks|spoke|spoken|speaking|talk"
    r"|talks|talked|talking|explain|explains|explained|hear|heard|narrator|narration|speaker|voice|announce[ds]?"
    r"|according to)\b",
    re.IGNORECASE,
)
_WRITTEN = re.compile(
    r"\b(?:written|writes?|title[ds]?|caption(?:s|ed)?|subtitles?|slides?|sign|signs|text|letters?|words? on|headline|"
    r"reads|labels?|labelled|chapters?|posters?|cards?|notices?|banners?|recipes?|timetables?|menus?|price list)\b",
    re.IGNORECASE,
)
_TRANSCRIPT = re.compile(r"\btranscripts?\b|\b(?:everything|all)(?: that)?(?: is| was|'s)? said\b", re.IGNORECASE)
_ONLY_TOLD = re.compile(  # no picture shows it
    r"\b(?:pay|pays|paid|costs?|prices?|fees?|charges?|know|knows|think|thinks|believes?|wants?|allowed|means?|meaning|called"
    r"|named|names?|numbers?|address(?:es)?|recommends?|advises?|warns?)\b",
    re.IGNORECASE,
)
_SIGN_SAYS = re.compile(
    r"\b(?:signs?|cards?|notices?|labels?|posters?|banners?|slides?|captions?|titles?|texts?|headlines?|screens?"
    r"|boards?)\b.*\b(?:say|says|said|tell|tells|told)\b(?! about)",
    re.IGNORECASE,
)
_MEDIUM = re.compile(
    r"\b(?:narrator|narration|speaker|voice|say|says|said|tell|tells|told|mention(?:s|ed)?|hear|heard|according to|"
    r"speaks?|speaking|spoken|talks?|talking|"
    r"title(?: card)?|captions?|subtitles?|slides?|signs?|cards?|notices?|banners?|posters?|labels?|text|words?|"
    r"written|writes?|reads?|screen|on-screen|"
    r"shown|shows?|appears?|film|video|clip|footage|scene|moment)\b",
    re.IGNORECASE,
)
_WHO = re.compile(r"^(?:and )?who(?:m|se)?\b", re.IGNORECASE)
_SHOWN = re.compile(  # said of things and of words on the screen alike
    r"\b(?:show|shows|shown|appears?|appeared|appearance|on[- ]screen|on the screen|displayed)\b", re.IGNORECASE
)
_SEEN = re.compile(
    r"\b(?:see|sees|seen|visible|look|looks|looking|picture|image|in view|on camera|in the picture|"
    r"drives?|driving|rides?|riding|walks?|walking|runs?|running|comes? into|enters?|passes|crosses)\b",
    re.IGNORECASE,
)


_FILM = (
    r"(?:(?:the|this|that|my|these|those)(?: whole| entire)? )?"
    r"(?:film|video|clip|footage|movie|recording|scene|picture)s?"
)
_SUMMARY = re.compile(r"\b(?:summar(?:y|i[sz]e[sd]?)|synopsis|overview|outline|gist)\b", re.IGNORECASE)
_DESCRIBE = re.compile(
    rf"^(?:please )?(?:(?:can|could) you )?(?:describe|tell (?:me|us)(?: all)? about) (?:what happens in )?{_FILM}$",
    re.IGNORECASE,
)
_WHAT = re.compile(
    rf"^what(?:'s)?\b(?: (?:objects?|things?|kinds? of things|sorts? of things))?(?: all)?\b"
    rf"(?=.*\b(?:happen(?:s|ed|ing)?|go(?:es|ing) on|about|see|seen|visible|shown?|shows|contain|in {_FILM})\b)"
    rf"(?: |is|are|was|can|could|do|does|did|be|being|you|we|one|I|there|it|happen(?:s|ed|ing)?|go(?:es|ing)|on|about"
    rf"|see|seen|visible|shown?|shows|contain|in|all|here|{_FILM})*$",
    re.IGNORECASE,
)
_FIND = re.compile(
    r"^(?:please )?(?:(?:can|could) you )?(?:find|show(?: me| us)?|search for|look for|locate|list|give me|get me)\b"
    r"(?!.*\bwhat\b)"
    r"|^(?:all |the )*(?:times?|timestamps?|moments?|occurrences|appearances) (?:of|with|when|where|in which)\b",
    re.IGNORECASE,
)
_NAME_ALONE = re.compile(rf"^(?!(?:{ASKING}|and|but|then)\b)(?:(?:an?|the) )?[\w-]+(?: [\w-]+){{0,2}}$", re.IGNORECASE)
_KIND_OF = re.compile(
    r"^(?:what|which)(?: kinds? of| sorts? of| types? of)?"
    r" (?!(?:is|are|was|were|do|does|did|can|could|has|have|else)\b)\w+"
    r" (?:is|are|was|were|do|does|did|can|could|appears?|comes?)\b",
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


def names_nothing(sub: SubQuestion) -> bool:
    """Tell whether an open question asks for whatever is there, such as "What is said next?".

    >>> names_nothing(understand("What is written")), names_nothing(understand("What is said about the ferry"))
    (True, False)
    """
    if _TRANSCRIPT.search(sub.text):
        return True
    return sub.kind == "open" and not _WHO.match(sub.text) and not unmet(sub.about, [""])


def wants_names(question: str) -> bool:
    """Tell whether names of things can answer an open question: not how many, who, why, or what colour.

    >>> wants_names("what can be seen on the table?"), wants_names("how many bottles are there?")
    (True, False)
    """
    return _NOT_NAMES.search(question.strip(" ?.!")) is None


def wants_kind(question: str) -> bool:
    """Tell whether a question asks which one of a kind is seen.

    >>> wants_kind("What kind of animal is shown?"), wants_kind("What is the animal holding?")
    (True, False)
    """
    return _KIND_OF.match(question.strip()) is not None


def split_question(question: str) -> list[str]:
    """Return the parts of a compound question, in order; a plain question is its own only part.

    >>> split_question("When does the bus come, and what is written on it?")
    ['When does the bus come', 'what is written on it?']
    """
    either = _EITHER.match(question.strip(" ?!."))
    if either:
        return [f"{either[1]} {either[2]}", f"{either[1]} {either[3]}"]
    parts = [part.strip(" ,;") for part in _SPLIT.split(question)]
    return [part for part in parts if len(part.split()) >= 2] or [question]


def understand(question: str) -> SubQuestion:
    """Return what kind of answer `question` wants and from where.

    >>> understand("when does a car drive through?").kind
    'when'
    """
    return SubQuestion(question, _kind(question), _sources(question))


def _kind(question: str) -> Kind:
    text = question.strip(" ?!.")
    if _TRANSCRIPT.search(text):
        return "open"
    if any(pattern.search(text) for pattern in (_SUMMARY, _DESCRIBE, _WHAT)):
        return "outline"
    if _COUNT.search(text):
        return "count"
    if _LONG.search(text):
        return "how long"
    if re.match(r"(?:when|since when|until when|at (?:what|which) (?:times|moments|points))\b", text, re.IGNORECASE):
        return "when"
    if _WHEN.search(text) and re.search(
        r"\b(?:film|video|clip|footage|recording|moment|timestamp)\b", text, re.IGNORECASE
    ):
        return "when"
    if _FIND.match(text) or (_NAME_ALONE.match(question.strip()) and not asked_kinds(text)):
        return "when"
    return "whether" if _WHETHER.match(text) else "open"


def _sources(question: str) -> tuple[Modality, ...]:
    if _TRANSCRIPT.search(question):
        return ("speech",)
    if _SIGN_SAYS.search(question):
        return ("text",)
    if _SAID.search(question):
        return ("speech",)
    if _WRITTEN.search(question):
        return ("text",)
    if _SEEN.search(question):
        return ("visual",)
    if _SHOWN.search(question):
        return ("visual", "text")
    return ("speech", "text") if _ONLY_TOLD.search(question) else ("speech", "text", "visual")
