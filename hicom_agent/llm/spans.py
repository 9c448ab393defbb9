"""Short answers that stand in the evidence word for word, and whether the evidence holds what a question asks for.

A 135M model that writes freely is right in fewer than half of the answerable questions and makes something up for
most of the others; the same model choosing among the spans of the best line is right in nearly all, and can say only
what was said. Its likelihoods tell an answerable question from another hardly better than a coin; whether the
question's own words stand in the evidence tells it far better (`benchmarks/small_llm.py`). Pure text, English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from hicom_agent.llm.grounding import content_words, is_stop_word
from hicom_agent.llm.kinds import (
    CLOCK_TIME,
    COLOUR,
    DATED,
    FIGURES,
    NAME,
    PRICE,
    TIME,
    asked_kinds,
    asks_for,
    asks_no_value,
    with_figures,
)
from hicom_agent.llm.synonyms import LOOSE, STRICT, read_groups

_LIGHT_WORDS = """
need get go use make take give happen people person someone anyone somebody anybody thing may might must shall let
want kind sort type mean tell know call film movie scene footage speaker please exactly moment first last new come
next line sentence per anything something everything nothing everybody everyone nobody
recipe list menu timetable schedule programme notice board card banner announcement poster kept occasion
"""
_LIGHT = frozenset(content_words(_LIGHT_WORDS))
# said of labels without a word: "Ferry. Afternoon 14:40" does not say that it leaves
_TACIT_WORDS = """
leave depart go run start begin take happen cost pay charge keep kept find found put lie lay stand hang need get serve
sell last begins get reach
"""
_TACIT = frozenset(content_words(_TACIT_WORDS))
_WHO = re.compile(r"(?:and )?who\b", re.IGNORECASE)
_IS_DONE = re.compile(  # a passive names nobody: what begins with its participle is no person
    r"\b(?:is|are|was|were|been|being) (?=((?:[a-z]+ly )?)((?!called|named|nicknamed|crowned|titled)[a-z]+ed\b[^,;.]*))"
)
_PLACE_OR_THING = re.compile(  # no time is one
    r"(?:and )?(?:(?:at|by|for|from|in|on|to|with) )?(?:which|what) (?:platform|gate|floor|room"
    r"|door|street|road|track|pier|dock|seat|hall|building|house|city|town|country|island|person|man|woman|animal)\b",
    re.IGNORECASE,
)
_ASKS_FIGURE = re.compile(
    r"(?:and )?(?:how much (?:is|are|was|were|does|do|did)\b.*|how many\b.*|(?:at )?(?:what|which) time (?!of)\b.*"
    r"|what (?:is|was) the (?:price|fare|fee|admission)\b.*|what (?:does|do|did) .+ cost)",
    re.IGNORECASE,
)
_HOW_MANY = re.compile(r"\bhow many (\w+)", re.IGNORECASE)
_WHERE = re.compile(r"(?:and )?where\b", re.IGNORECASE)
_TIME_WORDS = """
half quarter past hour minute day week weekend month year every morning afternoon evening night noon midnight today
tomorrow monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
september october november december amhour pmhour euro dollar pound cent
"""
_TIMES = frozenset(content_words(_TIME_WORDS)) | {"amhour", "pmhour"}
_PLACE_WORDS = """
in on at under behind beside near inside outside above below between over into onto by to
"""
_PLACES = frozenset(_PLACE_WORDS.split())
_ARTICLE_WORDS = """
the a an my your his her its our their this that
"""
_ARTICLES = frozenset(_ARTICLE_WORDS.split())
_MEETING = [{stem for name in group for stem in content_words(name)} for group in read_groups(f"{STRICT}\n{LOOSE}")]
_KIN = {stem: frozenset().union(*(group for group in _MEETING if stem in group)) for stem in set().union(*_MEETING)}
_NO_KIN: frozenset[str] = frozenset()
_PART_OF_DAY = {"morn": range(4, 12), "afternoon": range(12, 18), "even": range(17, 24), "night": range(20, 24)}


def unmet(question: str, evidence: Iterable[str]) -> list[str]:
    """Return the words of a question that nothing in the evidence answers to; with none, an answer is likely there.

    A word that asks for a kind of answer ("how many", "what colour", "name") is met by such an answer, a synonym
    meets a word, and what labels leave unsaid ("leaves", "costs") is met where they say nothing else of the kind.

    >>> unmet("How much sugar is needed?", ["Stir in two cups of flour."])
    ['sugar']
    >>> unmet("When does the afternoon ferry leave?", ["FERRY. Morning 8:15. Afternoon 14:40"])
    []
    """
    lines = list(evidence)
    known = {word for line in lines for word in content_words(line)}
    text, starts = "\n".join(map(with_figures, lines)), {word[:5] for word in known}
    asked = [word for word in content_words(question) if word not in _LIGHT]
    missing = [word for word in asked if not _is_met(word, known, starts, text)]
    if known & _TACIT:
        return missing
    return [word for word in missing if word not in _TACIT]


def is_particular(question: str) -> bool:
    """Tell whether any word of a question names something of its own: persons and things are everywhere.

    >>> is_particular("Is there a person?"), is_particular("Is there a ferry?")
    (False, True)
    """
    return any(word not in _LIGHT for word in content_words(question))


def answer_spans(line: str, question: str, max_words: int = 6) -> list[str]:
    """Return the stretches of a line that may answer a question: few words, some that carry meaning, none asked with.

    >>> answer_spans("The ferry leaves at half past ten.", "When does the ferry leave?", max_words=3)
    ['half past ten', 'past ten', 'ten']
    """
    words, asked = line.split(), set(content_words(question))
    spans: list[str] = []
    placed: list[str] = []  # those that a word of place leads to
    for start in (i for i, word in enumerate(words) if not is_stop_word(word)):
        for end in range(start + 1, min(len(words), start + max_words) + 1):
            span = " ".join(words[start:end]).strip(" .,:;!?\"'()")
            carried = content_words(span)
            if asked & set(carried):
                break
            if carried and not is_stop_word(words[end - 1]):
                spans.append(span)
                placed += [span] if _leads_to_place(words[:start]) else []
    if _WHERE.match(question) and placed:
        spans = placed
    if _WHO.match(question):
        done = [told for adverb, verb in _IS_DONE.findall(line) for told in (adverb + verb, verb)]
        spans = [span for span in spans if not any(told.startswith(span) for told in done)]
        names = set(NAME.findall(line))
        spans = [span for span in spans if set(span.split()) <= names] or spans
    if _PLACE_OR_THING.match(question):
        times = [span for span in spans if _is_time(span)]
        spans = [span for span in spans if not any(span in told for told in times)]
    if asks_no_value(question):
        spans = [span for span in spans if not _is_time_or_price(span)]
    return _of_kind(list(dict.fromkeys(spans)), question)


def lacks_answer(line: str, question: str) -> bool:
    """Tell whether a line has nothing that can be the person, place, reason or sort of thing that a question asks for.

    >>> lacks_answer("The barrier was repaired on Thursday.", "Who broke the barrier?")
    True
    >>> lacks_answer("It leaves at half past nine.", "Which platform does it leave from?")
    True
    """
    return bool(asks_no_value(question) or _PLACE_OR_THING.match(question)) and not answer_spans(line, question)


def _is_time_or_price(span: str) -> bool:
    """Tell whether a span tells a day, a time or a price and nothing else."""
    return all(word[0].isdigit() or word in _TIMES for word in content_words(span))


def _is_time(span: str) -> bool:
    """Tell whether a span is a time in so many words, and not a mere figure."""
    return _is_time_or_price(span) and (":" in span or any(word in _TIMES for word in content_words(span)))


def _leads_to_place(words: list[str]) -> bool:
    """Tell whether the last words before a span are a word of place, with an article or none."""
    before = [word.lower() for word in words[-2:]]
    return bool(before) and (before[-1] in _PLACES or (before[-1] in _ARTICLES and before[0] in _PLACES))


def asked_values(line: str, question: str) -> set[str]:
    """Return the figures, colours, times or names of a line, where the question asks for such; none if it does not.

    >>> asked_values("The ferry leaves at half past ten.", "At what time does the ferry leave?")
    {'10'}
    """
    asked = set(content_words(question))
    return {
        word
        for kind in asked_kinds(question)
        for word in content_words(line)
        if word not in asked and (word.isdigit() if kind in FIGURES else kind.fullmatch(word))
    }


def has_kind(text: str, question: str) -> bool:
    """Tell whether a text holds an answer of the strictest kind that the question asks for; true if of none.

    >>> has_kind("Car park. Camera 3", "What does parking cost?"), has_kind("Fee: 2 euros", "What does parking cost?")
    (False, True)
    """
    kinds = asked_kinds(question)
    return not kinds or (_is_counted(text, question) and kinds[0].search(with_figures(text)) is not None)


def lacks_kind(text: str, question: str) -> bool:
    """Tell whether a text has no price, time or figure where one is plainly asked for; a time is no price, nor a date.

    >>> lacks_kind("Tour at 11:20", "How much is the tour?"), lacks_kind("Tour: 3 euros", "How much is the tour?")
    (True, False)
    >>> lacks_kind("The exam is on 9 June.", "At what time is the exam?")
    True
    """
    if _ASKS_FIGURE.match(question.strip(" ?!.")) is None:
        return False
    kinds = asked_kinds(question)
    strange = {PRICE: CLOCK_TIME, TIME: DATED}.get(kinds[0]) if kinds else None
    left = with_figures(strange.sub(" ", text) if strange else text)
    return bool(kinds) and not any(kind.search(left) for kind in kinds)


def _is_counted(text: str, question: str) -> bool:
    """Tell whether a text that names what "how many" asks for has a number beside it; true if it does not name it.

    >>> _is_counted("The engineers waited eleven days.", "How many engineers were there?")
    False
    """
    found = _HOW_MANY.search(question)
    counted = set(content_words(found[1])) - _LIGHT if found else set()
    words = content_words(text)
    places = [i for i, word in enumerate(words) if word in counted]
    return not places or any(word[0].isdigit() for i in places for word in words[max(0, i - 2) : i + 2])


def _of_kind(spans: list[str], question: str) -> list[str]:
    """Return the spans that hold a figure, a colour or a time if such is asked for and any does, else all."""
    for kind in asked_kinds(question):
        spans = [span for span in spans if kind.search(with_figures(span))] or spans
        if kind is TIME:
            spans = [span for span in spans if re.search(r"\d", with_figures(span))] or spans
        if kind is COLOUR:
            spans = [span for span in spans if kind.fullmatch(span)] or spans
    return spans


def _is_met(word: str, known: set[str], starts: set[str], text: str) -> bool:
    if word in known or not _KIN.get(word, _NO_KIN).isdisjoint(known):
        return True
    if len(word) >= 5 and word[:5] in starts and any(_is_one_word(word, other) for other in known):
        return True
    return asks_for(word, text) or _is_part_of_day(word, text)


def _is_part_of_day(word: str, text: str) -> bool:
    hours = _PART_OF_DAY.get(word)
    return hours is not None and any(int(hour) in hours for hour in re.findall(r"\b(\d{1,2})[:.]\d{2}\b", text))


def _is_one_word(one: str, other: str) -> bool:
    """Tell whether two stems are one word in two shapes: narrator and narrated, departure and departs."""
    shared = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return shared >= 5 and shared >= 0.6 * max(len(one), len(other))
