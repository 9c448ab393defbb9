"""What is no video, or pretends to be one, is one line; nothing else is opened and nobody is called."""

from __future__ import annotations

import http.server
import os
import random
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from hicom_agent.errors import InputError, VideoRefused, VideoUnreadable
from hicom_agent.types import Damage, Frame
from hicom_agent.video import Limits, StreamPlan, open_video, probe, read_audio, read_frames, stream
from hicom_agent.video.glimpses import stream_pictures
from hicom_agent.video.reader import Pictures
from tests.video.numbered_films import Film, Recipe, add_sound, add_stream, encoded, even, write_film


@pytest.fixture
def calls() -> Iterator[tuple[int, list[str]]]:
    """Serve on this machine and collect who asks for what."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, asked
    server.shutdown()
    thread.join()
    server.server_close()


PLAYLISTS = {
    "HLS of a foreign film": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{film}\n#EXT-X-ENDLIST\n",
    "HLS of a relative film": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{film.name}\n#EXT-X-ENDLIST\n",
    "HLS of an address": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
    "HLS of playlists": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\nhttp://127.0.0.1:{port}/a.m3u8\n",
    "ffconcat": "ffconcat version 1.0\nfile '{film}'\n",
    "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n",
    "DASH": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet><Representation>'
    "<BaseURL>http://127.0.0.1:{port}/</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "strm": "http://127.0.0.1:{port}/a.mp4\n",
    "text": "This is a letter, not a film.\n" * 50,
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_text_that_names_other_files_is_refused_and_followed_nowhere(
    kind: str, tmp_path: Path, film: Film, calls: tuple[int, list[str]]
) -> None:
    port, asked = calls
    target = tmp_path / "foreign.mp4"
    target.write_bytes(film.path.read_bytes())
    os.utime(target, ns=(1, 1))  # read once, its access time moves
    path = tmp_path / "a.mp4"
    path.write_text(PLAYLISTS[kind].format(film=target, port=port))
    with open_video(path) as opened, pytest.raises(VideoRefused, match=r"a\.mp4' is not a video") as error:
        probe(opened)
    assert "\n" not in str(error.value) and not asked
    assert target.stat().st_atime_ns == 1


@pytest.mark.parametrize("codec", ["png", "mjpeg"])
def test_a_giant_picture_is_refused_before_it_takes_memory(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as out:
        stream_ = out.add_stream(codec, rate=1, options={"compression_level": "1"} if codec == "png" else {})
        stream_.width = stream_.height = 9000
        stream_.pix_fmt = "gray" if codec == "png" else "yuvj420p"
        frame = av.VideoFrame(9000, 9000, stream_.pix_fmt)
        frame.pts = 0
        out.mux([*stream_.encode(frame), *stream_.encode(None)])
    little = Limits(memory_bytes=640 * 2**20)  # of addresses; the decoder's code and threads take most of it
    with open_video(path) as opened, pytest.raises(InputError) as error:
        probe(opened, little)
    assert "\n" not in str(error.value) and "memory" not in str(error.value)


def test_a_header_that_lies_about_the_size_is_found_out_by_the_decoder(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", even(5), Recipe(size=(640, 384)))
    data = film.path.read_bytes()
    lie = data.replace(b"\x02\x80\x01\x80", b"\x00\x40\x00\x40")  # 640 x 384 in the sample description
    assert lie != data
    film.path.write_bytes(lie)
    with open_video(film.path) as opened, pytest.raises(InputError, match="640 x 384|no picture in it"):
        probe(opened, Limits(max_pixels=100_000))


def test_a_codec_that_is_not_allowed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as out:
        stream_ = out.add_stream("ffv1", rate=25)
        stream_.width, stream_.height, stream_.pix_fmt = 64, 64, "yuv420p"
        frame = av.VideoFrame(64, 64, "yuv420p")
        frame.pts = 0
        out.mux([*stream_.encode(frame), *stream_.encode(None)])
    with open_video(path) as opened, pytest.raises(VideoRefused, match="coded as ffv1, expected one of h264"):
        probe(opened)


def test_a_format_that_is_not_allowed_is_not_even_tried(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w", format="nut") as out:
        for packet in encoded(add_stream(out, Recipe()), even(5), Recipe()):
            out.mux(packet)
    with open_video(path) as opened, pytest.raises(VideoRefused, match="is not a video that can be opened"):
        probe(opened)


def test_sound_without_pictures_is_a_video_of_sound(tmp_path: Path) -> None:
    with open_video(add_sound(None, tmp_path / "a.m4a", 2.0)) as opened:
        info = probe(opened)
        assert (info.width_px, info.height_px, info.codec, info.audio_codec) == (0, 0, "", "aac")
        assert sum(len(part) for part in read_audio(opened)) == pytest.approx(2 * 16000, abs=800)
        with pytest.raises(VideoUnreadable, match="no moving pictures"):
            list(stream(opened))
        with pytest.raises(VideoUnreadable, match="no moving pictures"):
            read_frames(opened, [0.0])


def with_cover(path: Path, sound: bool) -> Path:
    with av.open(str(path), "w") as out:
        track = out.add_stream("libmp3lame", rate=48000) if sound else None
        cover = out.add_stream("mjpeg", rate=1)
        cover.width = cover.height = 64
        cover.pix_fmt = "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame(64, 64, "yuvj420p")
        frame.pts = 0
        out.mux([*cover.encode(frame), *cover.encode(None)])
        if track:
            noise = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), "fltp", "mono")
            noise.sample_rate, noise.pts = 48000, 0
            out.mux([*track.encode(noise), *track.encode(None)])
    return path


def test_cover_art_is_no_picture_of_a_video(tmp_path: Path) -> None:
    with (
        open_video(with_cover(tmp_path / "a.mp4", sound=False)) as opened,
        pytest.raises(VideoUnreadable, match="cover"),
    ):
        probe(opened)
    with open_video(with_cover(tmp_path / "a.mp3", sound=True)) as opened:
        info = probe(opened)
    assert (info.codec, info.audio_codec) == ("", "mp3float")


def test_no_pictures_in_a_picture_track_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream_ = out.add_stream("libx264", rate=25)
        stream_.width = stream_.height = 64
        out.start_encoding()
    with open_video(path) as opened, pytest.raises(VideoUnreadable) as error:
        probe(opened)
    assert "\n" not in str(error.value)


def test_too_many_tracks_are_refused(tmp_path: Path, film: Film) -> None:
    with av.open(str(film.path)) as source, av.open(str(tmp_path / "a.mkv"), "w") as out:
        targets = [out.add_stream_from_template(source.streams.video[0]) for _ in range(5)]
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = targets[0]
                out.mux(packet)
    with open_video(tmp_path / "a.mkv") as opened, pytest.raises(VideoRefused, match="has 5 streams, expected 1 to 4"):
        probe(opened, Limits(max_streams=4))


def test_subtitles_alone_are_no_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    with open_video(path) as opened, pytest.raises(VideoRefused):
        probe(opened)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi"])
def test_flipped_bytes_never_raise_anything_but_ours(tmp_path: Path, name: str) -> None:
    """Runs without the process around it: a crash of the test run itself would be a finding too."""
    recipe = Recipe(size=(64, 64), options={"preset": "ultrafast", "g": "10"}, time_base=Recipe().time_base)
    if name == "a.avi":
        recipe = Recipe("mpeg4", size=(64, 64), options={}, time_base=Fraction(1, 25))
    good = write_film(tmp_path / name, even(30, recipe.time_base), recipe).path.read_bytes()
    rng = random.Random(5)
    read = 0
    for _ in range(60):
        bad = bytearray(good)
        for _ in range(rng.choice([1, 5, 40])):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        (tmp_path / name).write_bytes(bad if rng.random() < 0.8 else bad[: rng.randrange(1, len(bad))])
        fd = os.open(tmp_path / name, os.O_RDONLY)
        try:
            read += len(list(stream_pictures(Pictures(fd, Limits()), StreamPlan())))
        except InputError as error:
            assert "\n" not in str(error)
        finally:
            os.close(fd)
    assert read > 100


def test_what_was_replaced_while_open_is_read_as_it_was(tmp_path: Path, film: Film) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(film.path.read_bytes())
    with open_video(path) as opened:
        path.unlink()
        items = list(stream(opened, StreamPlan(start_s=5.0)))
    assert any(isinstance(item, Frame) for item in items)
    assert not any(isinstance(item, Damage) for item in items)
