"""What a film, or a part of it, holds: a few stretches in order, each with what is seen, said and written there.

What is seen is named where the encoder, asked for it, would be sure of it: what a picture shows is guessed among many
names. Of what is said and written a stretch quotes the lines nearest to what all its lines are about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from hicom_agent.agent.compose import NAMED_FROM, VERB, Partial, span
from hicom_agent.agent.evidence import KINDS, MODALITY, Evidence, Pick, Window, read_words
from hicom_agent.agent.film import Encoder, Film
from hicom_agent.agent.sight import strength
from hicom_agent.types import Clip, clean_text, shorten

if TYPE_CHECKING:
    from collections.abc import Collection

    from hicom_agent.memory import Store
    from hicom_agent.types import Modality

STRETCHES = 8
FRAMES = 24  # of a stretch that are looked at, about
LOOKS = "looks like"
NAMES = 3  # of what is seen in a stretch
QUOTES = 8  # lines that an outline quotes of what is said, and of what is written, at least one of each stretch
QUOTE_CHARS = 120
LETTERS = 3  # that a line on the screen needs to be worth quoting


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a film."""

    start_s: float
    end_s: float
    clips: tuple[Clip, ...]


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
        return int(limit * (middle_s - first_s) / max(last_s - first_s, 1e-9))

    parts = [tuple(clips) for _, clips in groupby(inside, part)]
    return [Stretch(max(first_s, some[0].start_s), min(last_s, some[-1].end_s), some) for some in parts]


def outline(
    store: Store, encoder: Encoder, film: Film, window: Window, sources: Collection[Modality], pick: Pick = ""
) -> Partial:
    """Return what the film holds in the window; of it only the first or last stretch if one of them is wanted."""
    stretches = split_film(film.clips, window)
    if pick:
        stretches = stretches[:1] if pick == "first" else stretches[-1:]
    told = [(stretch, _hold(store, encoder, film, stretch, sources, len(stretches))) for stretch in stretches]
    used = [piece for _, pieces in told for piece in pieces]
    if not used:
        return Partial("", 0.6, (), "not seen", how="listed")
    lines = [_line(stretch, pieces) for stretch, pieces in told if pieces]
    confidence = sum(piece.support for piece in used) / len(used)
    return Partial("\n".join(lines), confidence, tuple(used), how="listed")


def spread_clips(film: Film, window: Window, limit: int) -> list[int]:
    """Return the numbers of at most `limit` clips with frames all over the window, the longest of each stretch."""
    watched = [clip for clip in film.clips if film.indices_in(clip)]
    stretches = split_film(watched, window, limit)
    return [max(stretch.clips, key=lambda clip: clip.end_s - clip.start_s).index for stretch in stretches]


def show_clips(film: Film, clips: Sequence[Clip], support: float) -> tuple[Evidence, ...]:
    """Return each of these clips as evidence, in time order, shown by its middle frame."""
    middles = [
        (clip, film.frames[indices[len(indices) // 2]].shown_by) for clip in clips if (indices := film.indices_in(clip))
    ]
    found = [Evidence(film.video_id, "visual", clip.start_s, clip.end_s, support, "", frame) for clip, frame in middles]
    return tuple(sorted(found, key=lambda piece: piece.start_s))


def _hold(
    store: Store, encoder: Encoder, film: Film, stretch: Stretch, sources: Collection[Modality], num_stretches: int
) -> list[Evidence]:
    """Return what a stretch holds, in the order in which it is told."""
    found = _seen(store, encoder, film, stretch) if "visual" in sources else []
    for kind in KINDS:
        if MODALITY[kind] in sources:
            inside = read_words(store, kind, film.video_id, (stretch.start_s, stretch.end_s))
            inside = [piece for piece in inside if stretch.start_s <= piece.start_s < stretch.end_s]
            inside = [piece for piece in inside if sum(letter.isalpha() for letter in piece.text) >= LETTERS]
            vectors = store.vectors(film.video_id, kind)[[piece.index for piece in inside]] if inside else None
            found += _typical(inside, vectors, max(1, QUOTES // num_stretches))
    return found


def _typical(pieces: Sequence[Evidence], vectors: np.ndarray | None, limit: int) -> list[Evidence]:
    """Return the pieces nearest to what all of them are about, in time order, none twice with the same words."""
    if vectors is None:
        return []
    order = np.argsort(-(vectors @ vectors.mean(axis=0)), kind="stable")
    chosen = {clean_text(pieces[i].text).casefold(): pieces[i] for i in reversed(order)}
    best = sorted(chosen.values(), key=lambda piece: order.tolist().index(pieces.index(piece)))[:limit]
    return sorted(best, key=lambda piece: piece.start_s)


def _seen(store: Store, encoder: Encoder, film: Film, stretch: Stretch) -> list[Evidence]:
    """Return the surest moment of a stretch, with the names of what is surely seen in it."""
    inside = [i for clip in stretch.clips for i in film.indices_in(clip)]
    inside = [i for i in inside if stretch.start_s <= film.frames[i].time_s < stretch.end_s]
    chosen = inside[:: max(1, len(inside) // FRAMES)]
    if not chosen:
        return []
    features = store.features(film.video_id, chosen)
    names = dict.fromkeys(name for some in encoder.describe(features, NAMES) for name in some)
    presence = {name: encoder.scan(name, features) for name in names}
    sure = {name: strength(values) for name, values in presence.items() if strength(values) >= NAMED_FROM}
    best = sorted(sure, key=lambda name: -sure[name])[:NAMES]
    if not best:
        return []
    frame = chosen[int(np.argmax(presence[best[0]]))]
    clip = next(clip for clip in stretch.clips if frame in film.indices_in(clip))
    start_s, end_s = max(clip.start_s, stretch.start_s), min(clip.end_s, stretch.end_s)
    shown = film.frames[frame].shown_by
    return [Evidence(film.video_id, "visual", start_s, end_s, sure[best[0]], ", ".join(best), shown)]


def _line(stretch: Stretch, pieces: Sequence[Evidence]) -> str:
    """Return a stretch in words."""
    parts = []
    for modality, some in groupby(pieces, lambda piece: piece.modality):
        told = [piece.text if modality == "visual" else f'"{shorten(piece.text, QUOTE_CHARS)}"' for piece in some]
        parts.append(f"{LOOKS if modality == 'visual' else VERB[modality]}: {', '.join(told)}")
    whole = replace(pieces[0], start_s=stretch.start_s, end_s=stretch.end_s)
    return f"{span(whole)} {'; '.join(parts)}"
