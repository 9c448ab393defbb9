"""Every frame given is the right one at the right time, whatever the codec, container and clock."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest

from hicom_agent.video import moments
from hicom_agent.video.glimpses import Seen, stream_pictures
from hicom_agent.video.moments import Moment, read_moments
from hicom_agent.video.plan import Limits, StreamPlan
from hicom_agent.video.reader import Gap, Pictures, Shown
from tests.video.numbered_films import Film, Recipe, add_stream, draw, encoded, even, join, read_number, write_film

TICK = Fraction(1, 25)
X265 = {"preset": "ultrafast", "x265-params": "log-level=none:keyint=40:bframes=3"}
VPX = {"cpu-used": "8", "deadline": "realtime", "g": "40"}
SVT = {"preset": "8", "crf": "12", "g": "40", "svtav1-params": "enable-tf=0"}  # which would blend neighbours
FRAMES = 100
GRID_S = 0.3


def even_film(name: str, recipe: Recipe) -> Callable[[Path], Film]:
    return lambda folder: write_film(folder / name, even(FRAMES, recipe.time_base), recipe)


def uneven_film(name: str, recipe: Recipe) -> Callable[[Path], Film]:
    """Frame times as a phone or a screen recorder writes them, with pauses of seconds."""
    rng = random.Random(7)
    steps = [rng.choice([100, 200, 423, 512, 1031, 6400, 40000 if i % 20 == 0 else 512]) for i in range(FRAMES - 1)]
    ticks = np.cumsum([0, *steps]).tolist()
    return lambda folder: write_film(folder / name, ticks, recipe)


def late_film(name: str, start_s: float) -> Callable[[Path], Film]:
    return lambda folder: write_film(folder / name, even(FRAMES, start_s=start_s))


def joined_film(name: str) -> Callable[[Path], Film]:
    """Return parts of three encodings one after the other, as a recorder that splits its files."""

    def make(folder: Path) -> Film:
        parts = []
        for k, count in enumerate((33, 50, 17)):
            path = folder / f"part{k}.mp4"
            with av.open(str(path), "w") as out:
                for packet in encoded(add_stream(out, Recipe()), even(count), Recipe(), 33 * (k > 0) + 50 * (k > 1)):
                    out.mux(packet)
            parts.append(Film(path, []))
        join(folder / name, parts, [0, 33 / 25, 83 / 25])
        return Film(folder / name, [i / 25 for i in range(FRAMES)])

    return make


def trimmed_film(name: str) -> Callable[[Path], Film]:
    """Return a film whose edit list leaves out its first 30 frames, as a phone's trimming does."""

    def make(folder: Path) -> Film:
        whole = write_film(folder / "whole.mp4", even(FRAMES + 30))
        join(folder / name, [whole], [-30 / 25], avoid_negative_ts="disabled", use_editlist="1")
        return Film(folder / name, [i / 25 for i in range(FRAMES)], first_number=30)

    return make


def resized_film(name: str) -> Callable[[Path], Film]:
    """Return a film whose pictures change size in the middle, as in a broadcast or a call."""

    def make(folder: Path) -> Film:
        options = {"preset": "veryfast", "bf": "2", "g": "20", "x264-params": "annexb=1:repeat-headers=1"}
        with av.open(str(folder / name), "w") as out:
            stream = add_stream(out, Recipe(options=options))
            for packet in encoded(stream, even(50), Recipe()):
                out.mux(packet)
            larger = Recipe(size=(256, 160), options=options)
            with av.open(str(folder / "other.ts"), "w") as other:
                for packet in encoded(add_stream(other, larger), even(50, start_s=2.0), larger, 50):
                    packet.stream = stream
                    out.mux(packet)
        return Film(folder / name, [i / 25 for i in range(FRAMES)])

    return make


FILMS = {
    "H.264 with B-frames in MP4": even_film("a.mp4", Recipe()),
    "H.264 in Matroska": even_film("a.mkv", Recipe()),
    "H.264 in MPEG-TS": even_film("a.ts", Recipe()),
    "H.264 with B-frames in AVI": even_film("a.avi", Recipe(time_base=TICK)),
    "H.264 in FLV": even_film("a.flv", Recipe(time_base=Fraction(1, 1000))),
    "one group of pictures": even_film("a.mp4", Recipe(options={"preset": "fast", "bf": "2", "g": "999"})),
    "open groups of pictures": even_film("a.mp4", Recipe(options={"g": "24", "bf": "3", "x264-params": "open-gop=1"})),
    "intra refresh": even_film("a.mp4", Recipe(options={"bf": "0", "g": "50", "x264-params": "intra-refresh=1"})),
    "HEVC": even_film("a.mp4", Recipe("libx265", options=X265)),
    "HEVC in MPEG-TS": even_film("a.ts", Recipe("libx265", options=X265)),
    "10 bits": even_film("a.mp4", Recipe("libx265", "yuv420p10le", options=X265)),
    "VP9": even_film("a.webm", Recipe("libvpx-vp9", options=VPX)),
    "VP9 in MP4": even_film("a.mp4", Recipe("libvpx-vp9", options=VPX)),
    "AV1": even_film("a.mp4", Recipe("libsvtav1", options=SVT)),
    "MPEG-4": even_film("a.mp4", Recipe("mpeg4", options={"bf": "2", "g": "30", "b": "2000000"})),
    "MPEG-4 in Matroska": even_film("a.mkv", Recipe("mpeg4", options={"bf": "2", "g": "12", "b": "2000000"})),
    "MPEG-4 in AVI": even_film("a.avi", Recipe("mpeg4", options={"bf": "2", "b": "2000000"}, time_base=TICK)),
    "MPEG-2": even_film("a.ts", Recipe("mpeg2video", options={"bf": "2", "b": "2000000"}, time_base=TICK)),
    "MPEG-4 in MPEG-TS": even_film(
        "a.ts", Recipe("mpeg4", options={"bf": "0", "g": "40", "b": "2000000"}, time_base=TICK)
    ),
    "Motion JPEG": even_film("a.mov", Recipe("mjpeg", "yuvj420p", options={})),
    "ProRes": even_film("a.mov", Recipe("prores", "yuv422p10le", options={})),
    "uneven times": uneven_film("a.mp4", Recipe()),
    "uneven times in Matroska": uneven_film("a.mkv", Recipe(time_base=Fraction(1, 1000))),
    "uneven times in VP9": uneven_film("a.webm", Recipe("libvpx-vp9", options=VPX, time_base=Fraction(1, 1000))),
    "uneven times in one group of pictures": uneven_film("a.mp4", Recipe(options={"bf": "3", "g": "999"})),
    "joined parts": joined_film("a.mp4"),
    "joined parts in Matroska": joined_film("a.mkv"),
    "joined parts in MPEG-TS": joined_film("a.ts"),
    "late start": late_film("a.mp4", 3.7),
    "late start in Matroska": late_film("a.mkv", 3.7),
    "late start in MPEG-TS": late_film("a.ts", 3.7),
    "trimmed by an edit list": trimmed_film("a.mp4"),
    "another size from the middle on": resized_film("a.ts"),
    "another size from the middle on, in Matroska": resized_film("a.mkv"),
    "another size from the middle on, in MP4": resized_film("a.mp4"),
    "odd sizes": even_film("a.mp4", Recipe(size=(162, 98))),
}


@pytest.fixture(scope="session", params=FILMS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Film:
    return FILMS[request.param](tmp_path_factory.mktemp("made"))


@contextmanager
def opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)


@cache
def whole(path: Path) -> list[Seen]:
    return streamed(path)


def streamed(path: Path, start_s: float = 0.0) -> list[Seen]:
    with opened(path) as fd:
        items = list(stream_pictures(Pictures(fd, Limits()), StreamPlan(start_s=start_s, sample_every_s=GRID_S)))
    assert not [item for item in items if isinstance(item, Gap)]
    return [item for item in items if isinstance(item, Seen)]


def at(film: Film, times_s: list[float], decord: bool) -> list[Moment]:
    with opened(film.path) as fd:
        return list(read_moments(Pictures(fd, Limits()), times_s, 512, f"/proc/self/fd/{fd}" if decord else ""))


def test_the_numbers_can_be_read_and_told_apart() -> None:
    pictures = [draw(number, (160, 96)) for number in range(300)]
    assert [read_number(picture) for picture in pictures] == list(range(300))
    assert read_number(np.rot90(pictures[7])) != 7 and read_number(pictures[7][:, ::-1]) != 7


def test_a_stream_samples_the_right_frames_at_the_right_times(made: Film) -> None:
    frames = [item for item in whole(made.path) if item.kind == "frame"]
    wanted = made.on_grid(GRID_S)
    assert [read_number(item.picture) - made.first_number for item in frames] == wanted
    assert [item.time_s for item in frames] == pytest.approx([made.times_s[i] for i in wanted], abs=1.1e-3)


def test_a_stream_glimpses_the_right_frames(made: Film) -> None:
    seen = whole(made.path)
    on_grid = [item for item in seen if item.kind == "glimpse"]
    wanted = made.on_grid(0.2)
    assert [read_number(item.picture) - made.first_number for item in on_grid] == wanted
    glimpses = [item for item in seen if item.kind != "frame"]
    assert [item.time_s for item in glimpses] == sorted({item.time_s for item in glimpses})
    numbers = [read_number(item.picture) - made.first_number for item in glimpses]
    assert numbers == list(range(wanted[-1] + 1))  # each frame differs from the last, so all in between were sent too


@pytest.mark.parametrize("share", [0.03, 0.5, 0.97])
def test_a_stream_from_the_middle_is_the_tail_of_the_whole(made: Film, share: float) -> None:
    start_s = made.times_s[-1] * share
    wanted = [item for item in whole(made.path) if item.time_s >= start_s]
    tail = streamed(made.path, start_s)
    assert [(item.kind, item.time_s) for item in tail] == [(item.kind, item.time_s) for item in wanted]
    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(tail, wanted, strict=True))


@pytest.mark.parametrize("decord", [True, False], ids=["decord first", "PyAV alone"])
def test_the_frame_at_a_time_is_the_one_shown_then(made: Film, decord: bool) -> None:
    rng = random.Random(3)
    times_s = sorted(rng.uniform(0, made.times_s[-1] + 0.03) for _ in range(30))
    found = at(made, times_s, decord)
    wanted = [made.shown_at(time_s) for time_s in times_s]
    assert [read_number(item.picture) - made.first_number for item in found] == wanted
    assert [item.time_s for item in found] == pytest.approx([made.times_s[i] for i in wanted], abs=1.1e-3)


def test_after_a_search_the_first_frame_is_a_keyframe(made: Film) -> None:
    with opened(made.path) as fd:
        source = Pictures(fd, Limits())
        for share in (0.2, 0.45, 0.8):
            shown = (item for item in source.shown(made.times_s[-1] * share) if isinstance(item, Shown))
            first = next(shown, None)  # none where the search lands after the last keyframe
            assert first is None or first.frame.key_frame


DECORD_IS_RIGHT = {
    "H.264 with B-frames in MP4",
    "H.264 in Matroska",
    "VP9",
    "VP9 in MP4",
    "late start",
    "late start in Matroska",
    "odd sizes",
    "one group of pictures",
    "uneven times",
    "uneven times in Matroska",
    "uneven times in VP9",
    "uneven times in one group of pictures",
}


@pytest.mark.parametrize("name", [name for name in FILMS if "joined" not in name and "another size" not in name])
def test_decord_is_used_where_it_was_measured_to_be_right(name: str, tmp_path: Path) -> None:
    film = FILMS[name](tmp_path)
    with opened(film.path) as fd:
        assert moments.trusted(Pictures(fd, Limits()), 0.5, 3.0) == (name in DECORD_IS_RIGHT)


def test_a_wrong_picture_from_decord_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = write_film(tmp_path / "a.mp4", even(50))
    real = moments.from_decord

    def shifted(path: str, times_s: list[float], side_px: int) -> list[Moment]:
        return [Moment(item.time_s - 0.04, item.picture) for item in real(path, [t + 0.04 for t in times_s], side_px)]

    monkeypatch.setattr(moments, "from_decord", shifted)
    assert [read_number(item.picture) for item in at(film, [0.1, 0.5, 1.0], decord=True)] == [2, 12, 25]
