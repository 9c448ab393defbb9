"""The truth about the shared footage, held against its pixels."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from mixed import BOTTLES_S, CARS_S, EMPTY_S, SCRIPT, make_mixed, shown
from numpy.typing import NDArray

pytestmark = pytest.mark.footage


def in_one_of(time_s: float, stretches_s: tuple[tuple[float, float], ...]) -> bool:
    return any(start + 0.1 <= time_s <= end - 0.1 for start, end in stretches_s)


def small(frame: av.VideoFrame) -> NDArray[np.uint8]:
    grey: NDArray[np.uint8] = cv2.resize(frame.to_ndarray(format="gray"), (192, 108), interpolation=cv2.INTER_AREA)
    return grey


def test_cars_are_in_view_when_the_table_says_and_never_else(footage: Path) -> None:
    with av.open(str(footage / "car-detection.mp4")) as file:
        frames = [(frame.time, small(frame)) for frame in file.decode(video=0)]
    empty = np.median([picture for time_s, picture in frames if in_one_of(time_s, EMPTY_S)], axis=0)
    for time_s, picture in frames:
        # The camera darkens while a car is near: the median takes the whole picture's change out.
        change = picture - empty
        strange = float((np.abs(change - np.median(change)) > 30).mean())
        assert not in_one_of(time_s, CARS_S) or strange > 0.0075, time_s
        assert not in_one_of(time_s, EMPTY_S) or strange < 0.0075, time_s


def test_a_blue_cap_is_in_view_all_the_time(footage: Path) -> None:
    with av.open(str(footage / "bottle-detection.mp4")) as file:
        for frame in list(file.decode(video=0))[::30]:
            hue, saturation, _ = cv2.split(cv2.cvtColor(frame.to_ndarray(format="bgr24"), cv2.COLOR_BGR2HSV))
            caps = (hue > 105) & (hue < 125) & (saturation > 150)
            assert caps.mean() > 0.001, frame.time


def test_stretches_are_found_again_in_the_mixed_film() -> None:
    length_s = sum(part.lasts_s for part in SCRIPT)
    for stretches in (shown("cars", CARS_S), shown("cars", EMPTY_S), shown("bottles", BOTTLES_S)):
        assert stretches and all(0 <= start < end <= length_s for start, end in stretches)
    seen_s = sum(end - start for start, end in shown("cars", CARS_S))
    assert seen_s == pytest.approx(sum(end - start for start, end in CARS_S), abs=0.2)


@pytest.mark.slow
def test_mixed_film_shows_bottles_and_cars_where_it_says(footage: Path, tmp_path: Path) -> None:
    fetched = Path(__file__).resolve().parents[2] / ".demo" / "footage"
    if not (fetched / "music.mp4").is_file():
        pytest.skip("the demo's footage was never fetched; run: make demo")
    mixed = make_mixed(tmp_path, footage, {path.stem: path for path in fetched.glob("*.mp4")})
    middles = [(start + end) / 2 for start, end in (*mixed.bottles_s, *mixed.cars_s)]
    with av.open(str(mixed.path)) as file:
        shown_then = {
            t: f.to_ndarray(format="bgr24") for f in file.decode(video=0) for t in middles if 0 <= f.time - t < 0.04
        }
    blue = [bool((np.diff(shown_then[t].astype(int), axis=2)[..., 0] < -60).mean() > 0.001) for t in middles]
    assert blue == [True, True, False, False, False]
