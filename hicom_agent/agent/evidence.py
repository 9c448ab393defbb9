"""Pieces of evidence for one question from what was said and written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeVar

from hicom_agent.agent.fusion import cap, fuse
from hicom_agent.agent.reading import (
    MENTIONED_FROM,
    READ_FROM,
    lacks_particular,
    line_support,
    needs_before,
    with_rank,
)
from hicom_agent.llm.excerpt import split_sentences
from hicom_agent.types import Citation, Modality, ScreenText, Utterance, timecode

if TYPE_CHECKING:
    import numpy as np

    from hicom_agent.memory import Store
    from hicom_agent.types import Floats

Window = tuple[float, float]  # seconds
# strength from which a moment counts as showing it: benchmarks/nano_search.py finds so 0.80 and 0.94 of what its films
# hold (tuning and reported half) and 0.07 and 0.11 of what they do not; from 0.45 on 0.70, 0.94, and 0.04 to 0.06
SEEN_FROM = 0.35
SURELY_SEEN_FROM = 0.45  # below it an answer says "probably"
Kind = Literal["speech", "texts"]
Pick = Literal["", "first", "second", "third", "fourth", "fifth", "last"]  # of several moments
PLACES: dict[Pick, int] = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1}
KINDS: tuple[Kind, ...] = ("speech", "texts")
MODALITY: dict[Kind, Modality] = {"speech": "speech", "texts": "text"}
Row = Utterance | ScreenText
ALWAYS: Window = (0.0, math.inf)
Found = list[tuple[str, int, float]]  # video id, index, score; best first
Rank = Callable[[str, Sequence[str]], "Floats | None"]  # log odds that lines bear on a text; None without a model
T = TypeVar("T")
RANKED, RANKED_FROM = 24, 0.03  # lines read together with the question, likeliest first; support that they need
LABELS = 6  # sentences of a line that are read one by one with the question
TERSE = -3.0  # log odds of a label that answers in two words ("Children: free"); below it lines do not differ
SENTENCES_OF = 12  # likeliest lines whose sentences are read one by one
SENTENCE_CHARS = 4
BREATH_S = 4.0  # a silence after which what is said is no more about the same


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stretch of a video and what it shows of an answer."""

    video_id: str
    modality: Modality
    start_s: float
    end_s: float
    support: float  # 0 to 1: how surely this bears on the question
    text: str  # words said, words written, or what is seen
    index: int = -1  # row of the utterance or text, or of the kept frame
    context: str = ""  # the words with those beside them: said right before and after, or on the screen together
    before: str = ""  # the line said right before, where this one needs it to answer

    @property
    def spelled_out(self) -> str:
        """Return the words with the line that names what a pronoun in them stands for."""
        return f"{self.before} {self.text}" if self.before else self.text


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as lines are read for it."""

    text: str
    vector: np.ndarray  # of the text, among sentences
    about: str  # the text without words that only say where to look
    topical: bool = False  # it asks when something is said or shown, not what
    encode: Callable[[Sequence[str]], Floats] | None = None  # sentences: a card is as near as the nearest of its labels
    rank: Rank | None = None


def find_lines(
    store: Store, asked: Asked, videos: Sequence[str], limit: int, per_video: int | None = None
) -> list[Evidence]:
    """Return what was said and what was written that bears on the question."""
    return [piece for kind in KINDS for piece in find_words(store, kind, asked, videos, limit, per_video)]


def find_words(
    store: Store, kind: Kind, asked: Asked, videos: Sequence[str], limit: int, per_video: int | None = None
) -> list[Evidence]:
    """Return what was said (or written) that bears on the question, most surely first, `per_video` of each video."""
    dense = store.search_vectors(kind, asked.vector, limit, list(videos), per_video=per_video)
    exact = store.search_words(kind, asked.text, limit, list(videos), per_video=per_video)
    cosine = {(video_id, index): score for video_id, index, score in dense}
    fused = fuse([[(v, i) for v, i, _ in dense], [(v, i) for v, i, _ in exact]])
    keys = cap(list(fused), per_video or limit, lambda key: key[0])[:limit]
    found, pieces = [], _pieces(store, kind, keys)
    nearest = nearest_sentences(asked, pieces[:SENTENCES_OF])
    for number, (key, piece) in enumerate(zip(keys, pieces, strict=True)):
        near = max(cosine.get(key, 0.0), nearest.get(number, 0.0))
        before = piece.before if needs_before(piece.text, piece.before, asked.about) else ""
        piece = replace(piece, before=before)
        told = (asked.text, asked.about, piece.spelled_out, piece.context, near)
        found.append(replace(piece, support=line_support(*told, topical=asked.topical)))
    return _rank(asked, sorted(found, key=lambda piece: -piece.support))


def _rank(asked: Asked, found: list[Evidence]) -> list[Evidence]:
    """Return lines, most surely first, with the support that the likeliest have when read with the question."""
    likely = likely_lines(found)
    scores = rank_scores(asked, likely)
    if scores is None:
        return found
    read = []
    for piece, score in zip(likely, scores, strict=True):
        support = with_rank(piece.support, score, topical=asked.topical)
        most = piece.support if asked.topical and lacks_particular(asked.about, piece.text) else 1.0
        read.append(replace(piece, support=min(support, most)))
    return sorted([*read, *found[len(likely) :]], key=lambda piece: -piece.support)


def likely_lines(found: Sequence[Evidence]) -> list[Evidence]:
    """Return those of lines, most surely first, that are worth reading together with the question."""
    return [piece for piece in found[:RANKED] if piece.support >= RANKED_FROM]


def rank_scores(asked: Asked, pieces: Sequence[Evidence]) -> list[float] | None:
    """Return the log odds that each line bears on what is asked, as its best sentence does; None without a model."""
    if asked.rank is None or not pieces:
        return None
    in_parts = 0 if asked.topical else SENTENCES_OF
    told = [[p.spelled_out, *(_under_heading(p.text) if i < in_parts else ())] for i, p in enumerate(pieces)]
    scores = asked.rank(asked.about if asked.topical else asked.text, [text for texts in told for text in texts])
    if scores is None:
        return None
    each, least = iter(scores.tolist()), -math.inf if asked.topical else TERSE
    return [max(least, *(next(each) for _ in texts)) for texts in told]


def nearest_sentences(asked: Asked, pieces: Sequence[Evidence]) -> dict[int, float]:
    """Return the cosine of the nearest sentence, by the number of its line; of lines that have several."""
    parts = [(i, part) for i, piece in enumerate(pieces) for part in _parts(piece.text)]
    if asked.encode is None or not parts:
        return {}
    nearest: dict[int, float] = {}
    for (i, _), vector in zip(parts, asked.encode([part for _, part in parts]), strict=True):
        nearest[i] = max(nearest.get(i, 0.0), float(vector @ asked.vector))
    return nearest


def _parts(text: str) -> list[str]:
    parts = [part for part in split_sentences(text) if len(part) >= SENTENCE_CHARS]
    return parts if len(parts) > 1 else []


def _under_heading(text: str) -> list[str]:
    """Return the sentences of a line, each alone and after the first: a card is a heading and what belongs to it.

    >>> _under_heading("Boat rental. Closed on Mondays")
    ['Boat rental.', 'Closed on Mondays', 'Boat rental. Closed on Mondays']
    """
    parts = _parts(text)[:LABELS]
    return [*parts, *(f"{parts[0]} {part}" for part in parts[1:])]


def take_best(found: list[Evidence]) -> list[Evidence]:
    """Return lines of which the best is believed to be about a thing from less support on, if no other is."""
    best = max(found, key=lambda piece: piece.support, default=None)
    if best is None or not MENTIONED_FROM <= best.support < READ_FROM:
        return found
    return [replace(piece, support=READ_FROM) if piece is best else piece for piece in found]


def take_place(ordered: Sequence[T], pick: Pick) -> T | None:
    """Return the first, second, ... or last of what is in order; None where there are not so many."""
    return ordered[PLACES[pick]] if ordered and PLACES[pick] < len(ordered) else None


def overlaps(start_s: float, end_s: float, window: Window) -> bool:
    """Return whether a stretch counts in a window: half of it lies there, or two seconds.

    >>> overlaps(8, 12, (10, 20)), overlaps(9, 10.5, (10, 20))
    (True, False)
    """
    inside_s = min(end_s, window[1]) - max(start_s, window[0])
    return inside_s >= max(0.0, min(2.0, 0.5 * (end_s - start_s)))


def read_words(store: Store, kind: Kind, video_id: str, window: Window) -> list[Evidence]:
    """Return all that was said (or written) in a window, in time order, whatever it is about."""
    inside = [
        (i, row) for i, row in enumerate(_rows(store, kind, video_id)) if overlaps(row.start_s, row.end_s, window)
    ]
    found = [Evidence(video_id, MODALITY[kind], row.start_s, row.end_s, 1.0, row.text, i) for i, row in inside]
    return sorted(found, key=lambda piece: (piece.start_s, piece.end_s))


def _rows(store: Store, kind: Kind, video_id: str) -> Sequence[Row]:
    return store.speech(video_id) if kind == "speech" else store.texts(video_id)


def _pieces(store: Store, kind: Kind, keys: Sequence[tuple[str, int]]) -> list[Evidence]:
    """Return these lines, each with those beside it."""
    pieces = []
    for (video_id, index), rows in zip(keys, store.lines_around(kind, keys), strict=True):
        row = next(row for at, row in rows if at == index)
        near = [each for _, each in rows if kind == "texts" or _one_breath(each, row)]
        context = " ".join(each.text for each in near)
        ahead = [each.text for at, each in rows if kind == "speech" and at == index - 1 and _one_breath(each, row)]
        pieces.append(Evidence(video_id, MODALITY[kind], row.start_s, row.end_s, 0.0, row.text, index, context, *ahead))
    return pieces


def _one_breath(one: Row, other: Row) -> bool:
    return one.start_s <= other.end_s + BREATH_S and other.start_s <= one.end_s + BREATH_S


def cite(pieces: Sequence[Evidence], duration_s: float) -> list[Citation]:
    """Return the pieces as citations, each once; their times come from the index and lie in the video."""
    seen: dict[tuple[str, float, float, str], Citation] = {}
    for piece in pieces:
        start_s = min(max(0.0, piece.start_s), duration_s)
        end_s = min(max(start_s, piece.end_s), duration_s)
        seen[(piece.modality, start_s, end_s, piece.text)] = Citation(
            video_id=piece.video_id,
            start_s=round(start_s, 3),
            end_s=round(end_s, 3),
            timecode=timecode(start_s),
            score=round(piece.support, 3),
            modality=piece.modality,
            quote=piece.text if piece.modality != "visual" else "",
            frame_id=f"{piece.video_id}:{piece.index}" if piece.modality == "visual" else "",
        )
    return list(seen.values())
