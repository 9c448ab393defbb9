"""The frames that a model is shown: evenly spread over a video or a stretch of it, by number as the original counts.

Source: specification of HICom, section 4; frame k stands at the time of the k-th packet in order, not at k / fps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hicom_agent import video

if TYPE_CHECKING:
    from pathlib import Path

    from hicom_agent.settings import Settings
    from hicom_agent.types import Frame

SIDE_PX = 768  # longest side that frames are read at: twice what the tower of the release sees


def spread_frames(first: int, last: int, num_frames: int) -> list[int]:
    """Return which of the frames `first` to `last` are shown: the middle of each of `num_frames` equal parts.

    >>> spread_frames(0, 9, 4), spread_frames(0, 0, 3)
    ([1, 3, 6, 8], [0, 0, 0])
    """
    count = last - first + 1
    return [first + int((i + 0.5) * (count - 1) / num_frames + 1e-6 + 0.5) for i in range(num_frames)]


def stretch(times_s: Sequence[float], span_s: tuple[float, float] | None) -> tuple[int, int]:
    """Return the first and the last frame of a stretch, of all frames without one."""
    last = len(times_s) - 1
    if span_s is None or last == 0:
        return 0, last
    fps = round(last / max(times_s[-1] - times_s[0], 1e-6), 3)
    start_s, end_s = (max(0.0, time_s) for time_s in sorted(span_s))
    end_s = end_s if end_s > start_s else start_s + 1
    first = min(max(int(start_s * fps) - 1, 0), last)
    return first, max(first, min(int(end_s * fps) - 1, last))


def show_frames(path: Path, span_s: tuple[float, float] | None, num_frames: int, settings: Settings) -> list[Frame]:
    """Return the frames that are shown of a video, in order; some come twice where it has fewer.

    Raises VideoRefused or VideoUnreadable.
    """
    limits = video.Limits(max_duration_s=settings.max_duration_s)
    with video.open_video(path, settings.roots, settings.max_video_bytes) as opened:
        times_s = video.read_times(opened, limits)
        chosen = spread_frames(*stretch(times_s, span_s), num_frames)
        return video.read_frames(opened, [times_s[k] for k in chosen], SIDE_PX, limits)
