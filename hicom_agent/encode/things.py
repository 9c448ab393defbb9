"""From the words of a question to the classes that would show it, and to what no class can show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hicom_agent.encode.colours import COLOURS, find_colours
from hicom_agent.encode.labels import Labels

Role = Literal["main", "context", "person"]

LONGEST = 4  # words of a name
_WORD = re.compile(r"[a-z0-9']+(?:-[a-z]+)*")
_PLURALS = {"people": "people", "men": "man", "women": "woman", "children": "child", "mice": "mouse", "knives": "knife",
            "geese": "goose", "sheep": "sheep", "wolves": "wolf", "leaves": "leaf", "shelves": "shelf", "feet": "foot",
            "teeth": "tooth", "calves": "calf", "loaves": "loaf", "scarves": "scarf", "hooves": "hoof", "oxen": "ox",
            "taxis": "taxi", "skis": "ski", "bikinis": "bikini", "menus": "menu", "lenses": "lens", "axes": "axe",
            "potatoes": "potato", "tomatoes": "tomato", "mangoes": "mango", "volcanoes": "volcano", "buses": "bus",
            "mosquitoes": "mosquito", "buffaloes": "buffalo", "cookies": "cookie", "smoothies": "smoothie",
            "hoodies": "hoodie", "movies": "movie", "brownies": "brownie"}  # fmt: skip
# words that are another word without their s, or no word
_KEEP = """
glasses sunglasses jeans trousers pants scissors binoculars bus gas lens grass shorts tights leggings overalls fries
crisps chips sweets woods rapids weights scales scrubs does christmas
"""
_PREPOSITIONS = """
in on at through into onto near by from along behind past over under across down up to of inside outside around beside
between against during next front cross crosses crossing enter enters entering leave leaves leaving pass passes passing
"""
# names of classes that are more often something else in a question; they need an article before them
_DOUBTFUL = """
pick file bow swing safe stole rule hook slot iron switch fly drive whistle scale screw nail chest pole hip ear wing
drum plane hammer sock pot brass ski paddle mask bonnet torch picket stage screen pen ring reel crane ram ruler lighter
mortar chain bucket match spot bar face back park box head glass light watch star seat turn play tank tie sign ball tool
bug seal jet bat hand board coat cap wall plant water leaf cook guard drink grill drill lock stable
rake mop brush sink tap counter stream swallow shower rose cape trailer bin drop wind storm dust steam fan tart litter
cast sail rail camp lounge harvest thread pet port shell
"""
# those of them that are verbs after a name: the man leaves, a dog drinks
_DOING = """
swing switch fly drive whistle screw nail hammer ski paddle ring match park back watch turn play sign seal plant water
leaf cook guard drink drill lock rake mop brush swallow drop sail camp
"""
# names of classes, or their last words, that mean something else in a question: a slide is no hair slide, AI no sloth
_OTHERWISE = """
admiral ai aid bandit bank beam beast beauty bill bob brace bullet can carrier case cell center comfort control cover
engine essence facility feeder filter german grey gray hack helper home hopper hot howler interpreter jack killer
machine mail maker mike mini monster net opener organ pack packet paper pipe place platform pointer powder press puff
pump rack remote rig rocker rouge rubber s shade shuttle signal site slide spike spiral spray stick system t tick track
trump trunk unit upright v web website wrapper
"""
_ARTICLES = """
a an the any some this that these those his her their its my your one two three several many
"""
_SHOWING = """
appear appears appearing come comes coming go goes going drive drives driving ride rides riding walk walks walking run
runs running move moves moving show shows present visible seen shown wear wears wearing have has somewhere anywhere ever
other another
"""
KEEP, PREPOSITIONS, DOUBTFUL, DOING, OTHERWISE, ARTICLES, SHOWING = (
    frozenset(text.split()) for text in (_KEEP, _PREPOSITIONS, _DOUBTFUL, _DOING, _OTHERWISE, _ARTICLES, _SHOWING)
)


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a frame must have one of some colours: what fills a picture, as grass does, has a colour."""

    colours: tuple[str, ...]
    least: float  # of the cells that count, 0 to 1
    above: bool = False  # only the upper third counts


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing that is asked for."""

    name: str
    classes: tuple[int, ...]  # none: the encoder cannot see such things
    role: Role
    colour: str = ""  # that it should have
    share: Share | None = None  # that a frame must have
    guessed: bool = False  # its classes are only close to it in meaning


class Vocabulary:
    """Everyday names from a file, and the classes' own names for what the file does not have."""

    def __init__(self, path: Path, labels: Labels) -> None:
        self._classes: dict[tuple[str, ...], tuple[int, ...]] = {}
        self._persons: set[tuple[str, ...]] = set()
        self._shares: dict[tuple[str, ...], Share] = {}
        self.everyday: dict[str, tuple[int, ...]] = {}  # names by which a frame is described, and their classes
        self._read(path.read_text(encoding="utf-8"))
        self._add_labels(labels)

    def find(self, text: str) -> list[Thing]:
        """Return the things that `text` names, in order; the longest name wins."""
        words = [singular(word) for word in _WORD.findall(text.lower())]
        colours = find_colours(words)
        things: list[Thing] = []
        after_preposition = False
        for i, name in self._names(words):
            if not name:
                after_preposition = after_preposition or (words[i] in PREPOSITIONS and bool(things))
                continue
            of_next = bool(self._longest_name(words, i + len(name)))  # a stone arch need not look like stone
            role: Role = "person" if name in self._persons else "context" if after_preposition or of_next else "main"
            colour = next((colours[j] for j in range(i - 1, max(-1, i - 3), -1) if j in colours), "")
            things.append(Thing(" ".join(name), self._classes[name], role, colour, self._shares.get(name)))
            after_preposition = after_preposition and of_next
        return things

    def left_over(self, text: str) -> list[str]:
        """Return the words of `text`, in order, that name no thing, colour or place and do more than say: it shows."""
        given = _WORD.findall(text.lower())
        words = [singular(word) for word in given]
        colours = find_colours(words)
        rest = [i for i, name in self._names(words) if not name]
        return [given[i] for i in rest if i not in colours and not {given[i], words[i]} & (PREPOSITIONS | SHOWING)]

    def _names(self, words: list[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Yield where each name stands, and where a word stands that is part of none, with no name."""
        i = 0
        while i < len(words):
            name = self._longest_name(words, i)
            yield i, name
            i += max(1, len(name))

    def _longest_name(self, words: list[str], start: int) -> tuple[str, ...]:
        for length in range(min(LONGEST, len(words) - start), 0, -1):
            name = tuple(words[start : start + length])
            if length == 1 and name[0] in COLOURS and self._longest_name(words, start + 1):
                continue  # an orange car is no orange
            doubtful = length == 1 and (name[0] in DOUBTFUL or name[0] in COLOURS) and start > 0
            if name in self._classes and not (doubtful and not self._after_article(words, start)):
                return name
        return ()

    def _after_article(self, words: list[str], start: int) -> bool:
        if words[start] in DOING and (words[start - 1],) in self._classes:
            return False
        return bool(ARTICLES & set(words[max(0, start - 2) : start])) or words[start - 1] in PREPOSITIONS

    def _read(self, text: str) -> None:
        person = sought = False
        for line in text.splitlines():
            if line.startswith("#"):
                person, sought = line.startswith("# people"), line.startswith("# sought")
            elif line.strip():
                names, _, told = line.partition(":")
                numbers = told.split()
                share = _read_share(numbers.pop()) if ">" in told else None
                classes = tuple(sorted(set(_expand(numbers))))
                name = names.split(",")[0]
                if classes and not sought and (not person or name == "person"):
                    self.everyday[name] = classes
                for name in names.split(","):
                    key = tuple(singular(word) for word in name.split())
                    self._classes[key] = classes
                    if person and classes:
                        self._persons.add(key)
                    if share:
                        self._shares[key] = share

    def _add_labels(self, labels: Labels) -> None:
        """Add each class under its own names, and under the last word of names that several classes share."""
        found: dict[tuple[str, ...], set[int]] = {}
        for number, names in enumerate(labels.names):
            for name in names:
                key = tuple(singular(word) for word in _WORD.findall(name.lower()))
                found.setdefault(key, set()).add(number)
                found.setdefault(key[-1:], set()).add(number)
        for key, numbers in found.items():
            if len(key) > 1 or key[0] not in OTHERWISE:
                self._classes.setdefault(key, tuple(sorted(numbers)))


def singular(word: str) -> str:
    """Return the singular of an English noun, by rule.

    >>> [singular(word) for word in ("cars", "buses", "berries", "glass", "knives")]
    ['car', 'bus', 'berry', 'glass', 'knife']
    """
    if word in KEEP or len(word) <= 3 or not word.endswith(("s", "men", "people", "children", "mice", "geese")):
        return _PLURALS.get(word, word)
    if word in _PLURALS:
        return _PLURALS[word]
    if len(word) == 4 and word.endswith("ies"):
        return word[:-1]  # ties, pies
    for ending, replacement in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("sses", "ss"),
                                ("ouses", "ouse"), ("uses", "us"), ("men", "man"), ("ss", "ss"), ("us", "us"),
                                ("is", "is"), ("s", "")):  # fmt: skip
        if word.endswith(ending):
            return word[: len(word) - len(ending)] + replacement
    return word


def _read_share(text: str) -> Share:
    """Return what the last word of a line tells: blue+white>0.35, or blue+white>0.35-above."""
    colours, _, least = text.partition(">")
    return Share(tuple(colours.split("+")), float(least.removesuffix("-above")), least.endswith("-above"))


def _expand(numbers: list[str]) -> Iterable[int]:
    for part in numbers:
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)
