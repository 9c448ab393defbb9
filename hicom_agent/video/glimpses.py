"""Choose and make the pictures of one streaming pass. Runs in the decoding process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hicom_agent.video.pictures import Shaper
from hicom_agent.video.plan import GLIMPSE_STEP_S, StreamPlan
from hicom_agent.video.reader import Gap, Pictures, Shown

if TYPE_CHECKING:
    from fractions import Fraction

    from av.video.frame import VideoFrame

    from hicom_agent.video.pictures import Picture

LEADS_S = (*(4.0**k for k in range(9)), float("inf"))  # how far before a time to look for a keyframe, in turn
CHANGED = 8.0  # mean absolute difference of neighbouring glimpses, of 255, from which on a cut may lie between
_HELD_BYTES = 256 * 2**20  # of frames kept between two glimpses


class Seen(NamedTuple):
    """A picture made of a frame."""

    kind: str  # "glimpse" (BGR), "between" (a glimpse off the grid) or "frame" (RGB)
    time_s: float
    picture: Picture


def stream_pictures(source: Pictures, plan: StreamPlan) -> Iterator[Seen | Gap]:
    """Yield glimpses, sampled frames and gaps from `plan.start_s` on, in one decode pass, times ascending.

    What is chosen depends on a frame's time and its neighbours' only, so a pass from the middle gives what a pass
    from 0 gives. For that it decodes from a little before; where that shows too little, from further before.
    """
    for lead_s in LEADS_S:
        from_s = plan.start_s - lead_s
        sampler = Sampler(plan, source.stream.sample_aspect_ratio, from_start=from_s <= 0)
        for item in source.shown(from_s):
            if isinstance(item, Gap):
                if sampler.ready and item.end_s >= plan.start_s:
                    yield item
            elif item.time_s >= plan.start_s and not sampler.ready:
                break
            else:
                yield from sampler.feed(item)
        else:
            if sampler.ready or from_s <= 0:
                return
        if from_s <= 0:
            return


class Sampler:
    """Decide for each frame in turn whether it is given, and as what."""

    def __init__(self, plan: StreamPlan, sar: Fraction | None, from_start: bool) -> None:
        """Start; `from_start` says that the first frame fed is the video's first."""
        self._plan, self._sar = plan, sar
        self._shaper = Shaper(plan.side_px)
        self._last_s: float | None = -1.0 if from_start else None
        self._last_small: Picture | None = None
        self._between: list[tuple[float, VideoFrame | Picture]] = []

    @property
    def ready(self) -> bool:
        """Return whether enough was fed for the next choice to be that of a pass from 0."""
        return self._last_small is not None or self._last_s == -1.0

    def feed(self, shown: Shown) -> list[Seen]:
        """Return what is made of a frame, and of those before it that were waiting for it; mostly nothing."""
        time_s, frame = shown
        last_s, self._last_s = self._last_s, time_s
        seen: list[Seen] = []
        if last_s is not None and _cell(time_s, GLIMPSE_STEP_S) > _cell(last_s, GLIMPSE_STEP_S):
            seen += self._glimpses(time_s, self._shaper.glimpse(frame))
        elif self._last_small is not None:
            self._keep(time_s, frame)
        if self._plan.pictures and last_s is not None and time_s >= self._plan.start_s:
            step_s = self._plan.sample_every_s
            if _cell(time_s, step_s) > _cell(last_s, step_s):
                seen.append(Seen("frame", time_s, self._shaper.picture(frame, self._sar)))
        return seen

    def _glimpses(self, time_s: float, small: Picture) -> Iterator[Seen]:
        changed = self._last_small is not None and differs(self._last_small, small)
        for between_s, picture in self._between if changed else ():
            if between_s >= self._plan.start_s:
                made = picture if isinstance(picture, np.ndarray) else self._shaper.glimpse(picture)
                yield Seen("between", between_s, made)
        self._between.clear()
        self._last_small = small
        if time_s >= self._plan.start_s:
            yield Seen("glimpse", time_s, small)

    def _keep(self, time_s: float, frame: VideoFrame) -> None:
        """Hold a frame in case it is wanted; small already where the frames are many or large."""
        held = frame.width * frame.height * 3 * (len(self._between) + 1)
        self._between.append((time_s, frame if held < _HELD_BYTES else self._shaper.glimpse(frame)))


def differs(before: Picture, after: Picture) -> bool:
    """Return whether a cut may lie between two glimpses; too often costs time, too seldom costs precision."""
    if before.shape != after.shape:
        return True
    apart = np.maximum(before, after) - np.minimum(before, after)  # in bytes: a quarter of the time of wider numbers
    return int(apart.sum(dtype=np.uint32)) > CHANGED * apart.size


def _cell(time_s: float, step_s: float) -> int:
    return int(time_s / step_s + 1e-6) if time_s >= 0 else -1
