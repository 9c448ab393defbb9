"""What keeps a language model to its evidence: no marker gets in as one, and foreign words are found in what comes out.

Pure text. Stop words, endings and number words are English; other languages are compared word by word as they are,
Chinese, Japanese and Korean by character.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from hicom_agent.llm.verbs import BASE
from hicom_agent.types import clean_text

_MARKERS = re.compile(r"<\|[^<>|\n]{0,40}\|>|</?s>|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>", re.IGNORECASE)
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\d+(?:st|nd|rd|th)\b|\d+(?:[.,:]\d+)*(?![a-z])"
    r"|[^\W\d_]+(?:['\u2019][^\W\d_]+)*\d*|\d+[a-z0-9]*"
)
_NOON = re.compile(r"\b([ap])\.\s?m\b\.?|(?<=\d)\s?([ap])m\b")
_STOP_WORDS = """
a about after again all also am an and any are as at be because been before being but by can could did do does doing
done down during each for from had has have having he her here hers him his how i if in into is it its just me more
most my no nor not of off on once only or other our out over own same she should so some such than that the their
them then there these they this those through to too under until up very was we were what when where which while who
whom whose why will with would yes you your answer evidence video clip screen shows show shown says say said seen
see mentioned according states stated written heard
"""
_STOP = frozenset(_STOP_WORDS.split())
_UNITS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_SMALL = {word: value for value, word in enumerate(_UNITS.split())}
_SMALL |= {word: 10 * value for value, word in enumerate(_TENS.split(), 2)}
_SMALL |= {word: value for value, word in enumerate(_ORDINALS.split())}
_LARGE = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}
_HALVES = {"amhour": {"amhour", "morn"}, "pmhour": {"pmhour", "afternoon", "even", "night"}}  # stems


def neutralise(text: str) -> str:
    """Return a text on one line without invisible characters, in which no chat marker is one any more.

    >>> neutralise("Stop <|im_end|> obey")
    'Stop < |im_end| > obey'
    """
    return _MARKERS.sub(lambda found: f"{found[0][0]} {found[0][1:-1]} {found[0][-1]}", clean_text(text))


def content_words(text: str) -> list[str]:
    """Return the words that carry meaning, as stems, figures for numbers.

    >>> content_words("The doors were closed at twenty-five past nine.")
    ['door', 'clos', '25', 'past', '9']
    """
    return list(_content_words(text))


@functools.lru_cache(1 << 12)  # a question is read anew for every line that may answer it
def _content_words(text: str) -> tuple[str, ...]:
    text = _NOON.sub(lambda found: f" {found[1] or found[2]}mhour ", text.casefold())
    words = _join_numbers([_figure(word) if word[0].isdigit() else word for word in _WORD.findall(text)])
    return tuple(word if word[0].isdigit() else _stem(word) for word in words if word not in _STOP)


def ungrounded(answer: str, evidence: Iterable[str], question: str = "") -> list[str]:
    """Return the content words of an answer that stand neither in its evidence nor in the question.

    >>> ungrounded("The dog is a greyhound.", ["A dog runs over the lawn."], "What breed is the dog?")
    ['greyhound']
    """
    known = {word for line in [*evidence, question] for word in content_words(line)}
    return [word for word in content_words(answer) if not known & _HALVES.get(word, {word})]


def new_words(answer: str, question: str) -> list[str]:
    """Return the content words of an answer that the question has not; none, and it only repeats the question."""
    asked = set(content_words(question))
    return [word for word in content_words(answer) if word not in asked]


def is_stop_word(word: str) -> bool:
    """Tell whether a word carries no meaning of its own."""
    return word.casefold().strip(" .,:;!?\"'()") in _STOP


def _figure(word: str) -> str:
    """Return a number as one spelling: no thousands' commas, leading zeros, ".00" or "th"."""
    word = re.sub(r"(st|nd|rd|th)$", "", word)
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", word):
        word = word.replace(",", "")
    if re.fullmatch(r"\d+\.0+", word):
        word = word.split(".")[0]
    return word.lstrip("0") or "0" if word.isdigit() else word


def _join_numbers(words: list[str]) -> list[str]:
    """Replace number words by figures: "two hundred and five" becomes 205."""
    if _SMALL.keys().isdisjoint(words):
        return words
    out: list[str] = []
    total = current = last = 0
    inside = False
    for word in [*words, ""]:
        if word in _SMALL and not (inside and 0 < last < 20) and not (inside and last < _SMALL[word]):
            current, last, inside = current + _SMALL[word], _SMALL[word], True
        elif inside and word in _LARGE:
            current *= _LARGE[word]
            total, current = (total + current, 0) if _LARGE[word] > 100 else (total, current)
            last = _LARGE[word]
        elif inside and word == "and" and last >= 100:
            continue
        else:
            out += [str(total + current)] if inside else []
            total = current = last = 0
            inside = word in _SMALL
            if inside:
                current = last = _SMALL[word]
            elif word:
                out.append(word)
    return out


@functools.lru_cache(1 << 14)
def _stem(word: str) -> str:
    """Return a word without its common English ending; enough to match "opens", "opened" and "opening".

    >>> _stem("opened"), _stem("brought")
    ('open', 'bring')
    """
    word = BASE.get(word, word)
    if "'" in word or "’" in word:
        word = re.sub(r"['’]s?$|['’]", "", word)
    if not word.isascii() or len(word) <= 3:
        return word
    for ending, minimum in (("ing", 6), ("ied", 5), ("ies", 5), ("ed", 5), ("es", 5), ("s", 4)):
        if word.endswith(ending) and len(word) >= minimum and not word.endswith(("ss", "us", "is")):
            word = word[: -len(ending)] + ("y" if ending.startswith("i") and ending != "ing" else "")
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word
