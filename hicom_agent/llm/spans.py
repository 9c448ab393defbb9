"""Short answers that stand in the evidence word for word, and whether the evidence holds what a question asks for.

A 135M model that writes freely was right in 11 of 20 questions and made something up in most of the others; the same
model choosing among the spans of the best line was right in 24 of 27, and can say only what was said. Its likelihoods
tell an answerable question from another hardly better than a coin; whether the question's own words stand in the
evidence tells it far better (`benchmarks/small_llm.py`). Pure text, English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from hicom_agent.llm.grounding import content_words, is_stop_word

_LIGHT_WORDS = """
need get go use make take give happen people person someone anyone thing may might must shall let want kind sort type mean
tell know call film movie scene footage speaker please exactly moment first last new
"""
_LIGHT = frozenset(content_words(_LIGHT_WORDS))
_FIGURE = re.compile(r"\d")
_COLOUR = re.compile(
    r"\b(black|white|gr[ea]y|red|green|blue|yellow|orange|purple|violet|pink|brown|beige|gold(en)?|silver)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=\S )[^\W\d_]*[A-Z][^\W\d_]+|\b[A-Z]{2,}\b")
_WHEN = re.compile(
    r"\d|day\b|noon|morning|evening|night|tomorrow|week|month|year|o'clock|spring|summer|autumn|winter"
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
    text = " \n".join([*lines, *(word for word in known if word.isdigit())])
    return [word for word in content_words(question) if word not in _LIGHT and not _is_met(word, known, text)]


def answer_spans(line: str, question: str, max_words: int = 6) -> list[str]:
    """Return the stretches of a line that may answer a question: few words, some that carry meaning, none asked with.

    >>> answer_spans("The ferry leaves at half past ten.", "When does the ferry leave?", max_words=3)
    ['at half', 'at half past', 'half', 'half past', 'half past ten', 'past', 'past ten', 'ten']
    """
    words, asked, spans = line.split(), set(content_words(question)), []
    for start in range(len(words)):
        for end in range(start + 1, min(len(words), start + max_words) + 1):
            span = " ".join(words[start:end]).strip(" .,:;!?\"'()")
            carried = content_words(span)
            if asked & set(carried):
                break
            if carried and not is_stop_word(words[end - 1]):
                spans.append(span)
    return list(dict.fromkeys(spans))


def _is_met(word: str, known: set[str], text: str) -> bool:
    if word in known or any(_akin(word, other) for other in known):
        return True
    return word in _ASKED and _ASKED[word].search(text) is not None


def _akin(one: str, other: str) -> bool:
    """Tell whether two stems look like one word in two shapes: narrator and narrated, departure and departs."""
    shared = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return shared >= 5 and shared >= 0.6 * max(len(one), len(other))
