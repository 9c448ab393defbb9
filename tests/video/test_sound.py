"""Sound stands on the video's clock: sample i at i / 16000 s after the first shown frame."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from hicom_agent.errors import VideoUnreadable
from hicom_agent.video import open_video, probe, read_audio
from tests.video.numbered_films import RATE, add_sound, even, write_film


def loud_at(samples: NDArray[np.int16]) -> list[float]:
    """Return when clicks begin, in seconds."""
    loud = np.abs(samples.astype(int)) > 6000
    starts = np.flatnonzero(loud & ~np.concatenate([[False], loud[:-1]]))
    firsts = [start for i, start in enumerate(starts) if i == 0 or start - starts[i - 1] > 3000]
    return [float(first / 16000) for first in firsts]


def heard(path: Path, start_s: float = 0.0) -> NDArray[np.int16]:
    with open_video(path) as opened:
        parts = list(read_audio(opened, start_s=start_s))
    assert all(part.dtype == np.int16 and part.ndim == 1 for part in parts)
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
@pytest.mark.parametrize("start_s", [0.0, 0.7, 2.0])
def test_sound_that_starts_late_comes_after_silence(tmp_path: Path, name: str, start_s: float) -> None:
    film = write_film(tmp_path / "v.mp4", even(100))
    samples = heard(add_sound(film.path, tmp_path / name, 3.0, start_s))
    assert loud_at(samples) == pytest.approx([start_s + 0.5 * k for k in range(6)], abs=0.012)
    assert len(samples) / 16000 == pytest.approx(start_s + 3.0, abs=0.05)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_sound_before_the_first_picture_is_left_out(tmp_path: Path, name: str) -> None:
    film = write_film(tmp_path / "v.mp4", even(50, start_s=1.25))
    samples = heard(add_sound(film.path, tmp_path / name, 3.0))
    assert loud_at(samples) == pytest.approx([0.25, 0.75, 1.25], abs=0.012)


def test_a_hole_is_silent_and_moves_nothing(tmp_path: Path) -> None:
    film = write_film(tmp_path / "v.mp4", even(50))
    samples = heard(add_sound(film.path, tmp_path / "a.mkv", 4.0, hole_s=(1.2, 2.3)))
    assert loud_at(samples) == pytest.approx([0, 0.5, 1, 2.5, 3, 3.5], abs=0.012)
    assert not samples[int(1.4 * 16000) : int(2.2 * 16000)].any()


def test_from_the_middle_is_the_tail_of_the_whole(tmp_path: Path) -> None:
    film = write_film(tmp_path / "v.mp4", even(100))
    path = add_sound(film.path, tmp_path / "a.mp4", 4.0)
    whole, tail = heard(path), heard(path, start_s=2.1)
    assert len(tail) == pytest.approx(len(whole) - 2.1 * 16000, abs=2)
    assert np.abs(whole[-len(tail) :].astype(int) - tail).max() < 1500


ALONE = {"a.m4a": "aac", "a.mp3": "libmp3lame", "a.flac": "flac", "a.ogg": "libopus", "a.wav": "pcm_s16le"}


@pytest.mark.parametrize(("name", "codec"), ALONE.items())
def test_sound_alone_starts_at_its_own_beginning(tmp_path: Path, name: str, codec: str) -> None:
    path = add_sound(None, tmp_path / name, 2.0, codec=codec)
    assert loud_at(heard(path)) == pytest.approx([0, 0.5, 1, 1.5], abs=0.03)
    with open_video(path) as opened:
        info = probe(opened)
    assert (info.width_px, info.codec) == (0, "") and info.audio_codec
    assert info.duration_s == pytest.approx(2, abs=0.1)


def test_a_video_without_sound_gives_none(tmp_path: Path) -> None:
    assert len(heard(write_film(tmp_path / "a.mp4", even(20)).path)) == 0


def test_an_audio_track_without_any_sound_is_unreadable(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        out.add_stream("flac", rate=RATE)
        out.start_encoding()
    with open_video(tmp_path / "a.mkv") as opened, pytest.raises(VideoUnreadable):
        probe(opened)
