"""Times come from pts; a broken clock, damaged data or a missing end is reported and bounded."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from hicom_agent.errors import VideoRefused, VideoUnreadable
from hicom_agent.video.glimpses import Seen, stream_pictures
from hicom_agent.video.plan import Limits, StreamPlan
from hicom_agent.video.probing import look
from hicom_agent.video.reader import Gap, Pictures, Shown
from tests.video.numbered_films import Film, Recipe, add_sound, add_stream, encoded, even, read_number, write_film

PLAIN = {"preset": "ultrafast", "g": "5", "keyint_min": "5", "sc_threshold": "0"}  # no B-frames: packets in shown order
MILLI = Fraction(1, 1000)


def with_times(path: Path, times_ms: list[int]) -> Film:
    """Write numbered frames whose times are written as they are, in whatever order."""
    recipe = Recipe(options=PLAIN, time_base=MILLI)
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as out:
        stream = add_stream(out, recipe)
        packets = list(encoded(stream, even(len(times_ms), MILLI), recipe))
        for index, (packet, time_ms) in enumerate(zip(packets, times_ms, strict=True)):
            packet.pts, packet.dts = time_ms, index - len(packets)  # Matroska keeps only the first
            out.mux(packet)
    return Film(path, [])


def run(film: Film, limits: Limits | None = None, start_s: float = 0.0) -> tuple[list[Seen], list[Gap]]:
    fd = os.open(film.path, os.O_RDONLY)
    try:
        plan = StreamPlan(start_s=start_s, sample_every_s=0.04)
        items = list(stream_pictures(Pictures(fd, limits or Limits()), plan))
    finally:
        os.close(fd)
    return [i for i in items if isinstance(i, Seen) and i.kind == "frame"], [i for i in items if isinstance(i, Gap)]


def probe(film: Film, limits: Limits | None = None) -> dict[str, object]:
    fd = os.open(film.path, os.O_RDONLY)
    try:
        return look(fd, limits or Limits(), lambda _: None)
    finally:
        os.close(fd)


def numbers(frames: list[Seen]) -> list[int]:
    return [read_number(frame.picture) for frame in frames]


def test_two_frames_of_one_time_count_once(tmp_path: Path) -> None:
    frames, gaps = run(with_times(tmp_path / "a.mkv", [0, 40, 40, 80, 120, 120, 160]))
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    assert numbers(frames) == [0, 1, 3, 4, 6] and not gaps


def test_a_little_disorder_leaves_frames_out(tmp_path: Path) -> None:
    frames, gaps = run(with_times(tmp_path / "a.mkv", [0, 80, 40, 120, 160]))
    assert numbers(frames) == [0, 1, 3, 4] and not gaps


def test_a_clock_that_goes_far_back_is_reported(tmp_path: Path) -> None:
    times_ms = [i * 40 for i in range(100)] + [i * 40 for i in range(110)]
    frames, gaps = run(with_times(tmp_path / "a.mkv", times_ms))
    assert all(a.time_s < b.time_s for a, b in pairwise(frames))
    assert numbers(frames) == [*range(100), *range(200, 210)]
    assert len(gaps) == 1 and "goes back by 4 s" in gaps[0].reason


def test_long_pauses_are_no_damage(tmp_path: Path) -> None:
    hours = 3_600_000
    film = with_times(tmp_path / "a.mkv", [i * 3 * hours // 2 for i in range(20)])
    frames, gaps = run(film)
    assert [frame.time_s for frame in frames] == [i * 5400 for i in range(20)] and not gaps
    tail, _ = run(film, start_s=5400 * 7 - 1)
    assert [frame.time_s for frame in tail] == [i * 5400 for i in range(7, 20)]


def test_a_jump_of_a_thousand_hours_ends_the_pass_and_is_reported(tmp_path: Path) -> None:
    film = with_times(tmp_path / "a.mkv", [*range(0, 2000, 40), *range(3_600_000_000, 3_600_002_000, 40)])
    with pytest.raises(VideoRefused, match="lasts 1000 h, at most 100 h"):
        probe(film)
    frames, gaps = run(film, Limits(max_duration_s=5000 * 3600))
    assert len(frames) == 50 and [gap.start_s for gap in gaps] == pytest.approx([1.96])
    assert "jumps to 1000.0 h" in gaps[0].reason


def test_damaged_data_is_a_gap_and_the_rest_goes_on(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", even(150), Recipe(options={**PLAIN, "g": "25", "keyint_min": "25"}))
    data = bytearray(film.path.read_bytes())
    with av.open(str(film.path)) as container:
        spots = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for position, size in spots[60:63]:
        assert position is not None
        data[position + 4 : position + size] = b"\0" * (size - 4)
    film.path.write_bytes(data)
    frames, gaps = run(film)
    found = numbers(frames)
    assert set(range(60)) | set(range(75, 150)) <= set(found)
    assert not set(found) & {60, 61, 62}
    assert gaps and gaps[0].start_s >= 2.3 and gaps[-1].end_s <= 3.04


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.flv", "a.avi"])
def test_what_a_cut_file_still_has_is_given_and_the_rest_is_reported(tmp_path: Path, name: str) -> None:
    base = Fraction(1, 25) if name == "a.avi" else Recipe().time_base
    index_first = {"movflags": "faststart"} if name == "a.mp4" else {}
    film = write_film(tmp_path / name, even(250, base), Recipe(options=PLAIN, time_base=base, container=index_first))
    film.path.write_bytes(film.path.read_bytes()[: int(film.path.stat().st_size * 0.6)])
    frames, gaps = run(film)
    assert 100 < len(frames) < 200 and numbers(frames) == list(range(len(frames)))
    assert gaps[-1].start_s == pytest.approx(frames[-1].time_s, abs=0.2)
    if name != "a.avi":  # whose length FFmpeg takes from the index at its end
        assert gaps[-1].end_s == pytest.approx(10, abs=0.2)
        assert probe(film)["duration_s"] == pytest.approx(10, abs=0.2)


def test_a_file_cut_before_its_index_is_one_line(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", even(50))
    data = film.path.read_bytes()
    for left in (data[:-2000], data[: len(data) // 2], data[:40]):
        film.path.write_bytes(left)
        with pytest.raises(VideoUnreadable, match="its index is missing: it may have been cut off"):
            probe(film)
    film.path.write_bytes(b"\0\0\0\x10no video at all")
    with pytest.raises(VideoRefused, match="whole at its beginning"):
        probe(film)


def test_pictures_that_end_before_the_sound_are_no_damage(tmp_path: Path) -> None:
    film = write_film(tmp_path / "v.mp4", even(50))
    for name in ("a.mp4", "a.mkv", "a.flv"):
        frames, gaps = run(Film(add_sound(film.path, tmp_path / name, 6.0), []))
        assert len(frames) == 50 and not gaps


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.ts", "a.avi", "a.flv"])
def test_the_duration_is_that_of_the_pictures(tmp_path: Path, name: str) -> None:
    recipe = Recipe(time_base=Fraction(1, 25)) if name == "a.avi" else Recipe()
    recipe = Recipe("libvpx", options={"cpu-used": "8", "deadline": "realtime"}) if name == "a.webm" else recipe
    film = write_film(tmp_path / name, even(100, recipe.time_base, start_s=0.0 if name == "a.avi" else 2.0), recipe)
    assert probe(film)["duration_s"] == pytest.approx(4, abs=0.1)


def test_a_duration_that_is_not_written_is_measured(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", even(100), Recipe(container={"live": "1"}))
    assert probe(film)["duration_s"] == pytest.approx(4, abs=0.1)
    assert not run(film)[1]


def test_a_picture_track_without_pictures_is_unreadable(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        add_stream(out, Recipe())
        out.start_encoding()
    with pytest.raises((VideoUnreadable, VideoRefused)):
        probe(Film(tmp_path / "a.mkv", []))


def test_the_first_video_track_that_is_no_cover_counts(tmp_path: Path) -> None:
    first, second = (
        write_film(tmp_path / "1.mp4", even(20)),
        write_film(tmp_path / "2.mp4", even(20), Recipe(size=(96, 64))),
    )
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        for film in (first, second):
            with av.open(str(film.path)) as source:
                out.add_stream_from_template(source.streams.video[0])
        for index, film in enumerate((first, second)):
            with av.open(str(film.path)) as source:
                for packet in source.demux(video=0):
                    if packet.dts is not None:
                        packet.stream = out.streams[index]
                        out.mux(packet)
    assert probe(Film(tmp_path / "a.mkv", []))["width_px"] == 160


def test_a_bare_join_of_transport_streams_gives_its_first_part_and_says_so(tmp_path: Path) -> None:
    """`cat a.ts b.ts`: the clock starts again, so the second part has no place on it."""
    parts = [write_film(tmp_path / f"{k}.ts", even(100)) for k in range(2)]
    (tmp_path / "a.ts").write_bytes(b"".join(part.path.read_bytes() for part in parts))
    frames, gaps = run(Film(tmp_path / "a.ts", []))
    assert numbers(frames) == list(range(100))
    assert any("goes back" in gap.reason for gap in gaps)


def test_a_track_that_begins_in_the_middle_disturbs_nothing(tmp_path: Path) -> None:
    """A broadcast may announce more tracks later; PyAV does not expect that."""
    first = write_film(tmp_path / "1.ts", even(50), Recipe(options=PLAIN))
    second = write_film(tmp_path / "2.mp4", even(50, start_s=2.0), Recipe(options=PLAIN))
    both = add_sound(second.path, tmp_path / "2.ts", 2.0, start_s=2.0)
    (tmp_path / "a.ts").write_bytes(first.path.read_bytes() + both.read_bytes())
    frames, gaps = run(Film(tmp_path / "a.ts", []))
    assert numbers(frames) == [*range(50), *range(50)]
    assert all(gap.start_s > 1.9 for gap in gaps)


@pytest.mark.parametrize("error", [IndexError("list index out of range"), av.error.MemoryError(12, "no memory")])
def test_a_read_that_fails_ends_the_pass_and_is_reported(film: Film, error: Exception) -> None:
    """PyAV raises the first where a track appears that the header did not have, the second where a size is damaged."""

    class Failing:
        def __init__(self, container: av.container.InputContainer) -> None:
            self._container = container

        def __getattr__(self, name: str) -> object:
            return getattr(self._container, name)

        def demux(self, stream: object) -> Iterator[object]:
            yield from itertools.islice(self._container.demux(video=0), 40)
            raise error

    fd = os.open(film.path, os.O_RDONLY)
    try:
        source = Pictures(fd, Limits())
        source.container = Failing(source.container)  # type: ignore[assignment]
        items = list(source.shown(0.5))
    finally:
        os.close(fd)
    assert {gap.reason for gap in items if isinstance(gap, Gap)} == {"unreadable data"}
    shown = [item.time_s for item in items if isinstance(item, Shown)]
    assert shown == film.times_s[-len(shown) :] and len(shown) > 130  # each time the next read went on
