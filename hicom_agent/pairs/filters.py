"""What is not fit to train on: each rejection has a reason. Words of refusal and generic words are English.

Texts in other languages are left alone by these two, and held to the rest.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from hicom_agent.llm.grounding import content_words
from hicom_agent.pairs.terms import CATEGORIES

if TYPE_CHECKING:
    from hicom_agent.pairs.asking import Drafted, Reply

INSTRUCTION_WORDS, DESCRIPTION_WORDS = (3, 60), (4, 150)
LETTERS_A_WORD = 5  # for languages that put no blanks between words
ALIKE = 0.8  # of the words of two texts of one clip that are the same
SAME = 0.9  # of the words of two pairs of the whole set
COPIED_WORDS = 8  # of a caption in a row, from which on it is a copy
_CJK = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
_WORDS = re.compile(rf"{_CJK}|[^\W_]+(?:['\u2019-][^\W_]+)*")
_MEDIA = re.compile(r"<\s*/?\s*(?:image|video|audio|im_patch|vid_patch)\w*\s*/?\s*>", re.IGNORECASE)
_REFUSAL = re.compile(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model|(?:ai |virtual )?assistant)\b"
    r"|\bI(?:'m|\u2019m| am) (?:sorry|unable|not able|afraid)\b|\bI apologi[sz]e\b"
    r"|\bI (?:can(?:no|')?t|can\u2019t|can not|could not|couldn(?:'|\u2019)t|do not|don(?:'|\u2019)t) "
    r"(?:\w+ )?(?:see|view|watch|access|open|process|play|identify|assist|help|determine|tell|provide|have access)\b"
    r"|\bunable to (?:see|view|watch|determine|identify|tell|describe)\b"
    r"|\bno (?:video|image|picture|frame)s? (?:was|were|is|are|has been|have been) (?:provided|attached|given|shown)\b",
    re.IGNORECASE,
)
_UNSEEN = re.compile(
    r"\b(?:can ?not|can't|unable to|not possible to) be (?:seen|determined|identified|told)\b"
    r"|\b(?:is|are) not (?:visible|shown|discernible|provided|specified)\b",
    re.IGNORECASE,
)
_GENERIC = """
describe description tell summarize summarise summary summarization summarisation caption explain give write provide
list detail detailed brief briefly short shortly concise sentence word overview general overall main whole entire
full complete content contain event happen happening occur take place go going scene clip footage film movie picture
frame image sequence segment shot moment thing everything something anything topic theme subject about visible
present see seen look watch observe notice please me what which depict depicted display feature focus
"""
GENERIC = frozenset(word for text in _GENERIC.split() for word in content_words(text))


@dataclass(frozen=True, slots=True)
class Rejected:
    """A pair that is left out, or a reply."""

    reason: str
    instruction: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A pair that is fit to train on."""

    instruction: str
    description: str
    category: str


class Filter:
    """Tells pairs to keep from others, within a clip and against all that were kept before."""

    def __init__(self) -> None:
        self._seen = Duplicates(SAME)

    def remember(self, instruction: str, description: str) -> None:
        """Take a pair of an earlier run for known."""
        self._seen.add(content_words(f"{instruction} {description}"))

    def sort(self, reply: Reply) -> tuple[list[Kept], list[Rejected]]:
        """Return the pairs of a reply to keep, which are then known, and the others."""
        kept: list[Kept] = []
        rejected: list[Rejected] = []
        for pair in reply.pairs:
            reason = _fault(pair, reply.caption) or _repeats(pair, kept)
            words = content_words(f"{pair.instruction} {pair.description}")
            if not reason and self._seen.find(words):
                reason = "near-duplicate of another clip's"
            if reason:
                rejected.append(Rejected(reason, pair.instruction, pair.description))
            else:
                self._seen.add(words)
                kept.append(Kept(pair.instruction, pair.description, pair.category))
        return kept, rejected


class Duplicates:
    """Sets of words, of which those that share most of their words are found without comparing all.

    Two sets of which a share `least` is common must share one of their first few words, whatever the order of the
    words is, so only sets that share one of these are compared (prefix filtering); long words come first, for few
    sets have them.
    """

    def __init__(self, least: float) -> None:
        self._least = least
        self._sets: list[frozenset[str]] = []
        self._by_word: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, words: Sequence[str]) -> None:
        """Remember a text's words."""
        for word in self._first(words):
            self._by_word[word].append(len(self._sets))
        self._sets.append(frozenset(words))

    def find(self, words: Sequence[str]) -> bool:
        """Return whether a text with nearly the same words is known."""
        near = {number for word in self._first(words) for number in self._by_word.get(word, ())}
        return any(overlap(words, self._sets[number]) >= self._least for number in near)

    def _first(self, words: Sequence[str]) -> list[str]:
        ordered = sorted(set(words), key=lambda word: (-len(word), word))
        return ordered[: len(ordered) - ceil(self._least * len(ordered)) + 1]


def is_refusal(text: str) -> bool:
    """Tell whether a model says that it does not see or will not answer."""
    return bool(_REFUSAL.search(text))


def is_generic(instruction: str) -> bool:
    """Tell whether an instruction asks for the whole clip and points at nothing in it.

    >>> is_generic("Describe the video in detail."), is_generic("What happens to the red car?")
    (True, False)
    """
    words = content_words(instruction)
    return instruction.isascii() and all(word in GENERIC for word in words)


def overlap(left: Sequence[str] | frozenset[str], right: Sequence[str] | frozenset[str]) -> float:
    """Return the share of the words of both texts that both have; 0 for texts without words."""
    one, other = frozenset(left), frozenset(right)
    return len(one & other) / len(one | other) if one or other else 0.0


def count_words(text: str) -> int:
    """Return how many words a text has; of Chinese, Japanese and Korean each character counts.

    >>> count_words("A man's coat, dark-blue."), count_words("\u9ed1\u8272")
    (4, 2)
    """
    return len(_WORDS.findall(text))


def _fault(pair: Drafted, caption: str) -> str:
    """Return why a pair is not fit by itself, "" where it is."""
    if pair.category not in CATEGORIES:
        return "unknown category"
    if _MEDIA.search(pair.instruction) or _MEDIA.search(pair.description):
        return "a media tag in the text"
    if is_refusal(pair.description) or is_refusal(pair.instruction):
        return "refusal"
    if _UNSEEN.search(pair.description):
        return "description of what is not seen"
    if is_generic(pair.instruction):
        return "generic instruction"
    for name, text, limits in (
        ("instruction", pair.instruction, INSTRUCTION_WORDS),
        ("description", pair.description, DESCRIPTION_WORDS),
    ):
        if length := _length_fault(text, limits):
            return f"{name} {length}"
    return "description repeats the caption" if _copies(pair.description, caption) else ""


def _length_fault(text: str, limits: tuple[int, int]) -> str:
    num, letters = count_words(text), len(text)
    unspaced = not text.isascii() and letters >= LETTERS_A_WORD * limits[0]
    if num < limits[0] and not unspaced:
        return "too short"
    return "too long" if num > limits[1] or letters > 2 * LETTERS_A_WORD * limits[1] else ""


def _copies(description: str, caption: str) -> bool:
    """Tell whether a description says the caption again: nearly all of its words, or a stretch of it word for word."""
    if overlap(content_words(description), content_words(caption)) >= ALIKE:
        return True
    words = [word.casefold() for word in _WORDS.findall(description)]
    whole = " ".join(word.casefold() for word in _WORDS.findall(caption))
    return len(words) >= COPIED_WORDS and f" {' '.join(words)} " in f" {whole} "


def _repeats(pair: Drafted, kept: Sequence[Kept]) -> str:
    instruction, description = content_words(pair.instruction), content_words(pair.description)
    for other in kept:
        if overlap(instruction, content_words(other.instruction)) >= ALIKE:
            return "near-duplicate instruction"
        if overlap(description, content_words(other.description)) >= ALIKE:
            return "near-duplicate description"
    return ""
