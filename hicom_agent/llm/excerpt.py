"""The part of a line that may hold an answer: one of its sentences, and what its labels say of it."""

from __future__ import annotations

import re

from hicom_agent.llm.grounding import content_words
from hicom_agent.llm.kinds import asked_kinds
from hicom_agent.llm.spans import answer_spans, has_kind, unmet


def is_told_otherwise(text: str, line: str, question: str) -> bool:
    """Tell whether a label of the text says of what is asked for something of another kind than what is asked.

    >>> is_told_otherwise("Soup: pumpkin. Fish: 14 euros", "Fish: 14 euros", "What does the soup cost?")
    True
    """
    labels = [sentence.split(":")[0] for sentence in split_sentences(text) if ": " in sentence and sentence != line]
    here = set(unmet(question, [line]))
    return any(set(unmet(question, [line, label])) < here for label in labels)


def best_sentence(text: str, question: str) -> str:
    """Return the sentence that shares most with the question and can answer it; the whole text if none shares a word.

    >>> best_sentence("Boat rental. Open 9:30 to 17:00. Closed on Mondays", "On which day is the rental closed?")
    'Closed on Mondays'
    """
    asked = set(content_words(question))
    able = [sentence for sentence in split_sentences(text) if answer_spans(sentence, question)]
    able = [sentence for sentence in able if has_kind(sentence, question)] or able
    head = re.search(r"\b(?:which|what) ((?!is\b|are\b|was\b|were\b|do\b|does\b|did\b)\w+)", question, re.IGNORECASE)
    named = set(content_words(head[1])) if head else set()
    best = min(able, key=lambda s: (bool(named - set(content_words(s))), len(unmet(question, [s]))), default=text)
    return best if asked & set(content_words(best)) or asked_kinds(question) else text


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a line, or the labels of a card."""
    return re.split(r"(?<=[.!?])(?<!\b[A-Z]\.)\s+", text)  # not after an initial
