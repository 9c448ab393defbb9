"""Clips hold a keyframe, keep to their lengths, and begin where the film cuts."""

from __future__ import annotations

import random

import pytest

from hicom_agent.pairs.clips import Film, Watched, choose_pictures, choose_scenes, join_short
from hicom_agent.types import Damage


def watched(
    duration_s: float, cuts: list[float], keyframes_s: list[float], holes: list[Damage] | None = None
) -> Watched:
    frames_s = [float(second) for second in range(int(duration_s) + 1) if second < duration_s]
    return Watched(duration_s, cuts, [], holes or [], frames_s, keyframes_s)


@pytest.mark.parametrize("seed", range(20))
def test_every_clip_is_5_to_120_seconds_and_holds_its_keyframes_and_pictures(seed: int) -> None:
    rng = random.Random(seed)
    duration_s = rng.uniform(10, 900)
    cuts = sorted(rng.uniform(0, duration_s) for _ in range(rng.choice([0, 1, 5, 80])))
    keys = sorted({float(rng.randrange(int(duration_s))) for _ in range(12)})
    holes = [Damage(40.0, 52.5, "damaged data")] if duration_s > 60 else []
    clips = choose_scenes(watched(duration_s, cuts, keys, holes), 8, 5.0, 120.0)
    assert clips
    for clip in clips:
        assert 5.0 <= clip.end_s - clip.start_s <= 120.0
        assert clip.keyframes_s and set(clip.keyframes_s) <= set(keys)
        assert set(clip.pictures_s) & set(clip.keyframes_s)
        assert all(clip.start_s <= time_s < clip.end_s for time_s in [*clip.keyframes_s, *clip.pictures_s])
        assert len(clip.pictures_s) <= 8 and list(clip.pictures_s) == sorted(set(clip.pictures_s))
        assert not any(clip.start_s < hole.end_s and hole.start_s < clip.end_s for hole in holes)
    assert all(a.end_s <= b.start_s for a, b in zip(clips, clips[1:], strict=False))


def test_a_stretch_without_a_keyframe_is_no_clip() -> None:
    clips = choose_scenes(watched(60.0, [20.0, 40.0], [5.0, 45.0]), 8, 5.0, 120.0)
    assert [(clip.start_s, clip.end_s) for clip in clips] == [(0.0, 20.0), (40.0, 60.0)]


def test_footage_without_cuts_falls_back_to_windows() -> None:
    clips = choose_scenes(watched(100.0, [], [1.0, 30.0, 60.0, 90.0]), 8, 5.0, 120.0)
    assert [(clip.start_s, clip.end_s) for clip in clips] == [(0.0, 25.0), (25.0, 50.0), (50.0, 75.0), (75.0, 100.0)]


def test_a_long_shot_beside_a_cut_is_split_at_the_longest_length() -> None:
    clips = choose_scenes(watched(250.0, [10.0], [1.0, 12.0, 200.0]), 8, 5.0, 120.0)
    assert [(clip.start_s, clip.end_s) for clip in clips] == [(0.0, 10.0), (10.0, 130.0), (130.0, 250.0)]


def test_short_shots_are_joined_to_what_follows_and_the_last_to_what_went_before() -> None:
    assert join_short([1.0, 2.0, 7.0, 9.0, 17.0, 18.0], 20.0, [], 5.0) == [7.0]
    assert join_short([3.0, 12.0, 28.0], 40.0, [(10.0, 20.0)], 5.0) == [28.0]


def test_a_film_comes_back_from_its_row() -> None:
    clips = choose_scenes(watched(60.0, [20.0], [5.0, 45.0]), 4, 5.0, 120.0)
    film = Film("/a/film.mp4", 1, 2, 60.0, 320, 180, 1, 2, tuple(clips))
    assert Film.from_row(film.as_row()) == film


def test_pictures_are_spread_over_the_clip() -> None:
    times_s = [float(second) for second in range(100)]
    chosen = choose_pictures(times_s, [50.0], 8)
    assert len(chosen) == 8 and 50.0 in chosen
    assert chosen[0] < 12 and chosen[-1] > 88
