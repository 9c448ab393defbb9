"""Read the pictures of a video on its clock: 0 is the first frame that is shown. Runs in the decoding process."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import av

from hicom_agent.errors import VideoUnreadable
from hicom_agent.video.container import declared_end_s, open_container, picture_track, sound_track

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from hicom_agent.video.plan import Limits

    Watch = Callable[[float | None], None]

_BACK_S = 1.0  # from which on going back is a broken clock; less is a writer's rounding
_EARLY_S = 1.0  # how much earlier than declared a track may end
_AHEAD = 16  # pictures, at most that many are reordered
_TRIES = 3  # reads that fail one after the other, before the file counts as over


class Shown(NamedTuple):
    """A decoded frame and when it is shown."""

    time_s: float
    frame: VideoFrame


class Gap(NamedTuple):
    """A stretch without pictures, and why."""

    start_s: float
    end_s: float
    reason: str


class Pictures:
    """The picture track of a video. Opened by descriptor; one iterator at a time."""

    def __init__(self, fd: int, limits: Limits, watch: Watch = lambda _: None, origin: int | None = None) -> None:
        """Open the track; `watch` hears of every packet (None) and of every shown frame (its time).

        `origin` is the first frame's pts where it is known from before.
        Raises VideoRefused, or VideoUnreadable when there is no track or no frame in it.
        """
        self._fd, self._limits, self._watch = fd, limits, watch
        self._frames: Iterator[VideoFrame | str] = iter(())
        self._open()
        self.first: VideoFrame | None = None
        if origin is None:
            self.first = self._first_frame()
            origin = self.first.pts or 0
        self.origin: int = origin

    @property
    def origin_s(self) -> float:
        """Return the first shown frame's time on the container's clock."""
        return float(self.origin * self.tick_s)

    @property
    def end_s(self) -> float:
        """Return when the last frame ends as the container declares it, 0 where it does not."""
        return max(0.0, declared_end_s(self.container, self.stream)[0] - self.origin_s)

    def shown(self, from_s: float) -> Iterator[Shown | Gap]:
        """Yield frames, times strictly ascending, from a keyframe on that the container has for `from_s`.

        It may lie after `from_s` (containers look up decoding times). With `from_s` <= 0: every frame.
        """
        last: Shown | None = None
        trouble = ""
        for item in self._decoded(from_s):
            time_s = self._time(item)
            if time_s is None or isinstance(item, str):
                trouble = trouble or (item if isinstance(item, str) else "damaged pictures")
            elif last is not None and time_s <= last.time_s:
                if last.time_s - time_s > _BACK_S and not trouble:
                    trouble = f"the clock goes back by {last.time_s - time_s:.0f} s"
            elif self._jumps(last, time_s):
                end_s = last.time_s if last else 0.0
                yield Gap(end_s, end_s, f"the clock jumps to {time_s / 3600:.1f} h; the rest is left out")
                return
            else:
                if trouble and last is not None:
                    yield Gap(last.time_s, time_s, trouble)
                trouble = ""
                last = Shown(time_s, item)
                self._watch(time_s)
                yield last
        if last is not None:
            yield from self._missing_end(last, trouble)

    def keyframes(self, start_s: float, end_s: float) -> Iterator[Packet[VideoStream]]:
        """Yield the packets of the keyframes from the one before `start_s` up to `end_s`; nothing is decoded."""
        self._frames, self._fresh = iter(()), False
        self.container.seek(self.origin + int(start_s / self.tick_s), stream=self.stream)
        for packet in self.container.demux(self.stream):
            if packet.is_keyframe and packet.pts is not None:
                if (packet.pts - self.origin) * self.tick_s > end_s:
                    return
                yield packet

    def _open(self) -> None:
        self._fresh = True
        self.container: InputContainer = open_container(self._fd, self._limits)
        stream = picture_track(self.container, self._limits)
        if stream is None:
            raise VideoUnreadable("has no moving pictures")
        self.stream: VideoStream = stream
        self.tick_s = Fraction(stream.time_base or 1)
        self._tick = self.tick_s.as_integer_ratio()

    def _rewind(self) -> None:
        """Open again: not every container can seek to its very start."""
        self._frames = iter(())
        if not self._fresh:
            self.container.close()
            self._open()

    def _first_frame(self) -> VideoFrame:
        for item in self._decoded(0):
            if not isinstance(item, str) and not item.is_corrupt and item.pts is not None:
                return item
        raise VideoUnreadable("has a picture track, but no picture in it can be decoded")

    def _time(self, item: VideoFrame | str) -> float | None:
        if isinstance(item, str) or item.is_corrupt or item.pts is None:
            return None
        return (item.pts - self.origin) * self._tick[0] / self._tick[1]

    def _jumps(self, last: Shown | None, time_s: float) -> bool:
        gap_s = 0.0 if last is None else time_s - last.time_s
        return gap_s > self._limits.max_gap_s or time_s > self._limits.max_duration_s

    def _missing_end(self, last: Shown, trouble: str) -> Iterator[Gap]:
        """Yield what lies between the last frame and the end that the container declares."""
        end_s, own = declared_end_s(self.container, self.stream)
        end_s = min(end_s - self.origin_s, self._limits.max_duration_s)
        last_end_s = last.time_s + float((last.frame.duration or 0) * self.tick_s)
        if trouble:
            yield Gap(last.time_s, max(last.time_s, end_s), trouble)
        elif end_s - last_end_s > _EARLY_S and (own or not self._sound_goes_on(last_end_s + _EARLY_S)):
            yield Gap(last_end_s, end_s, "the file ends before the video does")

    def _sound_goes_on(self, after_s: float) -> bool:
        """Return whether there is sound after a time: then a container's end need not be the pictures' end."""
        self._fresh = False
        self._rewind()
        track = sound_track(self.container)
        if track is None:
            return False
        wanted = int((after_s + self.origin_s) / Fraction(track.time_base or 1))
        try:
            self.container.seek(wanted, stream=track)
            return any(packet.pts is not None and packet.pts >= wanted for packet in self.container.demux(track))
        except av.FFmpegError:
            return False

    def _decoded(self, from_s: float) -> Iterator[VideoFrame | str]:
        self._frames = iter(())  # ends an earlier iterator before its container goes
        if from_s > 0:
            try:
                self.container.seek(self.origin + int(from_s / self.tick_s), stream=self.stream)
            except av.FFmpegError:
                from_s = 0
        if from_s <= 0:
            self._rewind()
        self._fresh = False
        self._frames = self._decode(keyed=from_s <= 0)
        if self.container.format.name == "avi":
            self._frames = in_order(self._frames)
        return self._frames

    def _decode(self, keyed: bool) -> Iterator[VideoFrame | str]:
        """Yield frames, and for what cannot be decoded the reason; unless `keyed`, from the first keyframe on."""
        for packet in self._packets():
            frames: list[VideoFrame] = []
            if isinstance(packet, str):
                yield packet
            elif keyed or packet.is_keyframe or not packet.size:
                keyed = True
                try:
                    frames = packet.decode()
                except av.EOFError:
                    pass  # asked again after its end
                except MemoryError:
                    raise
                except av.FFmpegError:
                    yield "damaged data"
            if not frames:
                self._watch(None)
            yield from frames

    def _packets(self) -> Iterator[Packet[VideoStream] | str]:
        """Yield packets, the last one empty, and for what cannot be read the reason."""
        failures = 0
        while failures < _TRIES:
            try:
                for packet in self.container.demux(self.stream):
                    if packet.size:
                        failures = 0
                        yield packet
                    elif packet.dts is None:  # the last one; others of no size are frames that a writer dropped
                        yield packet
                        return
                return
            except (av.FFmpegError, IndexError):
                # No memory too: a damaged size asks for any amount of it. An index: PyAV's, of a track that came later.
                failures += 1
                yield "unreadable data"
        flush = av.Packet()
        flush.stream = self.stream
        yield flush


def in_order(frames: Iterator[VideoFrame | str]) -> Iterator[VideoFrame | str]:
    """Yield the frames with their pts sorted.

    AVI stores no presentation times, and what FFmpeg makes up for B-frames stands in coding order.
    """
    waiting: deque[VideoFrame] = deque()
    times: list[int] = []

    def next_one() -> VideoFrame:
        frame = waiting.popleft()
        frame.pts = heapq.heappop(times)
        return frame

    for item in frames:
        if isinstance(item, str) or item.pts is None:
            yield item
            continue
        waiting.append(item)
        heapq.heappush(times, item.pts)
        if len(waiting) > _AHEAD:
            yield next_one()
    while waiting:
        yield next_one()
