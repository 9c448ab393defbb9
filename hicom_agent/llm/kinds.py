"""The kind of answer that a word of a question asks for: a price, a time, a date, a figure, a colour, a name."""

from __future__ import annotations

import functools
import re

from hicom_agent.llm.grounding import content_words

_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_WEEKDAYS = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?"
FIGURE = re.compile(r"\d|\b(half|hour|minute|dozen|couple|pair|none|nothing)\b", re.IGNORECASE)
FREE = re.compile(r"\bfree\b|\bno charge\b|\bfor nothing\b", re.IGNORECASE)
PRICE = re.compile(
    r"\d[\d.,]* ?(?:euros?|eur|dollars?|usd|pounds?|gbp|cents?|pence|francs?|crowns?|yen|[\u20ac$\u00a3])"
    rf"|(?:\beuros?|[\u20ac$\u00a3]) ?\d|{FREE.pattern}",
    re.IGNORECASE,
)
COLOUR = re.compile(
    r"\b(black|white|gr[ea]y|red|green|blue|yellow|orange|purple|violet|pink|brown|beige|gold(en)?|silver)\b",
    re.IGNORECASE,
)
NAME = re.compile(  # a recogniser of speech may write it small
    rf"(?<=[a-z,;:] )(?!(?i:{_MONTHS}|{_WEEKDAYS})\b)[A-Z][^\W\d_]+"
    r"|(?:(?<=\bcalled )|(?<=\bnamed )|(?<=\bname is ))(?!(?i:a|an|the|it|that|in|on|for)\b)[^\W\d_]+"
)
TIME = re.compile(r"\d|noon|midnight|morning|evening|night|o'clock|dawn|dusk|sunrise|sunset", re.IGNORECASE)
DATE = re.compile(rf"\d|\b{_WEEKDAYS}\b|\b(?:{_MONTHS})\b|tomorrow|\btoday\b", re.IGNORECASE)
DAY = re.compile(rf"\b{_WEEKDAYS}\b|\b(?:{_MONTHS})\b|\d(?:st|nd|rd|th)\b|tomorrow|\btoday\b|weekend", re.IGNORECASE)
WHEN = re.compile(
    rf"\d|days?\b|noon|morning|evening|night|tomorrow|week|month|year|o'clock|spring|summer|autumn|winter|{_MONTHS}",
    re.IGNORECASE,
)
CLOCK_TIME = re.compile(r"\b\d{1,2}:\d{2}\b|\b\d{1,2} ?(?:[ap]\.?m\b|o'clock)", re.IGNORECASE)
DATED = re.compile(  # a day of a month
    rf"\b(?:\d{{1,2}}(?:st|nd|rd|th)?|[a-z]+(?:first|second|third|th)) (?:of )?(?:{_MONTHS})\b(?: \d{{4}}\b)?"
    rf"|\b(?:{_MONTHS}) (?:\d{{1,2}}(?:st|nd|rd|th)?|the [a-z-]+)\b(?!:)",
    re.IGNORECASE,
)
# the strictest first; what asks for a price may be answered by a bare figure
_KINDS: dict[str, tuple[re.Pattern[str], ...]] = {
    **dict.fromkeys(content_words("colour color"), (COLOUR,)),
    **dict.fromkeys(content_words("name called"), (NAME,)),
    **dict.fromkeys(content_words("time"), (TIME,)),
    **dict.fromkeys(content_words("date"), (DATE,)),
    **dict.fromkeys(content_words("day weekday"), (DAY,)),
    **dict.fromkeys(content_words("year"), (re.compile(r"\d"),)),
    **dict.fromkeys(content_words("price cost fee charge fare pay paid"), (PRICE, FIGURE)),
    **dict.fromkeys(
        content_words("many much number amount long tall high far old big heavy fast deep wide"), (FIGURE,)
    ),
}
_NO_VALUE = re.compile(r"(?:and )?(?:where|who|why)\b", re.IGNORECASE)
_HOW_MUCH_IS = re.compile(r"\bhow much (?:is|are|was|were|for)\b(?! (?:left|needed|there|it|in)\b)", re.IGNORECASE)
_PRICED = re.compile(r"\b(?:cost|price|fee|charge|fare|pay|paid|admission)", re.IGNORECASE)  # beside a bare figure
FIGURES = (FIGURE, PRICE, TIME, DATE, WHEN)  # answers in which only the figures count


@functools.lru_cache(1 << 8)  # a question is read anew for every line that may answer it
def asked_kinds(question: str) -> tuple[re.Pattern[str], ...]:
    """Return what a short answer to a question must hold, the strictest first.

    >>> asked_kinds("What does lighting cost?") == asked_kinds("How much is a ticket?") == (PRICE, FIGURE)
    True
    >>> asked_kinds("Where do I have to pay?")
    ()
    """
    found = [kind for word in content_words(question) for kind in _KINDS.get(word, ())]
    if asks_no_value(question):
        found = [kind for kind in found if kind not in (PRICE, FIGURE)]
    if _HOW_MUCH_IS.search(question):
        found.insert(0, PRICE)
    if re.match(r"(?:and )?when\b", question.strip(), re.IGNORECASE):
        found.append(WHEN)
    return tuple(dict.fromkeys(sorted(found, key=lambda kind: kind is not PRICE)))


def asks_no_value(question: str) -> bool:
    """Tell whether a question asks for a place, a person or a reason: no time, price or figure is one."""
    return _NO_VALUE.match(question.strip()) is not None


def asks_for(word: str, text: str) -> bool:
    """Tell whether a content word asks for a kind of answer, such as a colour or a price, and `text` holds one.

    >>> asks_for("colour", "The red suitcase"), asks_for("suitcas", "The red suitcase")
    (True, False)
    """
    kinds = _KINDS.get(word, ())
    if PRICE in kinds and not _PRICED.search(text):
        kinds = (PRICE,)
    return any(kind.search(with_figures(text)) for kind in kinds)


def with_figures(text: str) -> str:
    """Return a text with the figures of its number words behind it."""
    return " ".join([text, *(word for word in content_words(text) if word.isdigit())])
