"""Films of known contents: what was asked for stands where it was asked for."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from film import Card, Part, Shot, make_film, place, where, where_written
from numpy.typing import NDArray

SCRIPT: tuple[Part, ...] = (
    Card(("Chapter one", "red paper"), 0.4, paper="#ff0000", ink="#ffffff"),
    Shot("steps", 0.5, 1.5, 2.0, "grey steps", "tone", 1.0),
    Shot("steps", 0.0, 0.2, 0.2, "black"),
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a square clip whose brightness is its frame number, times 5, and a tone."""
    folder = tmp_path_factory.mktemp("sources")
    with av.open(str(folder / "steps.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"crf": "5"})
        stream.width = stream.height = 64
        for number in range(50):
            picture = np.full((64, 64, 3), number * 5, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))
    with av.open(str(folder / "tone.wav"), "w") as file:
        sound = file.add_stream("pcm_s16le", rate=48000, layout="mono")
        wave = (8000 * np.sin(np.arange(96000) * 0.06)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
        frame.sample_rate = 48000
        file.mux(sound.encode(frame))
        file.mux(sound.encode(None))
    return {"steps": folder / "steps.mp4", "tone": folder / "tone.wav"}


@pytest.fixture(scope="module")
def film(sources: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    assert make_film(SCRIPT, sources, path)
    return path


def pictures(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def test_film_is_h264_at_25_frames_a_second_with_mono_aac(film: Path) -> None:
    with av.open(str(film)) as file:
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, video.width, video.height, video.average_rate) == ("h264", 640, 360, 25)
        assert (audio.codec_context.name, audio.layout.name) == ("aac", "mono")
        assert [round(frame.time * 25) for frame in file.decode(video)] == list(range(65))


def test_shot_shows_the_asked_stretch_slowed(film: Path) -> None:
    shown = [int(picture[180, 320].mean()) for picture in pictures(film)[10:60]]
    true = [(12 + round((i + 0.5) / 2 + 0.49)) * 5 for i in range(50)]
    assert np.abs(np.array(shown) - true).max() <= 6  # a step is 5: at most one frame of the source off


def test_shot_keeps_its_shape_on_black(film: Path) -> None:
    picture = pictures(film)[50]
    assert picture[:, :130].max() < 20 and picture[:, -130:].max() < 20
    assert picture[:, 150:-150].min() > 100


def test_card_fills_its_time_and_no_more(film: Path) -> None:
    shown = pictures(film)
    assert all(picture[5, 5, 0] > 200 > picture[5, 5, 1] + 100 for picture in shown[:10])
    assert shown[10][5, 5].max() < 20


def test_sound_is_heard_where_it_was_put(film: Path) -> None:
    with av.open(str(film)) as file:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    loud = [float(np.abs(sound[round(t * 48000) :][:2400]).mean()) for t in (0.2, 0.6, 0.8, 1.6, 2.2)]
    assert loud[0] < 0.001 and min(loud[1:3]) > 0.1 and max(loud[3:]) < 0.001


def test_film_is_the_same_each_time_and_not_made_again(film: Path, sources: dict[str, Path], tmp_path: Path) -> None:
    assert not make_film(SCRIPT, sources, film)
    again = tmp_path / "film.mp4"
    assert make_film(SCRIPT, sources, again)
    assert again.read_bytes() == film.read_bytes()
    assert make_film(SCRIPT[:1], sources, again)


def test_script_that_asks_for_more_than_there_is_is_refused(sources: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ends before 9.0 s"):
        make_film([Shot("steps", 1.0, 9.0, 1.0, "")], sources, tmp_path / "film.mp4")
    assert not (tmp_path / "film.mp4").exists()


def test_times_of_a_source_become_times_of_the_film() -> None:
    assert [(p.start_s, p.end_s) for p in place(SCRIPT)] == [(0.0, 0.4), (0.4, 2.4), (2.4, 2.6)]
    assert where(SCRIPT, "steps", 0.1, 1.0) == [(0.4, 1.4), (2.5, 2.6)]
    assert where(SCRIPT, "steps", 1.6, 2.0) == []
    assert where_written(SCRIPT, "red") == [(0.0, 0.4)]
