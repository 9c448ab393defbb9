"""What a film, or a part of it, holds: a few stretches in order, each with what is seen, said and written there.

What is seen is named where the encoder, asked for it, would be sure of it: what a picture shows is guessed among many
names. Of what is said and written a stretch quotes the lines nearest to what all its lines are about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from hicom_agent.agent.compose import NAMED_FROM, VERB, Partial
from hicom_agent.agent.evidence import KINDS, MODALITY, Evidence, Kind, Pick, Window, read_words, take_place
from hicom_agent.agent.film import Encoder, Film
from hicom_agent.agent.sight import strength
from hicom_agent.types import Clip, clean_text, shorten, timecode

if TYPE_CHECKING:
    from collections.abc import Collection

    from hicom_agent.memory import Store
    from hicom_agent.types import Modality

STRETCHES = 8
FRAMES = 24  # of a stretch that are looked at, about
LOOKS, NO_NAME = "looks like", "pictures that I cannot name"
UNNAMED = "There are pictures, but I cannot name what they show."
NAMES_RIGHT = 0.6  # share of names that are right: 11 of 17 in four films, by eye
NAMES = 3  # of what is seen in a stretch
QUOTES = 8  # lines that an outline quotes of what is said, and of what is written, at least one of each stretch
QUOTE_CHARS = 120
SIGNS, CJK = 3, 0x3040  # letters or figures that make a line worth quoting; from here on a sign is a syllable or more


Lines = list[tuple[float, Evidence, np.ndarray]]  # where in the window a line begins, the line, its vector


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a film."""

    start_s: float
    end_s: float
    clips: tuple[Clip, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What is seen, said or written in a stretch, as far as it is told."""

    pieces: tuple[Evidence, ...]
    num_left: int = 0  # lines that are not


def split_film(clips: Sequence[Clip], window: Window, limit: int = STRETCHES) -> list[Stretch]:
    """Return what lies in the window of clips in time order, as at most `limit` stretches of about the same length.

    >>> [stretch.end_s for stretch in split_film([Clip(i, i, i + 1.0) for i in range(6)], (0.5, 9.0), 3)]
    [2.0, 4.0, 6.0]
    """
    inside = [clip for clip in clips if clip.start_s < window[1] and clip.end_s > window[0]]
    if not inside:
        return []
    first_s, last_s = max(window[0], inside[0].start_s), min(window[1], inside[-1].end_s)

    def part(clip: Clip) -> int:
        middle_s = (max(clip.start_s, first_s) + min(clip.end_s, last_s)) / 2
        return min(limit - 1, int(limit * (middle_s - first_s) / max(last_s - first_s, 1e-9)))

    parts = [tuple(clips) for _, clips in groupby(inside, part)]
    return [Stretch(max(first_s, some[0].start_s), min(last_s, some[-1].end_s), some) for some in parts]


def outline(
    store: Store, encoder: Encoder, film: Film, window: Window, sources: Collection[Modality], pick: Pick = ""
) -> Partial:
    """Return what the film holds in the window; of it only the first or last clip if one of them is wanted."""
    stretches = _choose(film.clips, window, pick)
    if not stretches:
        return Partial("", 0.6, (), "not seen", how="listed")
    whole = (stretches[0].start_s, stretches[-1].end_s)
    lines = [_read(store, kind, film.video_id, whole) for kind in KINDS if MODALITY[kind] in sources]
    told = [
        (each, _hold(each, _seen(store, encoder, film, each) if "visual" in sources else None, lines, len(stretches)))
        for each in stretches
    ]
    used = [piece for _, parts in told for part in parts for piece in part.pieces]
    watched = "visual" in sources and bool(film.frames)
    if not used:
        return Partial(UNNAMED if watched else "", 0.6, (), "not seen", how="listed")
    texts = [_line(stretch, parts) for stretch, parts in told if parts or watched]
    confidence = sum(NAMES_RIGHT if piece.modality == "visual" else 1.0 for piece in used) / len(used)
    return Partial("\n".join(texts), confidence, tuple(used), how="listed")


def spread_clips(film: Film, window: Window, pick: Pick = "") -> list[int]:
    """Return the numbers of clips with frames all over the window, the longest of each stretch."""
    stretches = _choose([clip for clip in film.clips if film.indices_in(clip)], window, pick)
    return [max(stretch.clips, key=lambda clip: clip.end_s - clip.start_s).index for stretch in stretches]


def _choose(clips: Sequence[Clip], window: Window, pick: Pick) -> list[Stretch]:
    stretches = split_film(clips, window, len(clips) if pick else STRETCHES) if clips else []
    chosen = take_place(stretches, pick) if pick else None
    return [chosen] if chosen is not None else stretches


def show_clips(film: Film, clips: Sequence[Clip], support: float) -> tuple[Evidence, ...]:
    """Return each of these clips as evidence, in time order, shown by its middle frame."""
    middles = [
        (clip, film.frames[indices[len(indices) // 2]].shown_by) for clip in clips if (indices := film.indices_in(clip))
    ]
    found = [Evidence(film.video_id, "visual", clip.start_s, clip.end_s, support, "", frame) for clip, frame in middles]
    return tuple(sorted(found, key=lambda piece: piece.start_s))


def _read(store: Store, kind: Kind, video_id: str, window: Window) -> Lines:
    """Return what is said (or written) in a window and worth quoting, each line with where it begins there."""
    inside = [piece for piece in read_words(store, kind, video_id, window) if is_worth_quoting(piece)]
    if not inside:
        return []
    vectors = store.vectors(video_id, kind)
    return [(max(piece.start_s, window[0]), piece, vectors[piece.index]) for piece in inside]


def _hold(stretch: Stretch, seen: Part | None, lines: Sequence[Lines], num_stretches: int) -> list[Part]:
    """Return what a stretch holds, in the order in which it is told: a line belongs to the stretch it begins in."""
    found = [seen] if seen else []
    for kind in lines:
        inside = [(piece, vector) for start_s, piece, vector in kind if stretch.start_s <= start_s < stretch.end_s]
        if inside:
            pieces, vectors = zip(*inside, strict=True)
            found.append(_typical(pieces, np.stack(vectors), max(1, QUOTES // num_stretches)))
    return found


def _typical(pieces: Sequence[Evidence], vectors: np.ndarray, limit: int) -> Part:
    """Return the pieces nearest to what all of them are about, in time order, none twice with the same words."""
    chosen: dict[str, Evidence] = {}
    for i in np.argsort(-(vectors @ vectors.mean(axis=0)), kind="stable"):
        chosen.setdefault(clean_text(pieces[i].text).casefold(), pieces[i])
    best = sorted(list(chosen.values())[:limit], key=lambda piece: piece.start_s)
    return Part(tuple(best), len(chosen) - len(best))


def is_worth_quoting(piece: Evidence) -> bool:
    """Tell whether a line is worth quoting: three letters or figures, or two of a script that needs fewer."""
    signs = [sign for sign in piece.text if sign.isalnum()]
    return len(signs) >= SIGNS or (len(signs) >= 2 and ord(max(signs)) >= CJK)


def name_frames(
    store: Store, encoder: Encoder, film: Film, indices: Sequence[int], limit: int = FRAMES
) -> tuple[list[str], int, float]:
    """Return what sampled frames surely show, surest first, the frame that shows the first of it, and how surely.

    About `limit` of the frames are looked at.
    """
    chosen = indices[:: max(1, len(indices) // limit)]
    if not chosen:
        return [], -1, 0.0
    features = store.features(film.video_id, chosen)
    names = dict.fromkeys(name for some in encoder.describe(features, NAMES) for name in some)
    presence = {name: encoder.scan(name, features) for name in names}
    sure = {name: strength(values) for name, values in presence.items()}
    best = sorted((name for name in sure if sure[name] >= NAMED_FROM), key=lambda name: -sure[name])[:NAMES]
    if not best:
        return [], -1, 0.0
    return best, chosen[int(np.argmax(presence[best[0]]))], sure[best[0]]


def _seen(store: Store, encoder: Encoder, film: Film, stretch: Stretch) -> Part | None:
    """Return the surest moment of a stretch, with the names of what is surely seen in it; None if that is nothing."""
    inside = [i for clip in stretch.clips for i in film.indices_in(clip)]
    inside = [i for i in inside if stretch.start_s <= film.frames[i].time_s < stretch.end_s]
    names, frame, support = name_frames(store, encoder, film, inside)
    if not names:
        return None
    clip = next(clip for clip in stretch.clips if frame in film.indices_in(clip))
    start_s, end_s = max(clip.start_s, stretch.start_s), min(clip.end_s, stretch.end_s)
    shown = film.frames[frame].shown_by
    return Part((Evidence(film.video_id, "visual", start_s, end_s, support, ", ".join(names), shown),))


def _line(stretch: Stretch, parts: Sequence[Part]) -> str:
    """Return a stretch in words."""
    told = "; ".join(map(_tell, parts)) or NO_NAME
    return f"{timecode(stretch.start_s)}-{timecode(stretch.end_s)} {told}"


def _tell(part: Part) -> str:
    modality = part.pieces[0].modality
    if modality == "visual":
        return f"{LOOKS}: {part.pieces[0].text}"
    quotes = ", ".join(f'"{shorten(piece.text, QUOTE_CHARS)}"' for piece in part.pieces)
    return f"{VERB[modality]}: {quotes}" + (f" and {part.num_left} more" if part.num_left else "")
