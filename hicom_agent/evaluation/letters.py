"""The option that a free answer means: the letter that stands first, else the text of an option, else a fallback."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from hicom_agent.evaluation.questions import LETTERS

FALLBACK = 2  # the third option, as the original's evaluation takes it
_SAID = r"(?:answer|option|choice)\b(?:\s+(?:is|would be|should be))?\s*:?\s*"


def parse_choice(text: str, options: Sequence[str], *, lettered: bool = True) -> int | None:
    """Return the index of the option that an answer means, None if it names none.

    "A" and "I" before a word in lower case are no letters; those in lower case count in brackets, before a mark, alone.
    No letter counts in an answer that is an option word for word ("C cuts the rope" is no C), nor in one whose
    question had none (not `lettered`).

    >>> [parse_choice(text, ["a dog", "a cat"]) for text in ("(b)", "The answer is B.", "Ⓑ", "b", "A cat sleeps", "?")]
    [1, 1, 1, 1, 1, None]
    """
    shown = unicodedata.normalize("NFKC", text).strip()
    words = _words(shown)
    whole = [i for i, option in enumerate(options) if " " in words and words == _words(option)]
    if whole:
        return whole[0]
    letter = _letter(shown, len(options)) if lettered else None
    return letter if letter is not None else _option(words, options)


def fallback(num_options: int) -> int:
    """Return what counts for an answer that names no option."""
    return min(FALLBACK, num_options - 1)


def _letter(text: str, count: int) -> int | None:
    upper = f"[{LETTERS[0]}-{LETTERS[count - 1]}]"
    both = f"[{LETTERS[0]}-{LETTERS[count - 1]}{LETTERS[0].lower()}-{LETTERS[count - 1].lower()}]"
    patterns = (
        rf"[\[(]\s*(?P<a>{both})\s*[\])]",  # in brackets
        rf"(?i:{_SAID})[\"'*]*(?P<b>{upper})(?![\w'])",
        rf"(?i:{_SAID})[\"'*]*(?P<c>{both})(?=\W*$)",
        rf"^\W*(?P<d>{both})\W*$",  # alone
        rf"^\W*(?P<e>{both})\s*[.):,](?=\s|$)",  # first, before a mark
        rf"(?<![\w'])(?![AI]\s+[a-z])(?P<f>{upper})(?![\w'])",  # anywhere, and no word
    )
    places = [match for pattern in patterns if (match := re.search(pattern, text))]
    if not places:
        return None
    first = min(places, key=lambda match: match.start(match.lastgroup or 0))
    return LETTERS.index(first[first.lastgroup or 0].upper())


def _option(told: str, options: Sequence[str]) -> int | None:
    """Return the one option whose words stand in the told ones; of options in one another the longest."""
    said = f" {told} "
    held = {i: words for i, option in enumerate(options) if (words := _words(option)) and f" {words} " in said}
    longest = [
        i for i, words in held.items() if not any(words != o and f" {words} " in f" {o} " for o in held.values())
    ]
    return longest[0] if len(longest) == 1 else None


def _words(text: str) -> str:
    """Return the words of a text, without articles, marks and case."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower())
    return " ".join(word for word in words if word not in ("a", "an", "the"))
