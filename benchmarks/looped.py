"""Make a long film in seconds: encode a minute, then repeat its packets."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

SIZE_PX = (640, 360)
FPS = 25
MINUTE_S = 60


def make_film(sources: Sequence[Path], folder: Path, minutes: int) -> Path:
    """Return an H.264 film of that many minutes, which shows the sources in turn; made unless it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    names = "-".join(source.stem for source in sources)
    minute, film = folder / f"{names}-minute.mp4", folder / f"{names}-{minutes}min.mp4"
    for path, make in ((minute, lambda to: _encode(sources, to)), (film, lambda to: _repeat(minute, to, minutes))):
        if not path.exists():
            part = path.with_suffix(".part.mp4")
            make(part)
            os.replace(part, path)  # noqa: PTH105
    return film


def _encode(sources: Sequence[Path], path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "23", "preset": "medium"})
        stream.width, stream.height = SIZE_PX
        stream.pix_fmt = "yuv420p"
        shown = (frame for source in cycle(sources) for frame in _at_rate(source))
        for index, frame in zip(range(MINUTE_S * FPS), shown, strict=False):
            picture = frame.reformat(*SIZE_PX, format="yuv420p")
            picture.pts, picture.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def _at_rate(path: Path) -> Iterator[VideoFrame]:
    """Yield the frame that the film shows at each tick of the new rate."""
    tick = 0
    with av.open(str(path)) as container:
        last = None
        for frame in container.decode(video=0):
            while last is not None and frame.time is not None and tick / FPS < frame.time:
                yield last
                tick += 1
            last = frame


def _repeat(minute: Path, path: Path, minutes: int) -> None:
    with av.open(str(path), "w") as container:
        out = None
        for number in range(minutes):
            with av.open(str(minute)) as source:
                track = source.streams.video[0]
                out = out or container.add_stream_from_template(track)
                later = number * round(MINUTE_S / track.time_base) if track.time_base else 0
                for packet in source.demux(track):
                    if packet.dts is not None and packet.pts is not None:
                        packet.pts, packet.dts, packet.stream = packet.pts + later, packet.dts + later, out
                        container.mux(packet)
