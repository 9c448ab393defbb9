"""What a record must hold to be remembered."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np

from hicom_agent.memory.generations import check_video_id, kept_frames
from hicom_agent.types import Record

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def check_record(record: Record) -> None:
    """Raise ValueError, naming the first contradiction, unless every index, time and row of `record` fits."""
    check_video_id(record.video_id)
    if not record.sha256.startswith(record.video_id):
        raise ValueError(f"{record.video_id} is not the start of sha256 {record.sha256[:20]}")
    if [clip.index for clip in record.clips] != list(range(len(record.clips))):
        raise ValueError("clips are counted from 0 without a gap")
    kept = set(kept_frames(record))
    for i, frame in enumerate(record.frames):
        if frame.shown_by not in kept:
            raise ValueError(f"frame {i} is shown by {frame.shown_by}, which is not kept")
    _check_times(record)
    _check_rows(record, len(kept))


def _check_times(record: Record) -> None:
    spans: Iterable[tuple[float, float]] = (
        (span.start_s, span.end_s)
        for spans in (record.clips, record.speech, record.texts, record.damage)
        for span in spans
    )
    for start_s, end_s in spans:
        if not 0 <= start_s <= end_s < math.inf:
            raise ValueError(f"a span starts at or after 0 and ends after it starts, got {start_s} to {end_s}")
    times_s = [*(frame.time_s for frame in record.frames), record.info.duration_s, record.covered_s]
    if not all(0 <= time_s < math.inf for time_s in times_s):
        raise ValueError("the time of a frame, the duration and what is covered are 0 or more")
    if not all(math.isfinite(frame.novelty) for frame in record.frames):
        raise ValueError("the novelty of a frame is a number")


def _check_rows(record: Record, num_kept: int) -> None:
    expected = {"frames": num_kept, "speech": len(record.speech), "texts": len(record.texts)}
    for name, rows in record.vectors.items():
        if name not in expected:
            raise ValueError(f"vectors are of {', '.join(expected)}, got {name!r}")
        if rows.ndim != 2 or len(rows) not in (0, expected[name]):
            raise ValueError(f"vectors of {name} need {expected[name]} rows, got shape {rows.shape}")
        if not np.isfinite(rows).all():
            raise ValueError(f"vectors of {name} hold what is not a number")
    for name, rows in record.packed.items():
        check_packed(name, rows.shape, num_kept)
        if rows.dtype.hasobject:
            raise ValueError(f"packed {name!r} needs numbers")


def check_packed(name: str, shape: Sequence[int], num_kept: int) -> None:
    """Raise ValueError unless packed features of this shape have a row for each kept frame, and a plain name."""
    if not _NAME.fullmatch(name) or not shape or shape[0] != num_kept:
        raise ValueError(f"packed {name!r:.80} needs one row for each of {num_kept} kept frames: {tuple(shape)}")
