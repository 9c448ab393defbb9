"""One film under one question: its frames and clips, what an encoder makes of them, and where it may be seen."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hicom_agent.agent.sameness import same_look
from hicom_agent.compress import compress
from hicom_agent.encode.guide import guide_text
from hicom_agent.errors import InputError
from hicom_agent.memory import Look
from hicom_agent.types import Clip, ClipFeatures, CompressedClip, FrameFeatures, StoredFrame

if TYPE_CHECKING:
    from hicom_agent.memory import Store, VideoRow
    from hicom_agent.types import Floats


class Encoder(Protocol):
    """What looking needs of an encoder."""

    version: str  # of the vectors of frames
    reads: str  # version of how questions are read, as far as it changes what they find
    temperature: float | None  # of compression

    def encode_guide(self, question: str) -> Floats:
        """Return the question as a vector of the joint space."""

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Return sentence vectors."""

    def unpack(self, packed: dict[str, np.ndarray], thumbnails: Callable[[], Sequence[bytes]]) -> FrameFeatures:
        """Return patch features of frames: as they are stored, or made again from thumbnails."""

    def scan(self, question: str, packed: dict[str, np.ndarray]) -> Floats:
        """Return for each packed frame how likely it shows what is asked for, 0 to 1; cheap enough for a film."""

    def unread(self, question: str) -> list[str]:
        """Return the words of a question that ask for what pictures do not tell this encoder."""

    def describe(self, packed: dict[str, np.ndarray], limit: int) -> list[list[str]]:
        """Return for each packed frame the names of what it likely shows, likeliest first; it may be none."""


@dataclass(frozen=True, slots=True)
class Film:
    """The sampled frames and clips of one video, read once per question."""

    row: VideoRow
    clips: list[Clip]
    frames: list[StoredFrame]
    near: list[int] | None = None  # numbers of the clips nearest to the question, where they were found beforehand

    @classmethod
    def read(cls, store: Store, video_id: str, near: list[int] | None = None) -> Film:
        """Return the film of a video; raises UnknownVideo."""
        return cls(store.video(video_id), store.clips(video_id), store.frames(video_id), near)

    @classmethod
    def of_profile(cls, store: Store, encoder: Encoder, video_id: str) -> Film:
        """Return the film of a video; raises UnknownVideo, and InputError where another profile made its vectors."""
        film = cls.read(store, video_id)
        row = film.row
        if row.profile != encoder.version:
            raise InputError(
                f"{row.title} was indexed with {row.profile}, and questions are read with {encoder.version}: their "
                f"vectors do not compare; use the other --profile, or run: hicom-agent index {row.path} --again"
            )
        return film

    @property
    def video_id(self) -> str:
        """Return the id of the video."""
        return self.row.video_id

    def asked_with(self, encoder: Encoder) -> VideoRow:
        """Return the row under which looks of this encoder are kept: another reading finds other things."""
        return replace(self.row, profile=f"{self.row.profile} {encoder.reads}")

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


def open_look(store: Store, encoder: Encoder, film: Film, question: str) -> Look:
    """Return where in the film it may be seen: as an earlier question that looked for the same found it, or anew."""
    asked = store.conditioned.asked(film.asked_with(encoder))
    texts = [each.text for each in asked]
    if store.conditioned.reuse != "alike":
        same = texts.index(question) if question in texts and store.conditioned.reuse == "same" else None
    else:
        vectors = np.stack([each.vector for each in asked]) if asked else None
        same = same_look(question, texts, encoder.encode_texts, vectors)
    kept = store.conditioned.recall(asked[same].key) if same is not None else None
    if kept is not None and len(kept.presence) == len(film.frames):
        return kept
    indices = film.kept()
    presence = np.zeros(len(film.frames), np.float32)
    presence[indices] = encoder.scan(question, store.features(film.video_id, indices))
    presence = presence[[frame.shown_by for frame in film.frames]]
    vector = encoder.encode_texts([guide_text(question)])[0]
    return Look(-1, question, vector, encoder.encode_guide(question), presence)


def compress_clip(
    store: Store, encoder: Encoder, film: Film, clip: Clip, indices: Sequence[int], guide: Floats
) -> CompressedClip:
    """Return these sampled frames of a clip, compressed under a guide."""
    return compress_under(store, encoder, film, clip, indices, [guide])[0]


def compress_under(
    store: Store, encoder: Encoder, film: Film, clip: Clip, indices: Sequence[int], guides: Sequence[Floats]
) -> list[CompressedClip]:
    """Return these sampled frames of a clip, compressed under each of several guides; their features are read once."""
    times_s = np.array([film.frames[i].time_s for i in indices], np.float32)
    features = ClipFeatures(clip, times_s, read_features(store, encoder, film, indices))
    return [compress(features, guide, temperature=encoder.temperature) for guide in guides]


def read_features(store: Store, encoder: Encoder, film: Film, indices: Sequence[int]) -> FrameFeatures:
    """Return the patch features of sampled frames; a frame that shows nothing new has those of the one it repeats."""

    def thumbnails() -> list[bytes]:
        return [store.thumbnail(f"{film.video_id}:{film.frames[i].shown_by}") for i in indices]

    return encoder.unpack(store.features(film.video_id, indices), thumbnails)
