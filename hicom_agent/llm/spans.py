"""Short answers that stand in the evidence word for word, and whether the evidence holds what a question asks for.

A 135M model that writes freely is right in fewer than half of the answerable questions and makes something up for
most of the others; the same model choosing among the spans of the best line is right in nearly all, and can say only
what was said. Its likelihoods tell an answerable question from another hardly better than a coin; whether the
question's own words stand in the evidence tells it far better (`benchmarks/small_llm.py` measures it). Pure text,
English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from hicom_agent.llm.grounding import content_words, is_stop_word

_LIGHT_WORDS = """
need get go use make take give happen people person someone anyone thing may might must shall let want kind sort type
mean tell know call film movie scene footage speaker please exactly moment first last new come next line sentence
"""
_LIGHT = frozenset(content_words(_LIGHT_WORDS))
_FIGURE = re.compile(r"\d|\b(half|hour|minute|dozen|couple|pair|none|nothing)\b", re.IGNORECASE)
_COLOUR = re.compile(
    r"\b(black|white|gr[ea]y|red|green|blue|yellow|orange|purple|violet|pink|brown|beige|gold(en)?|silver)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=\S )[^\W\d_]*[A-Z][^\W\d_]+|\b[A-Z]{2,}\b")
_WHEN = re.compile(
    r"\d|days?\b|noon|morning|evening|night|tomorrow|week|month|year|o'clock|spring|summer|autumn|winter"
    r"|january|february|march|april|\bmay\b|june|july|august|september|october|november|december",
    re.IGNORECASE,
)
_ASKED = {
    **dict.fromkeys(content_words("colour color"), _COLOUR),
    **dict.fromkeys(content_words("name"), _NAME),
    **dict.fromkeys(content_words("time hour date day year"), _WHEN),
    **dict.fromkeys(
        content_words("many much price cost fee number amount long tall high far old big heavy fast deep wide"), _FIGURE
    ),
}


def unmet(question: str, evidence: Iterable[str]) -> list[str]:
    """Return the words of a question that nothing in the evidence answers to; with none, an answer is likely there.

    A word that asks for a kind of answer ("how many", "what colour", "name") is met by such an answer.

    >>> unmet("How much sugar is needed?", ["Stir in two cups of flour."])
    ['sugar']
    """
    lines = list(evidence)
    known = {word for line in lines for word in content_words(line)}
    text = "\n".join(map(_with_figures, lines))
    return [word for word in content_words(question) if word not in _LIGHT and not _is_met(word, known, text)]


def asks_for(word: str, text: str) -> bool:
    """Tell whether a content word asks for a kind of answer, such as a colour or a price, and `text` holds one.

    >>> asks_for("colour", "The red suitcase"), asks_for("suitcas", "The red suitcase")
    (True, False)
    """
    return word in _ASKED and _ASKED[word].search(_with_figures(text)) is not None


def answer_spans(line: str, question: str, max_words: int = 6) -> list[str]:
    """Return the stretches of a line that may answer a question: few words, some that carry meaning, none asked with.

    >>> answer_spans("The ferry leaves at half past ten.", "When does the ferry leave?", max_words=3)
    ['half past ten', 'past ten', 'ten']
    """
    words, asked = line.split(), set(content_words(question))
    spans: list[str] = []
    for start in (i for i, word in enumerate(words) if not is_stop_word(word)):
        for end in range(start + 1, min(len(words), start + max_words) + 1):
            span = " ".join(words[start:end]).strip(" .,:;!?\"'()")
            carried = content_words(span)
            if asked & set(carried):
                break
            if carried and not is_stop_word(words[end - 1]):
                spans.append(span)
    return _of_kind(list(dict.fromkeys(spans)), question)


def asked_values(line: str, question: str) -> set[str]:
    """Return the figures, colours, times or names of a line, where the question asks for such; none if it does not.

    >>> asked_values("The ferry leaves at half past ten.", "At what time does the ferry leave?")
    {'10'}
    """
    kinds = {_ASKED[word] for word in content_words(question) if word in _ASKED}
    asked = set(content_words(question))
    return {
        word
        for kind in kinds
        for word in content_words(line)
        if word not in asked and (word.isdigit() if kind in (_FIGURE, _WHEN) else kind.fullmatch(word))
    }


def _of_kind(spans: list[str], question: str) -> list[str]:
    """Return the spans that hold a figure, a colour or a time if such is asked for and any does, else all."""
    kinds = [_ASKED[word] for word in content_words(question) if word in _ASKED]
    if re.search(r"\bwhen\b", question, re.IGNORECASE):
        kinds.append(_WHEN)
    for kind in kinds:
        spans = [span for span in spans if kind.search(_with_figures(span))] or spans
        if kind is _COLOUR:
            spans = [span for span in spans if kind.fullmatch(span)] or spans
    return spans


def _with_figures(text: str) -> str:
    return " ".join([text, *(word for word in content_words(text) if word.isdigit())])


def _is_met(word: str, known: set[str], text: str) -> bool:
    if word in known or any(_akin(word, other) for other in known):
        return True
    return asks_for(word, text)


def _akin(one: str, other: str) -> bool:
    """Tell whether two stems look like one word in two shapes: narrator and narrated, departure and departs."""
    shared = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return shared >= 5 and shared >= 0.6 * max(len(one), len(other))
