"""Whether two questions look for the same thing, so that what was compressed under one may answer the other.

A miss costs time, a false match gives a wrong answer. Sentence vectors cannot tell "a red car" from "a white car": they
only confirm. Both questions must come down to the same words in the same order, and only what is known to change
nothing is taken away: what only asks, articles, English endings, and synonyms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from hicom_agent.encode.guide import guide_text
from hicom_agent.llm.synonyms import STRICT, read_groups

if TYPE_CHECKING:
    from hicom_agent.types import Floats

ALIKE = 0.4  # cosine of the guides below which even the same words are not believed; the lowest that was right had 0.54
_FORMS = """
men man women woman children child people person persons person humans human feet foot teeth tooth mice mouse
geese goose knives knife wolves wolf shelves shelf wives wife buses bus oxen ox tomatoes tomato potatoes potato
cookies cookie movies movie ties tie ran run drove drive rode ride went go gone go goes go came come fell fall
stood stand sat sit ate eat drank drink threw throw wore wear flew fly swam swim spoke speak wrote write took take
gave give sang sing began begin got get has have had have having have lying lie dying die died die
one 1 two 2 three 3 four 4 five 5 six 6 seven 7 eight 8 nine 9 ten 10 eleven 11 twelve 12
"""
_PARTICIPLES = """
ridden ride driven drive eaten eat worn wear thrown throw held hold caught catch flown fly taken take given give
hurt hurt broken break written write built build shut shut chosen choose stolen steal torn tear shot shoot hit hit
cut cut fed feed made make brought bring hung hang sold sell paid pay won win
"""
_SETS = """
a an the this that these those who which some any is are was were be been being does did there please just really
actually exactly currently also ever
/ a an the this that these those his her their its my your our some any
/ in on under over above below behind beside near with without at to from into through of by and or around across
toward before after between off out up down past along wear
/ open empty clean dry wet dirty
/ black grey white red orange yellow green blue purple pink brown silver golden beige blond big small tall old young
full alone striped
/ man woman child person boy girl baby biker cyclist player driver officer singer worker rider
/ hat cap helmet scarf tie glasses eyeglasses sunglasses
/ hat cap helmet scarf tie shirt jacket coat suit dress skirt uniform sweater trousers jeans shorts vest hoodie apron
costume gown robe cape
/ glasses eyeglasses sunglasses clothes news woods jeans shorts pants trousers scissors binoculars lens gas bus leaves
stairs crossroads headphones goggles goods series species always towards perhaps his its this us as upstairs
downstairs herring ceiling railing clothing thing something nothing anything everything morning evening during earring
pudding wedding building meeting lighting painting drawing parking training need seed speed weed indeed hundred sacred
naked
"""
_NOT = re.compile(r"\b(?:no|not|never|without|nobody|none|nothing|neither|nor|except)\b|n['’]t\b", re.IGNORECASE)
_SHOT = r"(?:the |any |all |a )?(?:clip|scene|shot|moment|part|frame|section)s?"
_FLUFF = re.compile(
    rf"^(?:{_SHOT} (?:showing|that shows?|featuring|containing)|get to see|any signs? of|(?:an? |the )?appearances? of"
    r"|in (?:this|the) (?:video|clip|film|footage|movie|recording)(?= (?:is|are|was|were|does|do|did|can)\b))\b"
    r"|\b(?:for the first time|at some point|at all|(?:that )?(?:you|we) (?:can )?see)\b"
    r"|\b(?:com(?:e|es|ing) (?:into|in) (?:view|sight|the picture|shot|frame)|on[ -]screen|occurs?|takes? place)$"
)
_IS = re.compile(r"\b(?:is|are|was|were|be|been|being|gets?|got|getting)\b(?! there)", re.IGNORECASE)
_DOES = re.compile(r"\b(?:does|do|did|can|could|will|would)\b", re.IGNORECASE)
# stems that lost an "e" with their ending: rid(ing), danc(ing), clos(ing), juggl(ing), includ(ing)
_LOST_E = re.compile(
    r"^[^aeiou]*[aeiou][^aeiouwxys]$|(?:[vcuz]|[^s]s|[rd]g|[bcdfgkpt]l|[tw]ast|chang)$"
    r"|[aeiouy].*[^aeiou](?:at|id|ud|od|ib|um|ir|ur|ag)$"
)
_TOKEN = re.compile(r"-?\w+(?:[.,:]\w+)*|[^\w\s.,;:!?'\"()’“”…–-]")


def _pairs(text: str) -> dict[str, str]:
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


FORMS, PARTICIPLES = _pairs(_FORMS), _pairs(_PARTICIPLES)
# states are verbs as well: the door is open, the man opens it; whole words have no ending
DROPPED, ARTICLES, PREPOSITIONS, STATES, ADJECTIVES, PEOPLE, WORN, CLOTHES, WHOLE = (
    frozenset(text.split()) for text in _SETS.split("/")
)


def same_look(
    asked: str, earlier: Sequence[str], encode: Callable[[Sequence[str]], Floats], vectors: Floats | None = None
) -> int | None:
    """Return which of the `earlier` questions looks for the same as `asked`, the most alike; None if none does.

    `encode` gives unit sentence vectors [n, d]; `vectors`, where known, are those of the guides of `earlier`. Nothing
    is encoded where no question has the same words.
    """
    wanted = look_words(asked)
    same = [i for i, question in enumerate(earlier) if look_words(question) == wanted]
    if not same:
        return None
    theirs = encode([guide_text(earlier[i]) for i in same]) if vectors is None else vectors[same]
    likeness = theirs @ encode([guide_text(asked)])[0]
    best = int(np.argmax(likeness))
    return same[best] if likeness[best] >= ALIKE else None


@lru_cache(maxsize=2048)  # a follow-up is compared with all that was asked before
def look_words(question: str) -> tuple[str, ...]:
    """Return what a question looks for, in words that are equal where two questions look for the same.

    >>> look_words("When does the big automobile appear?") == look_words("How often is a large car seen?")
    True
    """
    guide = guide_text(re.sub(r"\b(?:can|could|may|might|will|would) be\b", "is", question))
    text = re.sub(r"['’]s\b", "", _FLUFF.sub(" ", guide))
    words = _TOKEN.findall(re.sub(r"(?<=\w)-(?=\w)", " ", text))
    is_done = _IS.search(question) is not None
    who = re.search(r"\bwho\b", question, re.IGNORECASE) and words and words[0] not in ARTICLES and "who" not in words
    bases = ["person"] if who else []  # "who sings"
    bases += _bases(words, question, "person" if who else "", is_done)
    if len(bases) > 1 and bases[-1] in ("something", "anything"):
        bases.pop()  # "what does she hold"
    found = _order(_dress(_join(bases)), is_done)
    if _NOT.search(question):
        found.append("not")
    return tuple(found) or (question.strip().lower(),)


def _bases(words: list[str], question: str, first: str, is_done: bool) -> list[str]:
    """Return the words that count, without their endings; `first` stands before them."""
    does = _DOES.search(question) is not None
    # "Guy" and "US" are names: they have no synonyms and no endings, and are never left out
    names = set() if question.isupper() else {name.lower() for name in re.findall(r"(?<=\S\s)[A-Z]\w+", question)}
    found: list[str] = []
    for before, word, after in zip([first, *words], words, [*words[1:], ""], strict=False):
        if word in names and word != "tv":
            found.append("=" + word)
        elif word in DROPPED or (word in ("has", "have", "had") and _base(after, "", "")[-1:] == "~"):
            continue
        elif PARTICIPLES.get(word) == word and not is_done:
            found.append(word)  # "who hit it"
        elif word in STATES and (not before or before in ARTICLES or not does):
            found.append(word + "~")
        else:
            found.append(_base(word, before, "" if is_done else after))
    return found


def _base(word: str, before: str, after: str) -> str:
    """Return a word without its English ending; "~" follows what has been done to a thing.

    >>> _base("riding", "man", "a"), _base("parked", "a", "car"), _base("opened", "man", "the"), _base("capes", "", "")
    ('ride', 'park~', 'open', 'cape')
    """
    making = word.endswith("ing") and after in ARTICLES  # "building a house", not "a building"
    if word in FORMS or (word in WHOLE and not making) or not word.isascii():
        return FORMS.get(word, word)
    done, doing = (re.fullmatch(rf"(\w*[aeiouy]\w*){ending}", word) for ending in ("(?<!e)ed", "ing"))
    if done or word in PARTICIPLES:
        verb = _restore(done[1]) if done else PARTICIPLES[word]
        return verb if after in ARTICLES else verb + "~"
    if doing and before and before not in ARTICLES and before not in PREPOSITIONS:  # "fishing", "a fishing boat"
        return _restore(doing[1])
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return re.sub(r"(?<=\w\w[^sui])s$", "", re.sub(r"(ch|sh|x|ss|zz)es$", r"\1", word))


def _restore(stem: str) -> str:
    if re.search(r"([^aeioulsfz])\1$", stem) and len(stem) > 3:
        return stem[:-1]
    if stem.endswith("i") and stem != "ski":
        return stem[:-1] + "y"
    return stem + "e" * bool(_LOST_E.search(stem))


def _join(words: list[str]) -> list[str]:
    """Return the words with each name that has synonyms as the first of them; the longest name wins."""
    found: list[str] = []
    i = 0
    while i < len(words):
        size = next((n for n in range(LONGEST, 0, -1) if tuple(words[i : i + n]) in SYNONYMS), 1)
        bare = words[i].rstrip("~")
        word = SYNONYMS.get((bare,), bare) + words[i][len(bare) :]
        found.append(SYNONYMS.get(tuple(words[i : i + size]), word))
        i += size
    return found


def _is_adjective(word: str) -> bool:
    return word in ADJECTIVES or word.endswith("~")


def _dress(words: list[str]) -> list[str]:
    """Return the words with "wear" where people are "in" or "with" clothes."""
    found = list(words)
    for i, word in enumerate(words):
        worn = next((other for other in words[i + 1 :] if not _is_adjective(other)), "")
        on_people = i > 0 and words[i - 1].split()[-1] in PEOPLE
        if word == "wear" or (on_people and worn in {"with": WORN, "in": CLOTHES}.get(word, ())):
            found[i] = "wear"
            if worn == "glasses":
                found[words.index(worn, i)] = "eyeglasses"
    return found


def _order(words: list[str], is_done: bool) -> list[str]:
    """Return the doer before what is done, and what a thing is like before the thing."""
    i = words.index("by") if is_done and words.count("by") == 1 else 0
    if 1 < i < len(words) - 1 and words[i - 1].endswith("~"):
        words = [*words[i + 1 :], words[i - 1].rstrip("~"), *words[: i - 1]]
    found: list[str] = []
    for word, after in zip(words, [*words[1:], "and"], strict=False):
        follows = _is_adjective(word) and after in PREPOSITIONS and bool(found) and found[-1] not in PREPOSITIONS
        found.insert(len(found) - follows, word)
    return found


def _synonyms() -> dict[tuple[str, ...], str]:
    """Return by the stems of each name the first of its group."""
    return {
        tuple(word if word.endswith("~") else _base(word, "a man", "") for word in name.split()): group[0]
        for group in read_groups(STRICT)
        for name in group
    }


SYNONYMS = _synonyms()
LONGEST = max(map(len, SYNONYMS))
