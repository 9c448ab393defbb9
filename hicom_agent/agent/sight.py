"""Looking: the clips that may show it are compressed under the question, and give the moments and places."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hicom_agent.agent.evidence import Evidence, fuse
from hicom_agent.agent.meter import Budget
from hicom_agent.compress import compress
from hicom_agent.types import Clip, ClipFeatures, CompressedClip, FrameFeatures, StoredFrame

if TYPE_CHECKING:
    from hicom_agent.memory import Store
    from hicom_agent.types import Floats

SEEN_FROM = 0.45  # strength from which a moment counts as showing it
LIKELY_FROM = 0.3  # presence from which a frame is worth a look
NEAR_STRONGEST = 0.6  # share of the film's strongest moment that another needs: what is there shows most clearly
STILL_SEEN = 0.4  # share of the film's surest frame down to which a moment goes on
ALIKE = 0.85  # ratio of the strengths of two moments that are one, cut by the length of a clip
ONE_FRAME = 0.8  # factor for what is seen in a single frame, with no neighbour to confirm it
LABELS = 3  # words put to a moment
CLOSEST = 3  # moments named where nothing is seen


class Encoder(Protocol):
    """What looking needs of an encoder."""

    version: str
    temperature: float | None  # of compression

    def encode_guide(self, question: str) -> Floats:
        """Return the question as a vector of the joint space."""

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Return sentence vectors."""

    def unpack(self, packed: dict[str, np.ndarray], thumbnails: Callable[[], Sequence[bytes]]) -> FrameFeatures:
        """Return patch features of frames: as they are stored, or made again from thumbnails."""

    def scan(self, question: str, packed: dict[str, np.ndarray]) -> Floats:
        """Return for each packed frame how likely it shows what is asked for, 0 to 1; cheap enough for a film."""

    def describe(self, packed: dict[str, np.ndarray], limit: int) -> list[list[str]]:
        """Return for each packed frame the names of what it shows, most likely first."""


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

    def indices_in(self, clip: Clip) -> range:
        """Return the sampled frames of a clip."""

        def time_of(frame: StoredFrame) -> float:
            return frame.time_s

        return range(
            bisect_left(self.frames, clip.start_s, key=time_of), bisect_left(self.frames, clip.end_s, key=time_of)
        )

    def kept(self) -> list[int]:
        """Return the frames that have features of their own."""
        return [i for i, frame in enumerate(self.frames) if frame.shown_by == i]


@dataclass(slots=True)
class Sight:
    """What looking for one question came to."""

    evidence: list[Evidence] = field(default_factory=list)
    compressed: list[CompressedClip] = field(default_factory=list)
    closest: list[Evidence] = field(default_factory=list)  # the best frames, whether or not they are believed
    num_left: int = 0  # likely clips that the budget did not suffice for


def find_clips(store: Store, film: Film, guide: Floats, presence: Floats, limit: int) -> list[Clip]:
    """Return the clips with the frames nearest to the guide and the ones likeliest to show it, fused, best first."""
    near = [index for _, index, _ in store.search_vectors("frames", guide, max(64, 4 * limit), [film.video_id])]
    likely = [i for i in np.argsort(-presence, kind="stable").tolist() if presence[i] >= LIKELY_FROM]
    scores = fuse([[("", i) for i in near], [("", i) for i in likely]])
    ranked = []
    for clip in film.clips:
        found = [scores[key] for i in film.indices_in(clip) if (key := ("", film.frames[i].shown_by)) in scores]
        if found:
            ranked.append((-max(found), clip.index, clip))
    return [clip for _, _, clip in sorted(ranked, key=lambda each: each[:2])][:limit]


def look(store: Store, encoder: Encoder, film: Film, question: str, limit: int, budget: Budget | None = None) -> Sight:
    """Compress the `limit` best clips under the question; return moments in which it is seen, surest first."""
    budget = budget or Budget()
    guide = encoder.encode_guide(question)
    kept = film.kept()
    presence = np.zeros(len(film.frames), np.float32)
    presence[kept] = encoder.scan(question, store.features(film.video_id, kept))
    presence = presence[[frame.shown_by for frame in film.frames]]
    low = max(LIKELY_FROM, STILL_SEEN * float(presence.max(initial=0.0)))
    sight, num_tokens = Sight(), 0
    clips = find_clips(store, film, guide, presence, limit)
    for number, clip in enumerate(clips):
        if not budget.allows(num_tokens):
            sight.num_left = len(clips) - number
            break
        indices = film.indices_in(clip)
        features = read_features(store, encoder, film, indices)
        times_s = np.array([film.frames[i].time_s for i in indices], np.float32)
        compressed = compress(ClipFeatures(clip, times_s, features), guide, temperature=encoder.temperature)
        sight.compressed.append(compressed)
        num_tokens += len(compressed.tokens)
        here = presence[indices.start : indices.stop]
        sight.evidence += [_moment(film, compressed, here, run) for run in runs(here, low)]
        best = int(np.argmax(here))
        sight.closest.append(_moment(film, compressed, here, (best, best)))
    sight.evidence = strong_moments(sight.evidence, film.step_s)
    sight.closest.sort(key=lambda piece: -piece.support)
    shown = sight.evidence or sight.closest[:CLOSEST]
    named = _name(store, encoder, film, shown)
    sight.evidence, sight.closest = (named, sight.closest) if sight.evidence else ([], named)
    return sight


def read_features(store: Store, encoder: Encoder, film: Film, indices: Sequence[int]) -> FrameFeatures:
    """Return the patch features of sampled frames; a frame that shows nothing new has those of the one it repeats."""

    def thumbnails() -> list[bytes]:
        return [store.thumbnail(f"{film.video_id}:{film.frames[i].shown_by}") for i in indices]

    return encoder.unpack(store.features(film.video_id, indices), thumbnails)


def _name(store: Store, encoder: Encoder, film: Film, pieces: list[Evidence]) -> list[Evidence]:
    """Return the pieces with the names of what their best frames show."""
    if not pieces:
        return []
    names = encoder.describe(store.features(film.video_id, [piece.index for piece in pieces]), LABELS)
    return [replace(piece, text=", ".join(words)) for piece, words in zip(pieces, names, strict=True)]


def strong_moments(moments: list[Evidence], gap_s: float) -> list[Evidence]:
    """Return the moments that are strong, also beside the strongest, joined where they touch, best first."""
    strongest = max((moment.support for moment in moments), default=0.0)
    strong = [moment for moment in moments if moment.support >= max(SEEN_FROM, NEAR_STRONGEST * strongest)]
    return sorted(join_moments(strong, gap_s), key=lambda moment: -moment.support)


def strength(presence: Floats) -> float:
    """Return how surely a run of frames shows it: its two best frames must agree, for a thing stays for a while.

    >>> strength(np.array([0.9, 0.5, 0.7]))
    0.8
    """
    if len(presence) == 1:
        return ONE_FRAME * float(presence[0])
    return float(np.sort(presence)[-2:].mean())


def _moment(film: Film, compressed: CompressedClip, presence: Floats, run: tuple[int, int]) -> Evidence:
    """Return a run of a clip's frames as evidence, shown by the frame to which the question attends most.

    The last frame stands until the next one is sampled.
    """
    first, last = run
    clip = compressed.clip
    start = film.indices_in(clip).start
    best = first + int(np.argmax(compressed.frame_relevance[first : last + 1]))
    start_s, after = film.frames[start + first].time_s, start + last + 1
    end_s = min(film.frames[after].time_s, clip.end_s) if after < len(film.frames) else clip.end_s
    support = strength(presence[first : last + 1])
    return Evidence(
        film.video_id, "visual", start_s, max(end_s, start_s), support, "", film.frames[start + best].shown_by
    )


def runs(values: Floats, low: float) -> list[tuple[int, int]]:
    """Return the stretches [first, last] that stay at `low` or above.

    >>> runs(np.array([0, .4, .9, .4, 0, .4]), .3)
    [(1, 3), (5, 5)]
    """
    found: list[tuple[int, int]] = []
    first = None
    for i, value in enumerate([*values, -1.0]):
        if value >= low and first is None:
            first = i
        elif value < low and first is not None:
            found.append((first, i - 1))
            first = None
    return found


def join_moments(moments: list[Evidence], gap_s: float) -> list[Evidence]:
    """Return the moments in time order; those that lie at most `gap_s` apart and are as sure are one."""
    joined: list[Evidence] = []
    for moment in sorted(moments, key=lambda m: (m.start_s, m.end_s)):
        if joined and moment.start_s - joined[-1].end_s <= gap_s + 1e-3 and _alike(joined[-1], moment):
            before = joined.pop()
            better = before if before.support >= moment.support else moment
            end_s = max(before.end_s, moment.end_s)
            moment = Evidence(
                better.video_id, "visual", before.start_s, end_s, better.support, better.text, better.index
            )
        joined.append(moment)
    return joined


def _alike(one: Evidence, other: Evidence) -> bool:
    return min(one.support, other.support) >= ALIKE * max(one.support, other.support)
