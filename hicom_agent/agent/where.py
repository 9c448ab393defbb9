"""Where a question looked: at which moments of a film, and at which places of a frame. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from hicom_agent.agent.evidence import Evidence
from hicom_agent.agent.film import Encoder, Film, compress_clip
from hicom_agent.agent.sight import CLIPS_FOR_ALL, look
from hicom_agent.errors import InputError
from hicom_agent.types import Clip

if TYPE_CHECKING:
    from hicom_agent.memory import Store
    from hicom_agent.types import Floats

FAINT, APART_S = 0.1, 2.5  # relevance below which a peak is none; seconds between two at least
FINE = 8  # parts of a cell to which bars are cut off


@runtime_checkable
class Locator(Protocol):
    """An encoder that knows on which places of a frame its presence rests."""

    def locate(self, question: str, packed: Mapping[str, np.ndarray]) -> list[Floats]:
        """Return for each packed frame the evidence of places, [h, w] from 0 to the frame's presence."""


@dataclass(frozen=True, slots=True)
class Relevance:
    """How likely each sampled frame of a film shows what is asked for, and what came of it."""

    times_s: Floats  # [t]
    values: Floats  # [t], 0 to 1
    moments: list[Evidence]  # that an answer would cite as seen, in time order


def relevance(store: Store, encoder: Encoder, video_id: str, question: str) -> Relevance:
    """Return the presence of every sampled frame, and the moments that looking at the likely clips finds.

    Raises UnknownVideo, and InputError where there are no pictures or another profile made them.
    """
    film = _film(store, encoder, video_id)
    sight = look(store, encoder, film, question, CLIPS_FOR_ALL)
    times_s = np.array([frame.time_s for frame in film.frames], np.float32)
    return Relevance(times_s, sight.presence, sorted(sight.evidence, key=lambda piece: piece.start_s))


def heat(store: Store, encoder: Encoder, video_id: str, question: str, frame_index: int) -> Floats:
    """Return how much each place of a sampled frame answers to the question, [h, w] over the whole upright picture.

    The strongest place has the frame's presence, the others their share of it: so heat means the same in all frames,
    and where the frame does not show it all is dark. With an encoder that locates, it is the evidence of which
    presence, that chose clips and moments, is made; else the attention over patches that made the clip's tokens.

    Raises UnknownVideo, and InputError for an index without a frame, or where another profile made the frames.
    """
    film = _film(store, encoder, video_id)
    if not 0 <= frame_index < len(film.frames):
        raise InputError(f"no frame {frame_index} in {video_id}; it has {len(film.frames)}")
    packed = store.features(video_id, [frame_index])
    if isinstance(encoder, Locator):
        return encoder.locate(question, packed)[0]
    places = _attention(store, encoder, film, question, frame_index)
    if getattr(encoder, "pads", False):
        places = cut_bars(places, _aspect(store.thumbnail(f"{video_id}:{frame_index}")))
    sure: float = encoder.scan(question, packed)[0]
    strongest: Floats = places * (sure / max(float(places.max()), 1e-9))
    return strongest


def cut_bars(places: Floats, aspect: float) -> Floats:
    """Return the part [h, w] of a square grid that a picture of width / height = `aspect` fills, centred.

    >>> cut_bars(np.array([[1, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3], [4, 4, 4, 4]], np.float32), 2.0).tolist()
    [[2.0, 2.0, 2.0, 2.0], [3.0, 3.0, 3.0, 3.0]]
    """
    h, w = places.shape
    fine = places.repeat(FINE, axis=0).repeat(FINE, axis=1)
    top = round(FINE * h * (1 - min(1.0, 1 / aspect)) / 2)
    left = round(FINE * w * (1 - min(1.0, aspect)) / 2)
    inside = fine[top : FINE * h - top, left : FINE * w - left]
    rows = np.stack([part.mean(axis=0) for part in np.array_split(inside, max(1, round(inside.shape[0] / FINE)))])
    columns = np.array_split(rows, max(1, round(inside.shape[1] / FINE)), axis=1)
    return np.stack([part.mean(axis=1) for part in columns], axis=1)


def _aspect(jpeg: bytes) -> float:
    import cv2

    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None, "the store checks thumbnails against their checksums"
    return float(picture.shape[1] / picture.shape[0])


def peaks(found: Relevance, limit: int) -> list[int]:
    """Return the indices of up to `limit` frames that are the likeliest around, in time order."""
    if not len(found.values):
        return []
    apart_s = max(APART_S, float(found.times_s[-1] - found.times_s[0]) / (8 * limit))
    chosen: list[int] = []
    for i in np.argsort(-found.values, kind="stable").tolist():
        if len(chosen) == limit or found.values[i] < FAINT:
            break
        if all(abs(found.times_s[i] - found.times_s[j]) > apart_s for j in chosen):
            chosen.append(i)
    return sorted(chosen)


def _attention(store: Store, encoder: Encoder, film: Film, question: str, frame_index: int) -> Floats:
    """Return the attention over the patches of one frame, [h, w], of the clip compressed under the question."""
    alone = Clip(-1, film.frames[frame_index].time_s, film.frames[frame_index].time_s)  # beside a damaged stretch
    clip = next((clip for clip in film.clips if frame_index in film.indices_in(clip)), alone)
    indices: Sequence[int] = film.indices_in(clip) or [frame_index]
    compressed = compress_clip(store, encoder, film, clip, indices, encoder.encode_guide(question))
    attention: Floats = compressed.patch_attention[frame_index - indices[0]]
    return attention


def _film(store: Store, encoder: Encoder, video_id: str) -> Film:
    film = Film.of_profile(store, encoder, video_id)
    if not film.frames:
        raise InputError(f"{film.row.title} has no pictures, only sound")
    return film
