"""A stream becomes minutes, each with what belongs to it, wherever the stream began."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from hicom_agent import scenes
from hicom_agent.scenes.segments import SEGMENT_S, split_segments
from hicom_agent.types import Damage, Frame, Glimpse

PICTURE = np.zeros((2, 2, 3), np.uint8)


def film(seconds: float, start_s: float = 0.0) -> Iterator[Glimpse | Frame]:
    """Yield a glimpse every 0.2 s and a frame every second, as a decoder does."""
    for tick in range(round(start_s * 5), round(seconds * 5)):
        yield Glimpse(tick / 5, PICTURE)
        if tick % 5 == 0:
            yield Frame(tick / 5, PICTURE)


@pytest.mark.parametrize("seconds", [0.2, 59.0, 60.0, 60.2, 61.0, 119.9, 200.0])
def test_every_frame_is_in_one_segment(seconds: float) -> None:
    segments = list(split_segments(film(seconds), 0))
    times_s = [frame.time_s for segment in segments for frame in segment.frames]
    assert times_s == [item.time_s for item in film(seconds) if isinstance(item, Frame)]
    assert [segment.index for segment in segments] == list(range(len(segments)))
    for segment in segments:
        assert all(segment.start_s <= frame.time_s < segment.end_s for frame in segment.frames)


def test_a_resumed_stream_gives_the_same_segments() -> None:
    whole = list(split_segments(film(200.0), 0))
    rest = list(split_segments(film(200.0, 2 * SEGMENT_S - scenes.LEAD_S), 2))
    for a, b in zip(whole[2:], rest, strict=True):
        assert a.index == b.index
        assert [g.time_s for g in a.glimpses] == [g.time_s for g in b.glimpses]
        assert [f.time_s for f in a.frames] == [f.time_s for f in b.frames]


def test_damage_over_several_minutes_does_not_stop_the_count() -> None:
    items = [*film(30.0), Damage(30.0, 250.0, "lost"), *film(260.0, 250.0)]
    segments = list(split_segments(items, 0))
    assert [segment.index for segment in segments] == [0, 1, 2, 3, 4]
    assert segments[0].damage == [Damage(30.0, 250.0, "lost")]
    assert [len(segment.frames) for segment in segments] == [30, 0, 0, 0, 10]


def test_a_segment_comes_before_the_film_ends() -> None:
    stream = split_segments(film(10_000.0), 0)
    assert next(stream).index == 0
