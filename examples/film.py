"""Make films whose contents are known: stretches of real footage and drawn cards, one after another.

A film is 640x360, 25 frames/s, H.264 with mono AAC, made by PyAV alone, and the same each time on one machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDTH_PX, HEIGHT_PX = 640, 360
RATE = 25  # frames a second
SOUND_RATE = 48000


@dataclass(frozen=True)
class Shot:
    """A stretch of footage, slowed so that it lasts as long as asked; pictures keep their shape on black."""

    source: str
    start_s: float
    end_s: float
    lasts_s: float
    sees: str  # what a person sees in it
    sound: str = ""  # a source whose sound is heard from the start of the shot, at its own pace
    sound_s: float = 0.0  # how much of it, at most as long as the shot


@dataclass(frozen=True)
class Card:
    """A drawn picture: the first line large, the others below it."""

    lines: tuple[str, ...]
    lasts_s: float
    paper: str = "#1d2733"
    ink: str = "#f4efe4"


Part = Shot | Card


@dataclass(frozen=True)
class Placed:
    """A part and where it stands in the film."""

    part: Part
    start_s: float
    end_s: float


def place(script: Sequence[Part]) -> list[Placed]:
    """Return the parts with their times in the film; each lasts a whole number of frames."""
    ends = np.cumsum([0] + [_num_frames(part) for part in script]) / RATE
    return [Placed(part, float(a), float(b)) for part, (a, b) in zip(script, pairwise(ends), strict=True)]


def where(script: Sequence[Part], source: str, start_s: float, end_s: float) -> list[tuple[float, float]]:
    """Return the stretches of the film that show `source` from `start_s` to `end_s` of its own time."""
    found = []
    for placed in place(script):
        shot = placed.part
        if isinstance(shot, Card) or shot.source != source:
            continue
        first, last = max(start_s, shot.start_s), min(end_s, shot.end_s)
        if first < last:
            slower = (placed.end_s - placed.start_s) / (shot.end_s - shot.start_s)
            from_s, to_s = (placed.start_s + (t - shot.start_s) * slower for t in (first, last))
            found.append((round(from_s, 2), round(to_s, 2)))
    return found


def where_written(script: Sequence[Part], words: str) -> list[tuple[float, float]]:
    """Return when cards stand that hold `words`."""
    cards = [p for p in place(script) if isinstance(p.part, Card) and words in " ".join(p.part.lines)]
    return [(round(p.start_s, 2), round(p.end_s, 2)) for p in cards]


def make_film(script: Sequence[Part], sources: Mapping[str, Path], path: Path) -> bool:
    """Write the film, and return True, unless it was made from the same script and sources before."""
    recipe = _recipe(script, sources)
    note = path.with_suffix(".json")
    if path.is_file() and note.is_file() and json.loads(note.read_text()).get("recipe") == recipe:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    note.unlink(missing_ok=True)
    half = path.with_suffix(".part")
    _write(script, sources, half)
    half.replace(path)
    note.write_text(json.dumps({"recipe": recipe}) + "\n")
    return True


def draw(card: Card) -> Image.Image:
    """Return the card as a picture."""
    picture = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), card.paper)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((14, 14, WIDTH_PX - 15, HEIGHT_PX - 15), outline=card.ink, width=2)
    step = (HEIGHT_PX - 80) / len(card.lines)
    for row, line in enumerate(card.lines):
        font = ImageFont.load_default(40 if row == 0 else 30)
        pen.text((WIDTH_PX / 2, 40 + step * (row + 0.5)), line, fill=card.ink, font=font, anchor="mm")
    return picture


def _num_frames(part: Part) -> int:
    return max(1, round(part.lasts_s * RATE))


def _recipe(script: Sequence[Part], sources: Mapping[str, Path]) -> str:
    digest = hashlib.sha256(repr(list(script)).encode() + Path(__file__).read_bytes() + av.__version__.encode())
    for name in sorted(sources):
        digest.update(name.encode() + hashlib.sha256(sources[name].read_bytes()).digest())
    return digest.hexdigest()


def _write(script: Sequence[Part], sources: Mapping[str, Path], path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as file:
        pictures = file.add_stream("libx264", rate=RATE, options={"preset": "superfast", "crf": "25"})
        pictures.width, pictures.height, pictures.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        pictures.codec_context.thread_count = 2  # a fixed number: x264's choices depend on it
        sound = file.add_stream("aac", rate=SOUND_RATE, layout="mono")
        sound.bit_rate = 64000
        tick = 0
        for part in script:
            heard = _heard(part, sources)
            for index, frame in enumerate(_shown(part, sources)):
                frame.pts, frame.time_base = tick, Fraction(1, RATE)
                file.mux(pictures.encode(frame))
                if index % RATE == 0:
                    step = SOUND_RATE // RATE
                    file.mux(sound.encode(_sound_frame(heard[index * step : (index + RATE) * step], tick * step)))
                tick += 1
        file.mux(pictures.encode(None))
        file.mux(sound.encode(None))


def _shown(part: Part, sources: Mapping[str, Path]) -> Iterator[av.VideoFrame]:
    """Yield the part's frames; a picture that stands for several of them is drawn once."""
    count = _num_frames(part)
    if isinstance(part, Card):
        picture = av.VideoFrame.from_image(draw(part)).reformat(format="yuv420p")
        for _ in range(count):
            yield picture
        return
    pace = (part.end_s - part.start_s) / count
    sent = 0
    for picture, until_s in _decoded(sources[part.source], part.start_s, part.end_s):
        while sent < count and part.start_s + (sent + 0.5) * pace < until_s:
            yield picture
            sent += 1
    if sent < count:
        raise ValueError(f"{part.source} ends before {part.end_s} s, which the script asks for")


def _decoded(path: Path, start_s: float, end_s: float) -> Iterator[tuple[av.VideoFrame, float]]:
    """Yield the pictures shown between the two times, each with the time when the next one comes."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        stream.thread_type = "AUTO"
        fit = _Fit(float(stream.sample_aspect_ratio or 1))
        last, until_s = None, 0.0
        for frame in file.decode(stream):
            if last is not None and frame.time > start_s:
                yield fit(last), frame.time
            if frame.time >= end_s:
                return
            last, until_s = frame, frame.time + frame.duration * frame.time_base
        if last is not None:
            yield fit(last), until_s


class _Fit:
    """Scales frames of one source into the film's size with square pixels, padded with black."""

    def __init__(self, pixel: float) -> None:
        self._pixel = pixel
        self._scaler = VideoReformatter()  # kept: a new one per frame costs more than the encoder

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        shape = frame.width * self._pixel / frame.height
        width = min(WIDTH_PX, round(HEIGHT_PX * shape / 4) * 4)
        height = min(HEIGHT_PX, round(WIDTH_PX / shape / 4) * 4)
        small = self._scaler.reformat(frame, width, height, "yuv420p", interpolation="BICUBIC")
        return small if (width, height) == (WIDTH_PX, HEIGHT_PX) else _padded(small)


def _padded(small: av.VideoFrame) -> av.VideoFrame:
    canvas = av.VideoFrame(WIDTH_PX, HEIGHT_PX, "yuv420p")
    for plane, own, black in zip(canvas.planes, small.planes, (16, 128, 128), strict=True):
        pixels = np.full((plane.height, plane.line_size), black, np.uint8)
        rows = np.frombuffer(own, np.uint8).reshape(own.height, own.line_size)
        top, left = (plane.height - own.height) // 2, (plane.width - own.width) // 2
        pixels[top : top + own.height, left : left + own.width] = rows[:, : own.width]
        plane.update(pixels.tobytes())
    return canvas


def _heard(part: Part, sources: Mapping[str, Path]) -> NDArray[np.int16]:
    """Return the part's sound, silence where it has none, fading out over its last half second."""
    samples = np.zeros(_num_frames(part) * SOUND_RATE // RATE, np.int16)
    if isinstance(part, Shot) and part.sound:
        own = _read_sound(sources[part.sound], min(round(part.sound_s * SOUND_RATE), len(samples)))
        fade = np.clip(np.arange(len(own))[::-1] / (0.5 * SOUND_RATE), 0, 1)
        samples[: len(own)] = (own * fade).astype(np.int16)
    return samples


def _read_sound(path: Path, num_samples: int) -> NDArray[np.int16]:
    pieces: list[NDArray[np.int16]] = []
    resampler = av.AudioResampler("s16", "mono", SOUND_RATE)
    with av.open(str(path)) as file:
        for frame in file.decode(audio=0):
            pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
            if sum(map(len, pieces)) >= num_samples:
                break
    return np.concatenate(pieces)[:num_samples]


def _sound_frame(samples: NDArray[np.int16], pts: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts = SOUND_RATE, pts
    return frame
