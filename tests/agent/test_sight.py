"""Moments: stretches of frames in which it is seen."""

from __future__ import annotations

import numpy as np
import pytest

from hicom_agent.agent.evidence import Evidence
from hicom_agent.agent.film import Film
from hicom_agent.agent.fusion import fuse
from hicom_agent.agent.reading import line_support
from hicom_agent.agent.sight import find_clips, join_moments, runs, strength, strong_moments
from hicom_agent.memory import Look
from hicom_agent.types import Clip, StoredFrame


def moment(start_s: float, end_s: float, support: float = 0.8, text: str = "car") -> Evidence:
    return Evidence("v", "visual", start_s, end_s, support, text)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], []), ([0.2], []), ([0.9], [(0, 0)]), ([0.9, 0.1, 0.4, 0.6], [(0, 0), (2, 3)]), ([0.6, 0.3, 0.6], [(0, 2)])],
)
def test_a_run_stays_above_low(values: list[float], expected: list[tuple[int, int]]) -> None:
    assert runs(np.array(values, np.float32), 0.3) == expected


def test_two_frames_must_agree_and_one_alone_is_doubted() -> None:
    assert strength(np.array([0.9, 0.1, 0.7])) == pytest.approx(0.8)
    assert strength(np.array([0.6])) == pytest.approx(0.48)


def test_a_moment_much_weaker_than_the_strongest_is_not_believed() -> None:
    found = strong_moments([moment(4, 6, 0.9), moment(20, 21, 0.5), moment(30, 32, 0.7), moment(40, 41, 0.4)], 1.0)
    assert [(m.start_s, m.support) for m in found] == [(4, 0.9), (30, 0.7)]
    assert strong_moments([moment(4, 6, 0.34)], 1.0) == []


def test_an_unsure_moment_counts_where_none_is_sure() -> None:
    assert len(strong_moments([moment(4, 6, 0.44), moment(20, 22, 0.36)], 1.0)) == 2
    assert [m.support for m in strong_moments([moment(4, 6, 0.5), moment(20, 22, 0.44)], 1.0)] == [0.5]


def test_touching_moments_become_one_with_the_surest_words() -> None:
    joined = join_moments([moment(10, 12, 0.8, "van"), moment(4, 6), moment(12.5, 14, 0.9, "taxi")], 1.0)
    assert [(m.start_s, m.end_s, m.text) for m in joined] == [(4, 6, "car"), (10, 14, "taxi")]
    assert joined[1].support == 0.9


def test_what_two_routes_find_comes_before_what_one_finds() -> None:
    ranked = fuse([[("v", 1), ("v", 2)], [("v", 3), ("v", 2)]])
    assert next(iter(ranked)) == ("v", 2)


def test_shared_words_and_meaning_both_give_support_and_neighbours_some() -> None:
    rows, asked = ["The suitcase is red.", "It stands in the kitchen.", "Goodbye."], ("Where is the suitcase?",) * 2
    own = line_support(*asked, rows[0], " ".join(rows[:2]), 0.5)
    near = line_support(*asked, rows[1], " ".join(rows), 0.5)
    far = line_support(*asked, rows[2], " ".join(rows[1:]), 0.5)
    assert 1 > own > near > far > 0
    assert line_support(*asked, rows[0], rows[0], 0.1) < own


def test_a_weaker_shot_beside_a_strong_one_is_another_moment() -> None:
    assert len(join_moments([moment(4, 6, 0.9), moment(6, 9, 0.7)], 1.0)) == 2


def test_clips_that_are_both_near_and_likely_are_looked_at_before_those_that_are_one() -> None:
    clips = [Clip(i, 2.0 * i, 2.0 * i + 2) for i in range(6)]
    frames = [StoredFrame(i, i, 1.0, b"") for i in range(10)]  # none in the last clip
    presence = np.array([0, 0.1, 0.9, 0, 0.5, 0, 0, 0, 0, 0.4], np.float32)  # likely: 1, 2, 4
    vector, none = np.zeros(2, np.float32), np.zeros(10, np.float32)
    look = Look(-1, "car", vector, vector, presence)
    film = Film(None, clips, frames)  # type: ignore[arg-type]
    found = find_clips(film, look, clips, [3, 5, 4, 2])
    assert [clip.index for clip in found] == [2, 4, 1, 3]
    assert find_clips(film, look, clips[:3], [3, 5, 4, 2]) == [clips[2], clips[1]], "only of those that may be"
    assert find_clips(film, Look(-1, "car", vector, vector, none), clips, []) == []
