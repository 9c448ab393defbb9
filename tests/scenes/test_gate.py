"""New things are noticed however small or long ago, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hicom_agent.scenes import ChangeGate, thumbnail
from hicom_agent.scenes import gate as inside
from hicom_agent.types import Frame

Picture = NDArray[np.uint8]


def place(seed: int) -> Picture:
    """Return a picture of a made place."""
    rng = np.random.default_rng(seed)
    small = rng.integers(20, 200, (9, 16, 3), np.uint8)
    return np.asarray(cv2.resize(small, (256, 144), interpolation=cv2.INTER_CUBIC), np.uint8)


def decode(data: Picture) -> Picture:
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def again(picture: Picture, seed: int, quality: int = 40) -> Frame:
    """Return the picture with camera noise and after strong compression."""
    noisy = np.clip(picture + np.random.default_rng(seed).normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
    data = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].astype(np.uint8)
    return Frame(float(seed), decode(data))


def shown_by(gate: ChangeGate, frames: list[Frame]) -> list[int]:
    return [gate.add(frame, i)[0] for i, frame in enumerate(frames)]


def test_noise_and_compression_are_nothing_new() -> None:
    gate = ChangeGate()
    assert shown_by(gate, [again(place(1), i) for i in range(8)]) == [0] * 8
    assert len(gate) == 1


def test_a_place_that_returns_after_many_others_is_nothing_new() -> None:
    frames = [again(place(seed), seed) for seed in range(150)] + [again(place(3), 1000)]
    assert shown_by(ChangeGate(), frames) == [*range(150), 3]


def test_a_small_thing_in_a_corner_is_new() -> None:
    picture = place(1)
    with_thing = picture.copy()
    with_thing[135:143, 245:253] = (200, 30, 30)
    gate = ChangeGate()
    assert shown_by(gate, [again(picture, 0), again(with_thing, 1), again(picture, 2)]) == [0, 1, 0]


def test_exposure_that_drifts_a_little_is_nothing_new_but_a_light_switched_off_is() -> None:
    picture = place(1) // 2 + 110
    a_little, off = picture - 18, picture - 90
    assert shown_by(ChangeGate(), [again(picture, 0), again(a_little, 1), again(off, 2)]) == [0, 0, 2]


def test_novelty_is_between_0_and_1_and_larger_for_what_differs_more() -> None:
    gate = ChangeGate()
    picture = place(1) // 2
    changed = picture.copy()
    changed[:, :96] += 100
    first, same, much = (gate.add(again(p, i), i)[1] for i, p in enumerate([picture, picture, changed]))
    assert first == 1.0 and 0.0 <= same < inside.NEW / 255 <= much < 0.9


def test_a_gate_made_from_saved_parts_goes_on_as_if_never_stopped() -> None:
    frames = [again(place(seed % 40), seed) for seed in range(100)]
    whole = ChangeGate()
    expected = [whole.add(frame, i) for i, frame in enumerate(frames)]
    parts: list[dict[str, NDArray[np.generic]]] = []
    done = []
    gate = ChangeGate()
    for start in range(0, 100, 25):
        if parts:
            gate = ChangeGate({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
        before = len(gate)
        done += [gate.add(frame, start + i) for i, frame in enumerate(frames[start : start + 25])]
        parts.append({name: array[before:] for name, array in gate.state().items()})
    assert done == expected
    assert all(np.array_equal(array, whole.state()[name]) for name, array in gate.state().items())


def test_the_first_look_misses_nothing_that_comparing_all_would_find() -> None:
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(400):
        picture = place(int(rng.integers(2))) // 2 + 60
        picture[:72, :64] += rng.integers(0, 40, dtype=np.uint8)
        row, column = rng.integers(0, 130), rng.integers(64, 240)
        picture[row : row + 8, column : column + 8] += rng.integers(0, 80, dtype=np.uint8)
        pictures.append(picture)
    gate, is_new = ChangeGate(), []
    kept: list[NDArray[np.int16]] = []
    for i, picture in enumerate(pictures):
        fine = inside._signature(picture).astype(np.int16)
        is_new.append(all(2 * np.abs(fine - other).max() >= inside.NEW for other in kept))
        assert (gate.add(Frame(0.0, picture), i)[0] == i) == is_new[-1]
        kept += [fine] if is_new[-1] else []
    assert 2 * inside.NEAREST < sum(is_new) < 0.9 * len(pictures)


@pytest.mark.footage
def test_each_car_is_new_and_the_empty_car_park_is_not(frames_of: Callable[[str], list[Frame]]) -> None:
    frames = frames_of("car")
    shown = shown_by(ChangeGate(), frames)
    with_cars = [5, 6, 7, 8, 15, 16, 17, 18, 26, 27]
    assert [shown[i] for i in with_cars] == with_cars
    empty = [1, 2, 3, 4, 12, 13, 14, 21, 22, 23, 24, 25]
    assert all(shown[i] != i and shown[i] not in with_cars for i in empty)


@pytest.mark.footage
def test_a_loop_of_footage_shows_nothing_new_the_second_time(frames_of: Callable[[str], list[Frame]]) -> None:
    frames = frames_of("bottle")
    gate = ChangeGate()
    shown_by(gate, frames)
    once = len(gate)
    assert all(gate.add(frame, len(frames) + i)[0] < len(frames) for i, frame in enumerate(frames))
    assert len(gate) == once < len(frames)


@pytest.mark.footage
def test_an_hour_of_thumbnails_leaves_room_in_60_megabytes(frames_of: Callable[[str], list[Frame]]) -> None:
    sizes = [len(thumbnail(frame)) for name in ("car", "bottle") for frame in frames_of(name)]
    assert np.mean(sizes) < 15_000


@pytest.mark.parametrize(
    ("size", "expected"), [((1024, 576), (512, 288)), ((90, 160), (90, 160)), ((900, 3), (512, 2))]
)
def test_a_thumbnail_is_a_jpeg_of_at_most_the_side_asked_for(size: tuple[int, int], expected: tuple[int, int]) -> None:
    picture = np.full((size[1], size[0], 3), (250, 20, 20), np.uint8)
    decoded = decode(np.frombuffer(thumbnail(Frame(0.0, picture)), np.uint8))
    assert decoded.shape == (expected[1], expected[0], 3)
    assert decoded[0, 0, 2] > 200 and decoded[0, 0, 0] < 60
