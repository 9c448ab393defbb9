"""Clips cover everything once, keep to their lengths, and span no cut that they need not."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from hicom_agent.scenes import make_clips
from hicom_agent.scenes.clips import ALONE_S
from hicom_agent.types import Clip


def spans(clips: list[Clip]) -> list[tuple[float, float]]:
    return [(clip.start_s, clip.end_s) for clip in clips]


def test_a_shot_is_a_clip() -> None:
    assert spans(make_clips(25.0, [10.0, 13.0])) == [(0.0, 10.0), (10.0, 13.0), (13.0, 25.0)]


def test_a_long_shot_without_changes_is_split_evenly() -> None:
    assert spans(make_clips(90.5, [])) == [(i * 22.625, (i + 1) * 22.625) for i in range(4)]


def test_a_long_shot_is_split_where_it_changes_but_not_near_its_ends() -> None:
    clips = make_clips(50.0, [], changes=[1.0, 28.0, 49.0])
    assert spans(clips) == [(0.0, 28.0), (28.0, 50.0)]


def test_a_shot_of_a_second_is_alone_and_a_flash_of_shots_joins_the_shorter_neighbour() -> None:
    assert spans(make_clips(30.0, [10.0, 11.0])) == [(0.0, 10.0), (10.0, 11.0), (11.0, 30.0)]
    assert spans(make_clips(30.0, [10.0, 10.5])) == [(0.0, 10.5), (10.5, 30.0)]
    assert spans(make_clips(30.0, [20.0, 20.5])) == [(0.0, 20.0), (20.0, 30.0)]


def test_flash_cuts_make_clips_of_their_own_rather_than_hang_on_to_long_shots() -> None:
    cuts = [10.0 + 0.4 * i for i in range(13)]
    clips = make_clips(30.0, cuts)
    assert clips[0].end_s <= 10.0 + ALONE_S and clips[-1].start_s >= 14.8 - ALONE_S
    assert all(clip.end_s - clip.start_s < 2.5 for clip in clips[1:-1])


def test_what_could_not_be_decoded_is_in_no_clip() -> None:
    clips = make_clips(40.0, [5.0, 22.0], holes=[(20.0, 26.0), (24.0, 25.0), (38.0, 99.0)])
    assert spans(clips) == [(0.0, 5.0), (5.0, 20.0), (26.0, 38.0)]


def test_a_video_without_pictures_or_all_broken_has_no_clips() -> None:
    assert make_clips(0.0, []) == [] == make_clips(10.0, [3.0], holes=[(0.0, 10.0)])


def test_a_very_short_video_is_one_clip() -> None:
    assert spans(make_clips(0.4, [0.2])) == [(0.0, 0.4)]


def test_lengths_that_cannot_be_kept_are_refused() -> None:
    with pytest.raises(ValueError, match="min_s=20"):
        make_clips(10.0, [], min_s=20.0)


@pytest.mark.parametrize("seed", range(40))
def test_clips_cover_all_once_and_span_only_cuts_of_shots_too_short(seed: int) -> None:
    rng = np.random.default_rng(seed)
    duration_s = float(rng.uniform(1, 900))
    cuts = sorted(rng.uniform(-1, duration_s + 1, rng.integers(0, 200)).tolist())
    changes = sorted(rng.uniform(0, duration_s, rng.integers(0, 50)).tolist())
    clips = make_clips(duration_s, cuts, changes)
    assert [clip.index for clip in clips] == list(range(len(clips)))
    assert clips[0].start_s == 0.0 and clips[-1].end_s == duration_s
    assert all(left.end_s == right.start_s for left, right in pairwise(clips))
    assert all(clip.end_s - clip.start_s <= 30.0 + 1e-9 for clip in clips)
    assert all(clip.end_s - clip.start_s >= min(ALONE_S, duration_s) for clip in clips)
    shots = list(pairwise([0.0, *(c for c in cuts if 0 < c < duration_s), duration_s]))
    for clip in clips:
        over = [shot for shot in shots if shot[0] < clip.end_s and shot[1] > clip.start_s]
        assert len(over) == 1 or min(end_s - start_s for start_s, end_s in over) < ALONE_S
