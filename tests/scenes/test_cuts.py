"""Cuts are found to the frame, once, and the same from wherever a pass began."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scenedetect import AdaptiveDetector, FrameTimecode
from scenedetect.common import Timecode

from hicom_agent.scenes import LEAD_S, TAIL_S, find_cuts, segment_cuts
from hicom_agent.scenes import cuts as inside
from hicom_agent.types import Glimpse

Picture = NDArray[np.uint8]
Watch = Callable[[Iterable[tuple[float, Picture]]], list[Glimpse]]
FPS = 25


def scene(seed: int, num_frames: int) -> Iterator[Picture]:
    """Yield a picture that the camera passes over by a pixel in four frames, with noise."""
    rng = np.random.default_rng(seed)
    wide = cv2.resize(rng.integers(0, 256, (6, 60, 3), np.uint8), (640, 36), interpolation=cv2.INTER_CUBIC)
    for i in range(num_frames):
        noise = rng.normal(0, 3, (36, 64, 3))
        yield np.clip(wide[:, i // 4 % 500 : i // 4 % 500 + 64] + noise, 0, 255).astype(np.uint8)


def timed(*parts: Iterable[Picture]) -> list[tuple[float, Picture]]:
    pictures = [picture for part in parts for picture in part]
    return [(i / FPS, picture) for i, picture in enumerate(pictures)]


def test_a_cut_is_found_to_the_frame(watch: Watch) -> None:
    film = watch(timed(scene(1, 83), scene(2, 61), scene(3, 98), scene(4, 77)))
    assert find_cuts(film) == pytest.approx([83 / FPS, 144 / FPS, 242 / FPS])


def test_a_cut_is_found_on_the_grid_if_nothing_came_in_between(watch: Watch) -> None:
    film = [g for g in watch(timed(scene(1, 83), scene(2, 61))) if g.on_grid]
    assert find_cuts(film) == pytest.approx([85 / FPS])


def test_shots_of_a_third_of_a_second_are_told_apart(watch: Watch) -> None:
    film = watch(timed(scene(0, 50), *(scene(seed, 8) for seed in range(1, 6)), scene(9, 50)))
    assert find_cuts(film) == pytest.approx([(50 + 8 * i) / FPS for i in range(6)])


@pytest.mark.parametrize("detector", ["adaptive", "content", "loose"])
def test_a_moving_camera_makes_no_cut(watch: Watch, detector: inside.Detector) -> None:
    assert find_cuts(watch(timed(scene(5, 300))), detector) == []


def test_the_content_detector_finds_the_same_sharp_cuts(watch: Watch) -> None:
    film = watch(timed(scene(1, 83), scene(2, 61), scene(3, 98)))
    assert find_cuts(film, "content") == find_cuts(film) == pytest.approx([83 / FPS, 144 / FPS])


def test_the_loose_detector_finds_cuts_between_pictures_that_the_content_detector_takes_for_one_shot(
    watch: Watch,
) -> None:
    grey = [cv2.cvtColor(cv2.cvtColor(p, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR) // 2 for p in scene(1, 144)]
    film = watch(timed(grey[:83], (p + 74 for p in grey[83:])))
    assert find_cuts(film, "content") == []
    assert find_cuts(film, "loose") == pytest.approx([83 / FPS])


def test_a_flash_is_no_cut(watch: Watch) -> None:
    pictures = timed(scene(6, 200))
    for i in (100, 101, 102):
        pictures[i][1][:] = 250
    assert find_cuts(watch(pictures)) == []


def test_a_fade_through_black_is_one_cut_where_the_picture_comes_back(watch: Watch) -> None:
    light = np.concatenate([np.ones(100), np.linspace(1, 0, 50), np.zeros(300), np.linspace(0, 1, 50), np.ones(100)])
    pictures = [*scene(7, 300), *scene(8, 300)]
    film = watch(timed((p * level).astype(np.uint8) for p, level in zip(pictures, light, strict=True)))
    back = next(g for g in film if g.time_s > 400 / FPS and g.picture.mean() >= inside.DARK)
    assert find_cuts(film) == [back.time_s]


def test_a_dark_scene_that_flickers_about_the_threshold_is_not_a_row_of_fades(watch: Watch) -> None:
    rng = np.random.default_rng(0)
    levels = [np.full((36, 64, 3), level, np.uint8) for level in rng.integers(9, 16, 500)]
    assert find_cuts(watch(timed(levels))) == []


def test_noise_in_the_hue_of_near_black_is_no_cut(watch: Watch) -> None:
    rng = np.random.default_rng(0)
    dark = [rng.integers(0, 2 + 3 * (i > 100), (36, 64, 3), np.uint8) for i in range(200)]
    assert find_cuts(watch(timed(dark))) == []


def test_slides_that_stand_for_seconds_are_cuts_though_each_comes_once() -> None:
    slides = [Glimpse(time_s, next(scene(seed, 1))) for seed, time_s in enumerate([0.0, 7.3, 9.1, 31.0])]
    assert find_cuts(slides) == [7.3, 9.1, 31.0]


def test_a_stream_that_changes_its_size_does_not_stop_the_search(watch: Watch) -> None:
    first, second = timed(scene(1, 60), scene(2, 60))[:60], timed(scene(1, 60), scene(2, 60))[60:]
    smaller = [(time_s, cv2.resize(picture, (48, 27))) for time_s, picture in second]
    assert find_cuts([*watch(first), *watch(smaller)]) == pytest.approx([60 / FPS])


@pytest.mark.parametrize("glimpses", [[], [Glimpse(0.0, np.zeros((36, 64, 3), np.uint8))]])
def test_no_glimpse_or_one_has_no_cuts(glimpses: list[Glimpse]) -> None:
    assert find_cuts(glimpses) == [] and segment_cuts(glimpses, 0.0, 60.0) == []


def all_through_the_detector(glimpses: Sequence[Glimpse]) -> list[float]:
    """Return what PySceneDetect reports when it sees every glimpse, less what we then leave out."""
    times_s, pictures = inside._hold(glimpses)
    steps = inside._steps(pictures)
    detector = AdaptiveDetector(min_scene_len=0)
    found: list[int] = []
    for i, picture in enumerate(pictures):
        code = FrameTimecode(Timecode(i, Fraction(1)), Fraction(1))
        found += [code.pts for code in detector.process_frame(code, picture)]
    return [times_s[i] for i in found if steps[i] >= inside.MIN_STEP and inside._stays(i, times_s, pictures)]


def test_leaving_out_calm_stretches_changes_nothing(watch: Watch) -> None:
    film = watch(timed(scene(0, 50), *(scene(seed, 5 * seed) for seed in range(2, 16)), scene(1, 80)))
    assert find_cuts(film) == all_through_the_detector(film) != []


@pytest.mark.footage
@pytest.mark.parametrize("name", ["car", "bottle"])
def test_footage_of_one_camera_has_no_cuts(name: str, glimpses_of: Callable[[str], list[Glimpse]]) -> None:
    film = glimpses_of(name)
    assert find_cuts(film) == all_through_the_detector(film) == []


def joined(left: list[Glimpse], right: list[Glimpse]) -> list[Glimpse]:
    shift_s = left[-1].time_s + 0.04
    return left + [Glimpse(g.time_s + shift_s, g.picture, g.on_grid) for g in right]


@pytest.mark.footage
def test_footage_put_together_is_cut_where_it_was_put_together(glimpses_of: Callable[[str], list[Glimpse]]) -> None:
    car, bottle = glimpses_of("car"), glimpses_of("bottle")
    film = joined(joined(car, bottle), car)
    expected = [film[len(car)].time_s, film[len(car) + len(bottle)].time_s]
    assert find_cuts(film) == expected


def test_segments_find_together_what_one_search_finds(watch: Watch) -> None:
    film = watch(timed(*(scene(seed, 13 * seed) for seed in range(1, 15))))
    parts = [segment_cuts(film, start_s, start_s + 10.0) for start_s in np.arange(0.0, 60.0, 10.0)]
    assert [cut for part in parts for cut in part] == find_cuts(film)


def test_a_segment_is_the_same_from_a_pass_that_resumed_at_its_lead_in(watch: Watch) -> None:
    shown = timed(*(scene(seed, 13 * seed) for seed in range(1, 15)))
    whole = watch(shown)
    for start_s in (10.0, 20.0, 30.0, 40.0):
        resumed = watch([item for item in shown if start_s - LEAD_S <= item[0] < start_s + 10.0 + TAIL_S])
        assert segment_cuts(resumed, start_s, start_s + 10.0) == segment_cuts(whole, start_s, start_s + 10.0)


def test_the_first_picture_after_a_long_nothing_begins_a_shot() -> None:
    slides = [Glimpse(time_s, next(scene(seed, 1))) for seed, time_s in enumerate([0.0, 70.0, 75.0])]
    assert segment_cuts(slides, 60.0, 120.0) == [70.0, 75.0]
    assert segment_cuts(slides, 0.0, 60.0) == []
