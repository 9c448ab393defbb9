from __future__ import annotations

import logging
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from hicom_agent.types import ScreenText

if TYPE_CHECKING:
    from hicom_agent.types import Picture

pytest.importorskip("rapidocr")
from hicom_agent import ocr  # noqa: E402


@pytest.fixture(scope="module")
def reader() -> ocr.ScreenReader:
    return ocr.ScreenReader(threads=2)


def _picture(*texts: tuple[str, int, int, float]) -> Picture:
    """Return a smooth dark picture, 512 by 288, with texts at (x, y) of a scale."""
    shade = np.linspace(20, 90, 512, dtype=np.uint8)
    picture = np.repeat(np.repeat(shade[None, :, None], 288, axis=0), 3, axis=2).copy()
    for text, x, y, scale in texts:
        cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 240, 200), 1, cv2.LINE_AA)
    return picture


def test_lines_are_read_from_the_top_with_their_places(reader: ocr.ScreenReader) -> None:
    lines = reader.read(_picture(("Gate 12 departs at 14:35", 30, 100, 0.7), ("WiFi password: tango47", 30, 220, 0.9)))
    assert [line.text for line in lines] == ["Gate 12 departs at 14:35", "WiFi password: tango47"]
    assert all(line.score > 0.9 for line in lines)
    x0, y0, x1, y1 = lines[0].box
    assert 0.0 <= x0 < 0.1 < 0.5 < x1 <= 1.0
    assert 0.25 < y0 < 100 / 288 < y1 < 0.45


def test_the_same_picture_gives_the_same_lines(reader: ocr.ScreenReader) -> None:
    picture = _picture(("Chapter seventeen", 60, 150, 0.8))
    assert reader.read(picture) == reader.read(picture)


def test_the_models_get_their_colours_in_the_order_they_know(
    reader: ocr.ScreenReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Picture] = []

    def look(bgr: Picture, **_: object) -> SimpleNamespace:
        given.append(bgr)
        return SimpleNamespace(boxes=[], txts=None)

    monkeypatch.setattr(reader, "_glancer", look)
    monkeypatch.setattr(reader, "_reader", look)
    picture = _picture(("Red", 60, 150, 1.5))
    picture[..., 0] //= 2
    assert reader.read(picture) == [] and len(given) == 2
    assert all(np.array_equal(bgr, picture[..., ::-1]) for bgr in given)


@pytest.mark.parametrize("shape", [(288, 512, 3), (8, 512, 3), (1, 1, 3)])
def test_pictures_without_text_give_no_lines(reader: ocr.ScreenReader, shape: tuple[int, int, int]) -> None:
    assert reader.read(np.full(shape, 128, np.uint8)) == []


def test_noise_gives_no_lines(reader: ocr.ScreenReader) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (288, 512, 3), dtype=np.uint8)
    assert reader.read(noise) == []


def test_reading_writes_nothing_and_leaves_the_root_logger_alone(
    reader: ocr.ScreenReader, capfd: pytest.CaptureFixture[str]
) -> None:
    before = list(logging.getLogger().handlers)
    ocr.ScreenReader(threads=1).read(_picture(("Quiet", 60, 150, 1.0)))
    assert logging.getLogger().handlers == before
    assert capfd.readouterr() == ("", "")


def test_a_line_over_many_frames_is_one_entry_in_its_commonest_reading() -> None:
    lines = [["Opening hours"], ["Dpening hours", "Exit"], ["Opening hours"], [], ["Opening hours"], [], [], ["Exit"]]
    texts = ocr.gather([float(i) for i in range(8)], lines, 1.0)
    assert texts == [
        ScreenText(0.0, 5.0, "Opening hours"),
        ScreenText(1.0, 2.0, "Exit"),
        ScreenText(7.0, 8.0, "Exit"),
    ]


def test_a_changed_figure_is_another_line() -> None:
    texts = ocr.gather([0.0, 1.0, 2.0], [["Score 2 - 1"], ["Score 2 - 2"], ["Score 2 - 2"]], 1.0)
    assert texts == [ScreenText(0.0, 1.0, "Score 2 - 1"), ScreenText(1.0, 3.0, "Score 2 - 2")]


def test_the_same_words_twice_on_one_frame_are_two_lines() -> None:
    assert len(ocr.gather([0.0, 1.0], [["Buy now", "Buy now"], ["Buy now", "Buy now"]], 1.0)) == 2


def test_a_line_never_outlasts_the_next_frame() -> None:
    assert ocr.gather([0.0, 0.4], [["Hello there"], []], 1.0) == [ScreenText(0.0, 0.4, "Hello there")]


def test_times_and_frames_of_different_number_are_refused() -> None:
    with pytest.raises(ValueError, match="as many times as frames"):
        ocr.gather([0.0], [[], []], 1.0)


def test_an_hour_of_a_full_slide_is_gathered_in_little_time() -> None:
    slide = [f"line {chr(97 + i % 26)} of the slide with many words {chr(97 + i // 26)}" for i in range(30)]
    started = time.process_time()
    texts = ocr.gather([float(i) for i in range(3600)], [slide] * 3600, 1.0)
    assert len(texts) == 30
    assert time.process_time() - started < 3.0


def test_no_frames_are_no_text() -> None:
    assert ocr.ScreenReader.gather([], [], 1.0) == []
