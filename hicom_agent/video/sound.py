"""Read the sound of a video as int16 mono at 16 kHz. Runs in the decoding process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import av
import numpy as np
from av.audio.resampler import AudioResampler

from hicom_agent.video.container import open_container, sound_track
from hicom_agent.video.plan import SOUND_HZ

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from numpy.typing import NDArray

    from hicom_agent.video.plan import Limits
    from hicom_agent.video.reader import Watch

    Samples = NDArray[np.int16]

_APART_S = 0.03  # how far sound may be from where its neighbour ends, before it counts as a gap
_LEAD_S = 1.0  # decoded before a start in the middle: sound depends on what came before it


class Sound(NamedTuple):
    """Samples, and where on the video's clock the first of them stands."""

    at: int  # in samples; may be negative, or before the end of what came last
    samples: Samples


def first_sound_s(fd: int, limits: Limits) -> float | None:
    """Return where the sound starts on the container's clock, None without any."""
    with open_container(fd, limits) as container:
        track = sound_track(container)
        frames = iter(()) if track is None else _decoded(container, track, lambda _: None)
        return next((frame.time for frame in frames if frame.time is not None), None)


def stream_sound(fd: int, limits: Limits, start_s: float, origin_s: float, watch: Watch) -> Iterator[Sound]:
    """Yield the sound from a little before `start_s` on; nothing where no track has an allowed decoder.

    Only the packets of the sound track are read. `origin_s` is the zero of the video's clock on the container's.
    Damaged packets leave a gap; after a broken clock nothing comes any more.
    """
    with open_container(fd, limits) as container:
        track = sound_track(container)
        if track is None:
            return
        if start_s > _LEAD_S:
            with suppress(av.FFmpegError):  # where it cannot seek, it is read from the start
                container.seek(int((origin_s + start_s - _LEAD_S) * av.time_base))
        run: _Run | None = None
        for frame in _decoded(container, track, watch):
            at_s = run.end_s if frame.time is None and run else (frame.time or 0.0) - origin_s
            watch(max(at_s, 0.0))
            if run is None or run.shape != _shape(frame) or abs(at_s - run.end_s) > _APART_S:
                if run and at_s - run.end_s > limits.max_gap_s:
                    break
                yield from run.rest() if run else ()
                run = _Run(frame, at_s)
            yield from run.feed(frame)
        yield from run.rest() if run else ()


class _Run:
    """A stretch of sound without a gap, through one resampler."""

    def __init__(self, frame: AudioFrame, start_s: float) -> None:
        self.shape = _shape(frame)
        self._resampler = AudioResampler("s16", "mono", SOUND_HZ)
        self._start_s, self._taken = start_s, 0  # samples of the source
        self._next = round(start_s * SOUND_HZ)

    @property
    def end_s(self) -> float:
        return self._start_s + self._taken / self.shape[2]

    def feed(self, frame: AudioFrame) -> Iterator[Sound]:
        self._taken += frame.samples
        frame.pts = None  # or the filter would fill and cut by itself
        yield from self._given(self._resampler.resample(frame))

    def rest(self) -> Iterator[Sound]:
        yield from self._given(self._resampler.resample(None))

    def _given(self, frames: list[AudioFrame]) -> Iterator[Sound]:
        for frame in frames:
            if frame is not None:  # a resampler with nothing to do returns what it got
                samples = frame.to_ndarray().astype(np.int16, copy=False).ravel()
                yield Sound(self._next, samples)
                self._next += len(samples)


def _shape(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _decoded(container: InputContainer, track: AudioStream, watch: Watch) -> Iterator[AudioFrame]:
    for packet in _packets(container, track):
        watch(None)
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except av.FFmpegError:
            continue
        yield from frames


def _packets(container: InputContainer, track: AudioStream) -> Iterator[Packet[AudioStream]]:
    try:
        yield from (packet for packet in container.demux(track) if packet.size or packet.dts is None)
    except (av.FFmpegError, IndexError):  # see reader.Pictures._packets
        return
