"""Looking: the clips that may show it are compressed under the question, and give the moments and places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hicom_agent.agent.evidence import Evidence
from hicom_agent.compress import compress
from hicom_agent.types import Clip, ClipFeatures, CompressedClip, FrameFeatures, StoredFrame

if TYPE_CHECKING:
    from hicom_agent.memory import Store
    from hicom_agent.types import Floats

SEEN_FROM = 0.5  # presence from which a frame counts as showing it
STILL_SEEN_FROM = 0.3  # presence down to which a moment goes on
LABELS = 3  # words put to a moment


class Encoder(Protocol):
    """What looking needs of an encoder."""

    version: str

    def encode_guide(self, question: str) -> Floats:
        """Return the question as a vector of the joint space."""

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Return sentence vectors."""

    def unpack(self, packed: dict[str, np.ndarray]) -> FrameFeatures:
        """Return stored patch features."""

    def presence(self, question: str, features: FrameFeatures) -> Floats:
        """Return for each frame how likely it shows what is asked for, 0 to 1."""

    def describe(self, features: FrameFeatures, limit: int) -> list[list[str]]:
        """Return for each frame the names of what it shows, most likely first."""


@dataclass(frozen=True, slots=True)
class Film:
    """The sampled frames and clips of one video, read once per question."""

    video_id: str
    clips: list[Clip]
    frames: list[StoredFrame]

    @property
    def step_s(self) -> float:
        """Return the usual time between sampled frames."""
        times_s = np.array([frame.time_s for frame in self.frames])
        return float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0

    def indices_in(self, clip: Clip) -> list[int]:
        """Return the sampled frames of a clip."""
        return [i for i, frame in enumerate(self.frames) if clip.start_s <= frame.time_s < clip.end_s]


@dataclass(slots=True)
class Sight:
    """What looking for one question came to."""

    evidence: list[Evidence] = field(default_factory=list)
    compressed: list[CompressedClip] = field(default_factory=list)
    closest: list[Evidence] = field(default_factory=list)  # the best frames, whether or not they are believed


def find_clips(store: Store, film: Film, guide: Floats, limit: int) -> list[Clip]:
    """Return the clips that hold the frames nearest to the guide, best first."""
    hits = store.search_vectors("frames", guide, max(64, 4 * limit), [film.video_id])
    rank_of = {index: rank for rank, (_, index, _) in enumerate(hits)}
    ranked = []
    for clip in film.clips:
        ranks = [rank_of.get(film.frames[i].shown_by) for i in film.indices_in(clip)]
        found = [rank for rank in ranks if rank is not None]
        if found:
            ranked.append((min(found), clip.index, clip))
    return [clip for _, _, clip in sorted(ranked, key=lambda each: each[:2])][:limit]


def look(store: Store, encoder: Encoder, film: Film, question: str, limit: int) -> Sight:
    """Compress the `limit` best clips under the question; return moments in which it is seen, surest first."""
    guide = encoder.encode_guide(question)
    sight = Sight()
    for clip in find_clips(store, film, guide, limit):
        indices = film.indices_in(clip)
        features = encoder.unpack(store.features(film.video_id, indices))
        times_s = np.array([film.frames[i].time_s for i in indices], np.float32)
        sight.compressed.append(compress(ClipFeatures(clip, times_s, features), guide))
        presence = encoder.presence(question, features)
        names = encoder.describe(features, LABELS)
        moments = _moments(film, clip, indices, presence, names)
        sight.evidence += [moment for moment in moments if moment.support >= SEEN_FROM]
        best = int(np.argmax(presence))
        start_s = float(times_s[best])
        end_s = min(start_s + film.step_s, clip.end_s)
        seen = ", ".join(names[best])
        sight.closest.append(
            Evidence(
                film.video_id,
                "visual",
                start_s,
                end_s,
                float(presence[best]),
                seen,
                film.frames[indices[best]].shown_by,
            )
        )
    sight.evidence = sorted(join_moments(sight.evidence, film.step_s), key=lambda piece: -piece.support)
    sight.closest.sort(key=lambda piece: -piece.support)
    return sight


def _moments(film: Film, clip: Clip, indices: list[int], presence: Floats, names: list[list[str]]) -> list[Evidence]:
    """Return stretches of a clip in which presence reaches SEEN_FROM and stays above STILL_SEEN_FROM."""
    found: list[Evidence] = []
    for first, last in runs(presence, SEEN_FROM, STILL_SEEN_FROM):
        best = first + int(np.argmax(presence[first : last + 1]))
        start_s = film.frames[indices[first]].time_s
        after = indices[last] + 1
        end_s = min(film.frames[after].time_s if after < len(film.frames) else clip.end_s, clip.end_s)
        found.append(
            Evidence(
                film.video_id, "visual", start_s, max(end_s, start_s), float(presence[best]),
                ", ".join(names[best]), film.frames[indices[best]].shown_by,
            )
        )  # fmt: skip
    return found


def runs(values: Floats, high: float, low: float) -> list[tuple[int, int]]:
    """Return the stretches [first, last] that stay at `low` or above and somewhere reach `high`.

    >>> import numpy as np
    >>> runs(np.array([0, .4, .9, .4, 0, .4]), .5, .3)
    [(1, 3)]
    """
    found: list[tuple[int, int]] = []
    first = None
    for i, value in enumerate([*values, -1.0]):
        if value >= low and first is None:
            first = i
        elif value < low and first is not None:
            if max(values[first:i]) >= high:
                found.append((first, i - 1))
            first = None
    return found


def join_moments(moments: list[Evidence], gap_s: float) -> list[Evidence]:
    """Return the moments in time order, those that touch or lie less than `gap_s` apart made one."""
    joined: list[Evidence] = []
    for moment in sorted(moments, key=lambda m: (m.start_s, m.end_s)):
        if joined and moment.start_s - joined[-1].end_s <= gap_s + 1e-3:
            before = joined.pop()
            better = before if before.support >= moment.support else moment
            end_s = max(before.end_s, moment.end_s)
            moment = Evidence(
                better.video_id, "visual", before.start_s, end_s, better.support, better.text, better.index
            )
        joined.append(moment)
    return joined
