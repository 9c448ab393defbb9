"""Make films whose every picture carries its own number, so that a wrong frame cannot hide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
RATE = 48000  # of made sound
CELLS = 4  # a number is 4 by 4 black or white blocks
QUICK = {"preset": "veryfast", "bf": "3", "g": "48"}


@dataclass(frozen=True)
class Recipe:
    """How a film is encoded."""

    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = (160, 96)
    options: dict[str, str] = field(default_factory=lambda: dict(QUICK))
    sar: Fraction | None = None
    turned: tuple[int, bool] = (0, False)  # degrees counterclockwise, mirrored
    time_base: Fraction = Fraction(1, 12800)
    container: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Film:
    """A made video and what is true of it."""

    path: Path
    times_s: list[float]  # of every shown frame, from the first one
    first_number: int = 0  # of the first shown frame; they go up by one

    def shown_at(self, time_s: float) -> int:
        """Return the position of the frame that is on the screen."""
        return max(int(np.searchsorted(self.times_s, time_s + 1e-3, side="right")) - 1, 0)

    def on_grid(self, step_s: float) -> list[int]:
        """Return the positions of the first frames at or after each multiple of `step_s`."""
        cells = [int(time_s / step_s + 1e-6) for time_s in self.times_s]
        return [i for i, cell in enumerate(cells) if i == 0 or cell > cells[i - 1]]


def draw(number: int, size: tuple[int, int]) -> Rgb:
    """Return an RGB picture [h, w, 3] that carries a number; neighbours differ in many blocks."""
    width, height = size
    code = (number * 40503 + 12345) & 0xFFFF
    bits = np.array([code >> k & 1 for k in range(CELLS * CELLS)], np.uint8).reshape(CELLS, CELLS)
    large = bits[np.arange(height) * CELLS // height][:, np.arange(width) * CELLS // width]
    return np.repeat((large * 200 + 28)[:, :, None], 3, axis=2).astype(np.uint8)


def read_number(picture: Rgb) -> int:
    """Return the number a picture carries; any other picture gives a number too, hardly ever the expected one."""
    height, width = picture.shape[0] / CELLS, picture.shape[1] / CELLS
    code = 0
    for k in range(CELLS * CELLS):
        row, column = divmod(k, CELLS)
        rows = slice(round((row + 0.25) * height), round((row + 0.75) * height))
        columns = slice(round((column + 0.25) * width), round((column + 0.75) * width))
        code |= int(picture[rows, columns].mean() > 127) << k
    return (code - 12345) * pow(40503, -1, 1 << 16) & 0xFFFF


def even(count: int, time_base: Fraction = Fraction(1, 12800), start_s: float = 0.0) -> list[int]:
    """Return the ticks of `count` frames at 25 a second."""
    return [round((Fraction(start_s) + Fraction(i, 25)) / time_base) for i in range(count)]


def write_film(path: Path, ticks: Sequence[int], recipe: Recipe | None = None) -> Film:
    """Write one picture at each of `ticks` (ascending) and return what is true of the film."""
    recipe = recipe or Recipe()
    with av.open(str(path), "w", options=recipe.container) as out:
        for packet in encoded(add_stream(out, recipe), ticks, recipe):
            out.mux(packet)
    return Film(path, [float((tick - ticks[0]) * recipe.time_base) for tick in ticks])


def add_stream(out: OutputContainer, recipe: Recipe) -> VideoStream:
    """Return a stream of a container that encodes by the recipe."""
    stream = out.add_stream(recipe.codec, rate=25, options=recipe.options)
    assert isinstance(stream, VideoStream)
    (stream.width, stream.height), stream.pix_fmt = recipe.size, recipe.pix_fmt
    stream.codec_context.time_base = stream.time_base = recipe.time_base
    if recipe.sar:
        stream.codec_context.sample_aspect_ratio = recipe.sar
    if recipe.turned != (0, False):
        stream.set_display_rotation(recipe.turned[0], hflip=recipe.turned[1])
    return stream


def encoded(
    stream: VideoStream, ticks: Sequence[int], recipe: Recipe, first_number: int = 0
) -> Iterator[Packet[VideoStream]]:
    """Yield the packets of one numbered picture at each of `ticks`."""
    for index, tick in enumerate(ticks):
        frame = av.VideoFrame.from_ndarray(draw(first_number + index, recipe.size), "rgb24")
        frame = frame.reformat(format=recipe.pix_fmt)
        frame.pts, frame.time_base = tick, recipe.time_base
        yield from stream.encode(frame)
    yield from stream.encode(None)


def join(path: Path, parts: Sequence[Film], at_s: Sequence[float], **options: str) -> Path:
    """Copy the packets of the parts into one file, part i from `at_s[i]` on, without encoding again."""
    with av.open(str(path), "w", options=options) as out:
        target: VideoStream | None = None
        for part, start_s in zip(parts, at_s, strict=True):
            with av.open(str(part.path)) as source:
                stream = source.streams.video[0]
                target = target or out.add_stream_from_template(stream)
                shift = round(Fraction(start_s) / Fraction(stream.time_base or 1))
                for packet in source.demux(stream):
                    if packet.dts is not None and packet.pts is not None:
                        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, target
                        out.mux(packet)
    return path


def add_sound(
    source: Path | None,
    path: Path,
    length_s: float,
    start_s: float = 0.0,
    codec: str = "aac",
    hole_s: tuple[float, float] = (0, 0),
) -> Path:
    """Copy an MP4's pictures and add clicks from `start_s` on, without the packets that begin in `hole_s`."""
    with av.open(str(path), "w") as out:
        copied: list[Packet[VideoStream]] = []
        if source:
            pictures = av.open(str(source))
            stream = out.add_stream_from_template(pictures.streams.video[0])
            copied = [packet for packet in pictures.demux(pictures.streams.video[0]) if packet.size]
            for packet in copied:
                packet.stream = stream
        sound = out.add_stream(codec, rate=RATE, layout="stereo")
        assert isinstance(sound, AudioStream)
        heard = [packet for frame in [*clicks(sound, length_s, start_s), None] for packet in sound.encode(frame)]
        kept = [packet for packet in heard if not hole_s[0] <= (packet.pts or 0) * packet.time_base < hole_s[1]]
        for item in sorted([*copied, *kept], key=lambda packet: (packet.dts or 0) * packet.time_base):
            out.mux(item)
    return path


def clicks(sound: AudioStream, length_s: float, start_s: float) -> Iterator[av.AudioFrame]:
    """Yield sound that is loud for 20 ms at every half second and quiet elsewhere."""
    time_s = np.arange(int(length_s * RATE)) / RATE
    samples = np.sin(2 * np.pi * 1000 * time_s) * (time_s % 0.5 < 0.02) * 0.8
    sound.codec_context.open(strict=False)
    size = sound.codec_context.frame_size or 1024
    for first in range(0, len(samples), size):
        block = np.stack([samples[first : first + size]] * 2).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(block, "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, round(start_s * RATE) + first, Fraction(1, RATE)
        yield frame
