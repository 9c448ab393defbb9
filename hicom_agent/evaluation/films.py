"""Films where a benchmark has none: of a folder of frames, and of the stretch of a video that a question means."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from hashlib import sha256
from itertools import chain, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicom_agent import video
from hicom_agent.errors import VideoRefused, VideoUnreadable
from hicom_agent.rows import plain
from hicom_agent.types import Frame

if TYPE_CHECKING:
    from hicom_agent.settings import Settings

FOLDER_FPS = 3  # of MVBench's folders of frames
CUT_STEP_S = 0.125  # between the frames of a stretch that is cut out
SIDE_PX = 768
MAX_PICTURE_BYTES = 32 * 2**20


def film_of(path: Path, span_s: tuple[float, float] | None, films: Path, settings: Settings) -> Path:
    """Return a film that shows what is meant, made in `films` where it is not `path` itself.

    Raises VideoRefused or VideoUnreadable, SetupError for the disk.
    """
    path = playable(path, films)
    if span_s is None:
        return path
    start_s, end_s = (max(0.0, time_s) for time_s in sorted(span_s))
    key = f"{path.resolve()} {start_s} {end_s}"
    return _once(films, key, lambda out: _cut(path, start_s, max(end_s, start_s + 1.0), out, settings))


def playable(path: Path, films: Path) -> Path:
    """Return a film of a folder of frames, frame by frame the same; a file is one already; raises as `film_of`."""
    return _once(films, str(path.resolve()), lambda out: _join(path, out)) if path.is_dir() else path


def _once(films: Path, key: str, make: Callable[[Path], None]) -> Path:
    import av

    out = films / f"{sha256(os.fsencode(key)).hexdigest()[:16]}.mkv"
    unfinished = out.with_suffix(".part")
    with plain(out):
        if out.is_file():
            return out
        films.mkdir(parents=True, exist_ok=True)
        try:
            make(unfinished)
            unfinished.replace(out)
        except av.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            raise VideoUnreadable(f"no film can be made of {key}: {error}") from error
        finally:
            unfinished.unlink(missing_ok=True)
    return out


def _join(folder: Path, out: Path) -> None:
    """Write the JPEG files of a folder, in order of name, as a film of three frames a second; nothing is decoded."""
    import av

    try:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in (".jpg", ".jpeg"))
    except OSError as error:
        raise VideoRefused(f"{folder} cannot be read: {error.strerror}") from error
    if not files:
        raise VideoRefused(f"{folder} has no frames; expected files such as 00001.jpg")
    width, height = _jpeg_size(_picture(files[0]), files[0])
    with av.open(str(out), "w", format="matroska") as film:
        track: Any = film.add_stream("mjpeg", rate=FOLDER_FPS, width=width, height=height, pix_fmt="yuvj420p")
        for number, file in enumerate(files):
            packet = av.Packet(_picture(file))
            packet.stream, packet.time_base = track, Fraction(1, FOLDER_FPS)
            packet.pts = packet.dts = number
            packet.is_keyframe = True
            film.mux(packet)


def _picture(file: Path) -> bytes:
    try:
        if file.is_file() and file.stat().st_size <= MAX_PICTURE_BYTES:
            return file.read_bytes()
    except OSError as error:
        raise VideoRefused(f"{file} cannot be read: {error.strerror}") from error
    raise VideoRefused(f"{file} is no picture of at most {MAX_PICTURE_BYTES >> 20} MB")


def _jpeg_size(data: bytes, file: Path) -> tuple[int, int]:
    """Return width and height as the header of a JPEG file says; raises VideoUnreadable."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = struct.unpack_from(">BH", data, at + 1)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + length
    raise VideoUnreadable(f"{file} is no JPEG picture")


def _cut(path: Path, start_s: float, end_s: float, out: Path, settings: Settings) -> None:
    """Write a stretch of a video as a film without sound."""
    import av

    plan = video.StreamPlan(start_s=start_s, sample_every_s=CUT_STEP_S, side_px=SIDE_PX)
    with (
        video.open_video(path, settings.roots, settings.max_video_bytes) as opened,
        closing(video.stream(opened, plan)) as passing,
    ):
        shown = (item for item in passing if isinstance(item, Frame))
        frames = takewhile(lambda frame: frame.time_s < end_s, shown)
        first = next(frames, None)
        if first is None:
            raise VideoUnreadable(f"{path} has no frame between {start_s:g} and {end_s:g} s")
        height, width = (side - side % 2 for side in first.picture.shape[:2])
        with av.open(str(out), "w", format="matroska") as film:
            track: Any = film.add_stream("libx264", rate=25, width=width, height=height, pix_fmt="yuv420p")
            track.codec_context.time_base = Fraction(1, 1000)
            track.options = {"crf": "18", "preset": "veryfast"}
            for frame in chain([first], frames):  # one at a time: a stretch may be an hour
                picture = av.VideoFrame.from_ndarray(frame.picture[:height, :width].copy(), format="rgb24")
                picture.time_base = Fraction(1, 1000)
                picture.pts = round(1000 * (frame.time_s - first.time_s))
                film.mux(track.encode(picture))
            film.mux(track.encode(None))
