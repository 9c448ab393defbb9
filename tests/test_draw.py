"""Pictures for people: as large as stated, lit where it is hot, valid whatever they are given."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hicom_agent.draw import WIDTH, Curve, draw_curve, paint_heat, short_time, shrink


def jpeg(height: int, width: int, level: int = 100) -> bytes:
    return bytes(cv2.imencode(".jpg", np.full((height, width, 3), level, np.uint8))[1].tobytes())


def decoded(file: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture)


def curve(num: int, question: str = "a car", duration_s: float = 100.0, num_pictures: int = 0) -> Curve:
    times_s = np.linspace(0, duration_s, num, endpoint=False, dtype=np.float32)
    pictures = [(duration_s * i / 6, 0.5, jpeg(30 + 200 * (i % 2), 300 - 100 * i)) for i in range(num_pictures)]
    values = np.abs(np.sin(times_s)).astype(np.float32)
    return Curve(question, "film", duration_s, times_s, values, 0.45, [(2.0, 500.0)], [0.0, 50.0], pictures)


def test_heat_lights_its_place_keeps_the_size_and_leaves_the_rest_alone() -> None:
    heat = np.zeros((6, 10), np.float32)
    heat[1, 7] = 0.9
    painted = decoded(paint_heat(jpeg(240, 401), heat)).astype(int)
    assert painted.shape == (240, 401, 3)
    red = painted[..., 2]
    y, x = np.unravel_index(red.argmax(), red.shape)
    assert 40 <= y <= 80 and 280 <= x <= 320  # cell (1, 7)
    assert np.ptp(red[:, :150]) <= 4
    with pytest.raises(ValueError, match="JPEG"):
        paint_heat(b"no picture", heat)


def test_colours_grow_brighter_with_heat() -> None:
    pictures = [decoded(paint_heat(jpeg(60, 60), np.full((2, 2), level))) for level in (0.25, 0.5, 0.75, 1.0)]
    levels = [float(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).mean()) for picture in pictures]
    assert levels == sorted(levels) and levels[-1] > levels[0] + 40


@pytest.mark.parametrize(
    "shown",
    [
        curve(0),
        curve(1, duration_s=0.04),
        curve(50, num_pictures=2),
        curve(30_000, "x" * 2000, 30_000.0),
        curve(9, "Wo? \x1b[2J où 何処", 0.0),
    ],
)
def test_a_curve_is_a_png_of_its_width_whatever_the_film(shown: Curve) -> None:
    png = draw_curve(shown)
    assert png.startswith(b"\x89PNG\r\n")
    assert decoded(png).shape[1] == WIDTH


def test_times_are_short_in_short_films() -> None:
    assert short_time(599.9, 600) == "9:59" and short_time(3700, 7200) == "01:01:40"


def test_a_picture_is_made_small_only_if_it_has_to_be() -> None:
    small = jpeg(90, 160)
    assert shrink(small, 768, 100_000) is small
    assert max(decoded(shrink(jpeg(900, 1600), 128, 100_000)).shape) == 128
    noise = np.random.default_rng(0).integers(0, 255, (700, 700, 3)).astype(np.uint8)
    assert len(shrink(bytes(cv2.imencode(".jpg", noise)[1].tobytes()), 768, 30_000)) <= 30_000
