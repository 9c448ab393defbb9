"""Which frames a model is shown, and films of what is none."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hicom_agent.errors import InputError
from hicom_agent.evaluation.films import film_of, playable
from hicom_agent.evaluation.frames import show_frames, spread_frames, stretch
from hicom_agent.settings import load_settings
from hicom_agent.video import open_video, probe, read_times
from tests.evaluation.made import make_jpegs
from tests.video.numbered_films import Recipe, even, read_number, write_film

SETTINGS = load_settings({}, {})


def test_frames_are_the_middles_of_equal_parts_as_the_original_counts() -> None:
    expected = "5,14,23,33,42,51,61,70,79,89,98,107,117,126,135,145,154,164,173,182,192,201,210,220,229,238,248,257,266"
    assert spread_frames(0, 299, 32) == [*map(int, expected.split(",")), 276, 285, 294]
    few = "0,0,1,1,1,2,2,2,2,3,3,3,4,4,4,4,5,5,5,5,6,6,6,7,7,7,7,8,8,8,9,9"
    assert spread_frames(0, 9, 32) == [int(number) for number in few.split(",")]
    assert spread_frames(0, 0, 4) == [0] * 4 and spread_frames(10, 13, 2) == [11, 12]


def test_a_stretch_is_counted_in_frames() -> None:
    times_s = [i / 25 for i in range(250)]
    assert stretch(times_s, None) == (0, 249)
    assert stretch(times_s, (2.0, 4.0)) == stretch(times_s, (4.0, 2.0)) == (49, 99)
    assert stretch(times_s, (3.0, 3.0)) == (74, 99)  # a second at least
    assert stretch(times_s, (-1.0, 99.0)) == (0, 249) and stretch(times_s, (50.0, 60.0)) == (249, 249)
    assert stretch([0.0], (1.0, 2.0)) == (0, 0)


def test_exactly_these_frames_are_read(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", even(60), Recipe())
    shown = show_frames(film.path, None, 8, SETTINGS)
    assert [read_number(frame.picture) for frame in shown] == spread_frames(0, 59, 8)
    part = show_frames(film.path, (1.0, 2.0), 4, SETTINGS)
    first, last = stretch(film.times_s, (1.0, 2.0))
    assert [read_number(frame.picture) for frame in part] == spread_frames(first, last, 4)
    cut = film_of(film.path, (1.0, 2.0), tmp_path / "films", SETTINGS)
    with open_video(cut) as opened:
        assert probe(opened).duration_s == pytest.approx(1.0, abs=0.15) and len(read_times(opened)) == 8
    assert film_of(film.path, (1.0, 2.0), tmp_path / "films", SETTINGS) == cut
    assert film_of(film.path, None, tmp_path / "films", SETTINGS) == film.path


def test_a_folder_of_frames_is_a_film_of_three_a_second(tmp_path: Path) -> None:
    make_jpegs(tmp_path / "frames", 12)
    film = playable(tmp_path / "frames", tmp_path / "films")
    with open_video(film) as opened:
        assert read_times(opened) == pytest.approx([i / 3 for i in range(12)], abs=1e-3)
    shades = [float(np.mean(frame.picture)) for frame in show_frames(film, None, 12, SETTINGS)]
    assert shades == pytest.approx([10.0 * number for number in range(1, 13)], abs=3)
    assert list((tmp_path / "films").iterdir()) == [film]


def test_a_folder_without_frames_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no frames; expected files such as 00001.jpg"):
        playable(tmp_path / "empty", tmp_path / "films")
    flat = b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x00\x00\x00\x03"  # of no height and no width
    for data, told in ((b"GIF89a", "is no JPEG picture"), (flat, "no film can be made of .*empty")):
        (tmp_path / "empty" / "00001.jpg").write_bytes(data)
        with pytest.raises(InputError, match=told):
            playable(tmp_path / "empty", tmp_path / "films")
    (tmp_path / "empty" / "00001.jpg").unlink()
    os.mkfifo(tmp_path / "empty" / "00001.jpg")
    with pytest.raises(InputError, match="is no picture of at most 32 MB"):
        playable(tmp_path / "empty", tmp_path / "films")
    assert list((tmp_path / "films").iterdir()) == []
