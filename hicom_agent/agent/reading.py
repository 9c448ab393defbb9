"""How surely a line that was said or written answers a question: a logistic curve over what the two share.

Sentence vectors find the right line but cannot tell a near miss from an answer; shared words can, but people ask in
other words. `benchmarks/words.py --fit` fits the weights on the tuning halves of the sets of questions.
"""

from __future__ import annotations

import math
import re

from hicom_agent.agent.confidence import log_odds
from hicom_agent.llm.grounding import content_words
from hicom_agent.llm.spans import has_kind, is_particular, lacks_kind, unmet

Weights = tuple[float, float, float]
# of: cosine; words of the question that the line does not meet, and that it does not meet with the lines beside it,
# as shares; their number; no answer of the kind asked for in the line, and beside it; one of a kind that is asked for;
# names and figures of the question that are nowhere; and the constant, 0.11 below what is fitted: a line that does not
# answer is sometimes believed on another way
WEIGHTS = (6.9, -2.22, -0.68, -0.57, -1.43, -0.92, -0.57, -1.16, -2.82)
TOPICAL = 1.0  # added where only the topic is asked for
READ_FROM = 0.45  # support from which a line is believed to answer; the constant is set so
UNFIT = 0.1  # support at most of a line without the kind that is asked for: none of 41 lines that answer lacks it
MENTIONED_FROM = 0.35  # the same where it is enough that a line is about a thing: benchmarks/words.py --mentions
# of the log odds of that support and of a reranker, and the constant: whether a line holds the answer (fitted to the
# words set and wording_set.json together; benchmarks/words.py --fit-rank, to the first alone, gives 0.6, 0.31, 0.12)
RANK_HOLDS = (1.0, 0.18, 0.3)
RANK_ABOUT = (0.63, 0.48, 2.7)  # whether it is about a thing: by --fit-rank, 0.1 stricter
_ENDS = [
    tuple(frozenset(content_words(side)) for side in pair.split("|"))
    for pair in ("begin start open | end finish close stop", "first | last", "arrive arrival | leave depart departure")
]
_TURNS = re.compile(
    r"\b(?:does|do|did|will|would) .+ (?:begin|start|open|end|finish|close|stop|arrive|leave|depart)$", re.IGNORECASE
)
_TO_THE_END = re.compile(r"\b(?:until|till|again|from|to)\b", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(?:s?he|it|they|him|hers?|his|its|them|theirs?)\b", re.IGNORECASE)
_NAME = re.compile(r"(?<=\s)[A-Z][a-z]+|\d[\d:.,]*")


def line_support(question: str, about: str, own: str, context: str, cosine: float, *, topical: bool = False) -> float:
    """Return how surely a line answers, 0 to 1; `about` is the question without words that only say where to look.

    A `topical` question asks when something is said or shown: the line need not hold a time, for the index does. One
    that names nothing in particular ("Is there a person?", "What is that?"), and no kind of answer, is met by no line
    that shares no word with it.
    """
    words, of_any_kind = set(content_words(about)), topical or has_kind("", question)
    if of_any_kind and not is_particular(about) and (words or not topical) and words.isdisjoint(content_words(own)):
        return 0.0
    if (not topical or asks_turn(question)) and _is_opposed(question, own):
        return 0.0
    seen = compare(question, about, own, context, cosine)
    if topical:
        seen = (*seen[:4], 0.0, 0.0, 0.0, *seen[7:])
    sure = 1 / (1 + math.exp(-sum(w * x for w, x in zip(WEIGHTS, seen, strict=True)) - (TOPICAL if topical else 0.0)))
    return min(sure, UNFIT) if not topical and lacks_kind(own, question) else sure


def with_rank(support: float, log_odds_rank: float, *, topical: bool = False) -> float:
    """Return how surely a line answers, or is about a thing, after it was also read together with the question.

    >>> with_rank(0.5, 6.0) > 0.5 > with_rank(0.5, -9.0)
    True
    """
    return join(support, log_odds_rank, RANK_ABOUT if topical else RANK_HOLDS)


def lacks_particular(about: str, line: str) -> bool:
    """Tell whether a line lacks a figure or a name of what is asked: likeness in sense does not make up for it.

    >>> lacks_particular("the title of chapter two", "Chapter one"), lacks_particular("the old boat", "Our ship")
    (True, False)
    """
    wanted = {word for word in content_words(about) if word.isdigit()}
    wanted |= {word for name in _NAME.findall(about) for word in content_words(name)}
    return not wanted <= set(content_words(line))


def needs_before(line: str, before: str, about: str) -> bool:
    """Tell whether what is asked needs a line and the one before it: one names a thing, the other tells of it as "it".

    >>> needs_before("She sleeps in the basket.", "The cat is called Pepper.", "Where does the cat sleep?")
    True
    >>> needs_before("She sleeps in the basket.", "The cat is called Pepper.", "What is the cat called?")
    False
    """
    if not before or _PRONOUN.search(line) is None:
        return False
    there, here = set(unmet(about, [before])), set(unmet(about, [line]))
    return bool(there - here and here - there)


def join(support: float, log_odds_read: float, weights: Weights) -> float:
    """Return how surely a line answers by two readings of it.

    >>> join(0.6, 8.0, (0.85, 0.7, -2.8)) > 0.6 > join(0.6, 0.0, (0.85, 0.7, -2.8))
    True
    """
    return 1 / (1 + math.exp(-(weights[0] * log_odds(support) + weights[1] * log_odds_read + weights[2])))


def _is_opposed(question: str, line: str) -> bool:
    """Tell whether a question asks for one end of something, and a line names only the other.

    >>> _is_opposed("When does the shift end?", "Night shift. Begins at 22:00")
    True
    """
    if _TO_THE_END.search(question) or _TO_THE_END.search(line):
        return False
    asked, told = set(content_words(question)), set(content_words(line))
    return any(
        asked & one and told & other and not asked & other and not told & one
        for pair in _ENDS
        for one, other in (pair, pair[::-1])
    )


def asks_turn(question: str) -> bool:
    """Tell whether a question asks when something begins or ends, and not for what is called so.

    >>> asks_turn("When does the shift end?"), asks_turn("When is the closing ceremony?")
    (True, False)
    """
    return _TURNS.search(question.strip(" ?!.")) is not None


def compare(question: str, about: str, own: str, context: str, cosine: float) -> tuple[float, ...]:
    """Return what `WEIGHTS` are for; `context` is the line with those beside it."""
    num_words = max(1, len(set(content_words(about))))
    missing, far = set(unmet(about, [own])), set(unmet(about, [context]))
    asked, elsewhere = has_kind(own, question), has_kind(context, question)
    strange = sum(bool(far & set(content_words(word))) for word in _NAME.findall(question))
    return (
        cosine,
        len(missing) / num_words,
        len(far) / num_words,
        float(len(far)),
        float(not asked),
        float(not elsewhere),
        float(asked and not has_kind("", question)),
        float(strange),
        1.0,
    )
