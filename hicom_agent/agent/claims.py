"""What a line says of a claim: that it holds, that it is otherwise, or nothing that would settle it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from hicom_agent.agent.evidence import Evidence
from hicom_agent.llm.excerpt import best_sentence
from hicom_agent.llm.grounding import content_words
from hicom_agent.llm.kinds import COLOUR, DAY, FIGURE, FREE, NAME, PRICE, with_figures
from hicom_agent.llm.spans import asked_values, unmet

Verdict = Literal["holds", "otherwise", "unsettled"]

_NO = re.compile(
    r"\b(?:no|not|never|nobody|no one|none|nothing|neither|nor|without|cannot)\b|n't\b|\b(?:closed|shut|cancelled)\b",
    re.IGNORECASE,
)
_PAID = re.compile(r"\b(?:pay|costs?|charged?|fee)\b", re.IGNORECASE)
_LIMIT = re.compile(r"\b(?:until|till|unless|except|only|from|after|before)\b", re.IGNORECASE)
_CALLED = re.compile(r"\b(?:called|named|name is)\b", re.IGNORECASE)  # who else did it says nothing of who did
_UNITS = frozenset(content_words("second minute hour day week month year euro dollar pound metre kilometre"))


def judge(claim: str, line: str) -> Verdict:
    """Return what a line says of what a question asks to be true.

    >>> judge("Was the barrier repaired on Monday?", "The barrier was repaired on Thursday.")
    'otherwise'
    >>> judge("Did anyone buy sandwiches?", "Nobody buys sandwiches.")
    'otherwise'
    >>> judge("Is the soup tomato?", "The soup is pumpkin."), judge("Is there a ferry?", "FERRY. Adults 12 euros")
    ('unsettled', 'holds')
    """
    missing = unmet(claim, [line])
    if not missing and (_PAID.search(claim) or FREE.search(claim)):
        return _judge_price(claim, best_sentence(line, claim))
    negated = bool(_NO.search(claim)) != bool(_NO.search(line))
    if not missing:
        return "holds" if not negated else "unsettled" if _LIMIT.search(line) else "otherwise"
    if negated or len(missing) == len(set(content_words(claim))):
        return "unsettled"
    return "otherwise" if all(_has_other(word, claim, line) for word in missing) else "unsettled"


def without_values(claim: str) -> str:
    """Return a claim without its figures, days, colours and what it says it is called: a line may know better.

    >>> without_values("Is the red suitcase called Betty?"), without_values("Did they wait for two weeks?")
    ('Is the suitcase called', 'Did they wait for')
    """
    kept = [word for word in claim.split() if not _names_value(word, claim)]
    text = " ".join(kept)
    return text if content_words(text) else claim


def _names_value(word: str, claim: str) -> bool:
    plain = word.strip("?!.,;:")
    stems = content_words(plain)
    figure = bool(stems) and (stems[0][0].isdigit() or stems[0] in _UNITS)
    return figure or any(plain in (found[0] for found in kind.finditer(claim)) for kind in _values(claim))


def _values(claim: str) -> tuple[re.Pattern[str], ...]:
    """Return of what kinds a line that names another value says that a claim is otherwise."""
    return (FIGURE, DAY, COLOUR, NAME) if _CALLED.search(claim) else (FIGURE, DAY, COLOUR)


def _judge_price(claim: str, line: str) -> Verdict:
    """Return what is told of a claim that something is free, or has to be paid for.

    >>> _judge_price("Do children have to pay?", "Children: free"), _judge_price("Is it free?", "Fee: 2 euros")
    ('otherwise', 'otherwise')
    """
    if not PRICE.search(line) and not _PAID.search(line):
        return "unsettled"
    return "holds" if (FREE.search(line) is None) == (FREE.search(claim) is None) else "otherwise"


def _has_other(word: str, claim: str, line: str) -> bool:
    """Tell whether a word of a claim is a figure, a day or a colour, and the line names another."""
    for kind in _values(claim):
        named = {stem for found in kind.finditer(with_figures(claim)) for stem in content_words(found[0])}
        measured = kind is FIGURE and (word[0].isdigit() or word in _UNITS)
        if (word in named or measured) and kind.search(with_figures(line)):
            return True
    return False


def contradiction(question: str, said: Sequence[Evidence]) -> Evidence | None:
    """Return the piece that answers to every word of the question as the first one does, but with another value.

    Only figures, times, colours and names are compared, where the question asks for such; and not what a misreading
    of the screen makes of one and the same text.

    >>> said = [Evidence("v", "speech", at, at, 0.9, f"The ferry leaves at {hour}.") for at, hour in ((1, 9), (5, 11))]
    >>> contradiction("At what time does the ferry leave?", said).start_s
    5
    """
    alone = [piece for piece in said if not unmet(question, [piece.text])]
    for piece in alone[1:]:
        values = [asked_values(each.text, question) for each in (alone[0], piece)]
        shared = set(content_words(alone[0].text)) & set(content_words(piece.text))
        if all(values) and not values[0] & values[1] and len(shared) >= len(set(content_words(question)) & shared):
            return piece
    return None
