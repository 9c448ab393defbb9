"""A container that seeks badly costs time, never a frame: the search for a keyframe goes further back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import av
import numpy as np
import pytest

from hicom_agent.video.glimpses import Seen, stream_pictures
from hicom_agent.video.moments import shown_at
from hicom_agent.video.plan import StreamPlan
from hicom_agent.video.reader import Gap, Pictures, Shown


class Clumsy:
    """Ten minutes at two frames a second from a container that lands `late_s` after where it was asked to."""

    def __init__(self, late_s: float) -> None:
        self.late_s = late_s
        self.asked: list[float] = []
        self.stream = self
        self.sample_aspect_ratio = None

    def shown(self, from_s: float) -> Iterator[Shown | Gap]:
        self.asked.append(from_s)
        first = 0 if from_s <= 0 else max(0, int((from_s + self.late_s) * 2))
        for tick in range(first, 1200):
            frame = av.VideoFrame.from_ndarray(np.full((8, 8, 3), tick % 200, np.uint8), "rgb24")
            yield Shown(tick / 2, frame)


def streamed(source: Clumsy, start_s: float) -> list[tuple[str, float]]:
    items = stream_pictures(cast(Pictures, source), StreamPlan(start_s=start_s, sample_every_s=1.5))
    return [(item.kind, item.time_s) for item in items if isinstance(item, Seen)]


@pytest.mark.parametrize("late_s", [0.0, 1.0, 3.0, 30.0, 5000.0])
def test_a_stream_looks_further_back_until_it_knows_what_came_before(late_s: float) -> None:
    whole = [item for item in streamed(Clumsy(0.0), 0.0) if item[1] >= 200]
    source = Clumsy(late_s)
    assert streamed(source, 200.0) == whole
    assert sorted(source.asked, reverse=True) == source.asked and (late_s > 0) == (len(source.asked) > 1)


@pytest.mark.parametrize("late_s", [0.0, 1.0, 3.0, 30.0, 5000.0])
def test_a_moment_is_looked_for_further_back(late_s: float) -> None:
    source = Clumsy(late_s)
    shown = list(shown_at(cast(Pictures, source), [0.2, 100.0, 100.4, 599.9]))
    assert [item.time_s for item in shown] == [0.0, 100.0, 100.0, 599.5]
