"""Watching: cuts, changes, sampled frames, and features, thumbnails and texts of the frames that show something new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hicom_agent import scenes, video
from hicom_agent.scenes.segments import SEGMENT_S, Segment, split_segments
from hicom_agent.types import Frame, Progress

if TYPE_CHECKING:
    from hicom_agent.memory import Journal
    from hicom_agent.ocr import ScreenReader
    from hicom_agent.types import Floats, FrameFeatures, Picture, VideoInfo

STAGE = "pictures"
FINISHED = "-finished"  # added to a stage's name: the journal's entry that says it has nothing left to do
BATCH = 16  # pictures the encoder sees at once


class Encoder(Protocol):
    """What indexing needs of an encoder."""

    version: str

    def encode_frames(self, pictures: Sequence[Picture]) -> FrameFeatures:
        """Return the features of pictures."""

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Return sentence vectors."""

    def pack(self, features: FrameFeatures) -> dict[str, np.ndarray]:
        """Return patch features small enough to keep."""


@dataclass(slots=True)
class Watcher:
    """Works a video's pictures segment by segment into a journal."""

    encoder: Encoder
    screen_reader: ScreenReader | None
    sample_every_s: float
    limits: video.Limits
    on_progress: Callable[[Progress], None]

    def watch(self, opened: video.OpenedVideo, info: VideoInfo, journal: Journal) -> None:
        """Save every segment that the journal does not hold yet."""
        done = journal.done(STAGE)
        if journal.done(STAGE + FINISHED):
            return
        first = next(i for i in range(len(done) + 1) if i not in done)
        gate, num_sampled = _resume(journal, first)
        start_s = max(0.0, first * SEGMENT_S - scenes.LEAD_S)
        plan = video.StreamPlan(start_s=start_s, sample_every_s=self.sample_every_s)
        with closing(video.stream(opened, plan, self.limits)) as items:
            for segment in split_segments(items, first):
                arrays, meta = self._work(segment, gate, num_sampled)
                journal.save(STAGE, segment.index, arrays, meta)
                num_sampled += len(segment.frames)
                note = f"{len(arrays['sizes'])} of {len(segment.frames)} frames new"
                done_s = min(segment.end_s, info.duration_s or segment.end_s)
                self.on_progress(Progress("watching", done_s, info.duration_s, "s", note))
        journal.save(STAGE + FINISHED, 0, {}, {})

    def _work(
        self, segment: Segment, gate: scenes.ChangeGate, num_before: int
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return what is saved of a segment; `num_before` frames were sampled before it."""
        num_kept_before = len(gate)
        seen = [gate.add(frame, num_before + i) for i, frame in enumerate(segment.frames)]
        kept = [frame for i, frame in enumerate(segment.frames) if seen[i][0] == num_before + i]
        thumbs = [scenes.thumbnail(frame) for frame in kept]
        arrays: dict[str, np.ndarray] = {
            "times": np.array([frame.time_s for frame in segment.frames], np.float64),
            "shown_by": np.array([shown_by for shown_by, _ in seen], np.int32),
            "novelty": np.array([novelty for _, novelty in seen], np.float32),
            "sizes": np.array([len(thumb) for thumb in thumbs], np.int32),
            "thumbs": np.frombuffer(b"".join(thumbs), np.uint8),
            **{f"gate_{name}": array[num_kept_before:] for name, array in gate.state().items()},
            **self._encode(kept),
        }
        meta = {
            "cuts": scenes.segment_cuts(segment.glimpses, segment.start_s, segment.end_s),
            "changes": scenes.segment_changes(segment.glimpses, segment.start_s, segment.end_s),
            "damage": [asdict(damage) for damage in segment.damage],
            "lines": self._read(kept),
        }
        return arrays, meta

    def _encode(self, kept: list[Frame]) -> dict[str, np.ndarray]:
        """Return pooled vectors and packed patch features of the kept frames, in batches."""
        parts: list[dict[str, np.ndarray]] = []
        for i in range(0, len(kept), BATCH):
            features = self.encoder.encode_frames([frame.picture for frame in kept[i : i + BATCH]])
            packed = {f"packed_{name}": array for name, array in self.encoder.pack(features).items()}
            parts.append({"pooled": features.pooled, **packed})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}

    def _read(self, kept: list[Frame]) -> list[list[str]]:
        """Return the lines that stand on each kept frame."""
        if self.screen_reader is None:
            return []
        return [[line.text for line in self.screen_reader.read(frame.picture)] for frame in kept]


def _resume(journal: Journal, first: int) -> tuple[scenes.ChangeGate, int]:
    """Return the gate as it stood after the saved segments, and how many frames they sampled."""
    saved = [journal.load(STAGE, i)[0] for i in range(first)]
    names = sorted({name for arrays in saved for name in arrays if name.startswith("gate_")})
    state = {name[5:]: np.concatenate([arrays[name] for arrays in saved if name in arrays]) for name in names}
    return scenes.ChangeGate(state or None), sum(len(arrays["times"]) for arrays in saved)
