"""What a video holds, from processes that may die without harm: what is lost with one is reported, the rest goes on.

Iterate in the thread that called: a decoding process dies with the thread that started it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from hicom_agent.errors import VideoUnreadable
from hicom_agent.types import Damage, Frame, Glimpse, VideoInfo
from hicom_agent.video.decoder import Decoder, DecoderDied
from hicom_agent.video.messages import Message, number
from hicom_agent.video.plan import SOUND_HZ, Limits, StreamPlan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hicom_agent.types import Picture
    from hicom_agent.video.gate import OpenedVideo

    Samples = NDArray[np.int16]

_SILENCE = 30 * SOUND_HZ  # samples of it given at once
_EVER_S = 1e9
_TRIES = 2  # processes for a call that has nothing to go on with
Item = TypeVar("Item")


class _Sound(NamedTuple):
    """Samples and where the first of them stands."""

    at: int
    samples: Samples


def probe(opened: OpenedVideo, limits: Limits | None = None) -> VideoInfo:
    """Return what the video is; its first picture, or its first sound, has been decoded.

    Raises VideoRefused or VideoUnreadable.
    """
    limits = limits or Limits()
    head = _ask(opened, limits, {"do": "probe"})[0].head
    return VideoInfo(
        duration_s=number(head, "duration_s", limits.max_duration_s),
        width_px=int(number(head, "width_px", limits.max_pixels)),
        height_px=int(number(head, "height_px", limits.max_pixels)),
        codec=str(head["codec"])[:32],
        audio_codec=str(head["audio_codec"])[:32],
    )


def stream(
    opened: OpenedVideo, plan: StreamPlan | None = None, limits: Limits | None = None
) -> Generator[Glimpse | Frame | Damage, None, None]:
    """Yield the pictures of one decode pass and the stretches that could not be decoded; times ascend per kind.

    A process that dies is replaced by one that starts further on; after `max_restarts` the rest is damage too.
    Raises VideoRefused or VideoUnreadable; nothing comes from a video without pictures.
    """
    plan, limits = plan or StreamPlan(), limits or Limits()

    def request(start_s: float, known: dict[str, Any]) -> dict[str, Any]:
        return {"do": "stream", "plan": asdict(replace(plan, start_s=start_s)), "origin": known.get("origin")}

    last_s: dict[type, float] = {}
    for item in _pass(opened, limits, plan.start_s, request, _pictures):
        if not isinstance(item, Damage):
            if item.time_s <= last_s.get(type(item), -1.0):
                continue
            last_s[type(item)] = item.time_s
        yield item


def read_audio(
    opened: OpenedVideo, limits: Limits | None = None, start_s: float = 0.0
) -> Generator[Samples, None, None]:
    """Yield the sound as int16 mono at 16 kHz: sample i of all that is yielded stands at `start_s` + i / 16000 s.

    Where there is no sound, or it could not be decoded, there is silence; it ends with the sound.
    Without pictures the clock's zero is the first sample. Nothing comes from a video without sound.
    """
    limits = limits or Limits()
    next_sample = round(start_s * SOUND_HZ)

    def request(from_s: float, known: dict[str, Any]) -> dict[str, Any]:
        return {"do": "sound", "start_s": from_s, "origin_s": known.get("origin_s")}

    for item in _pass(opened, limits, start_s, request, _sound):
        if isinstance(item, Damage):
            continue
        while next_sample < item.at:
            silence = min(item.at - next_sample, _SILENCE)
            yield np.zeros(silence, np.int16)
            next_sample += silence
        samples = item.samples[max(0, next_sample - item.at) :]
        if len(samples):
            yield samples
            next_sample += len(samples)


def read_frames(
    opened: OpenedVideo, times_s: Sequence[float], side_px: int = 512, limits: Limits | None = None
) -> list[Frame]:
    """Return for each time, in the order asked, the frame that is shown then; the first or last one outside the video.

    Raises VideoRefused, VideoUnreadable, or ValueError for a time that is not a number >= 0.
    """
    limits = limits or Limits()
    if not all(0 <= time_s < float("inf") for time_s in times_s):
        raise ValueError(f"need times >= 0, got {list(times_s)}")
    wanted = sorted({float(time_s) for time_s in times_s})
    if not wanted:
        return []
    request = {"do": "frames", "times_s": wanted, "side_px": side_px}
    messages = _ask(opened, limits, request)
    if len(messages) != len(wanted):
        raise VideoUnreadable(f"{str(opened.path)!r} gave {len(messages)} frames for {len(wanted)} times; try fewer")
    found = dict(zip(wanted, (_frame(message, limits) for message in messages), strict=True))
    return [found[float(time_s)] for time_s in times_s]


def read_times(opened: OpenedVideo, limits: Limits | None = None) -> list[float]:
    """Return when each frame is shown, ascending, from the file's packets: frame k of the video is shown at [k].

    Raises VideoRefused or VideoUnreadable.
    """
    limits = limits or Limits()
    times_s = np.frombuffer(_ask(opened, limits, {"do": "times"})[0].body, np.float64)
    if not len(times_s) or not ((times_s >= 0) & (times_s <= limits.max_duration_s)).all():
        raise VideoUnreadable(f"{str(opened.path)!r} does not say when its frames are shown")
    return [float(time_s) for time_s in np.sort(times_s)]


def _ask(opened: OpenedVideo, limits: Limits, request: dict[str, Any]) -> list[Message]:
    """Return all messages of one process; a second one tries where the first died."""
    reason = ""
    for attempt in range(_TRIES):
        with Decoder(opened, limits, {**request, "careful": attempt > 0}) as decoder:
            try:
                return list(decoder.messages())
            except DecoderDied as error:
                reason = str(error)
    raise VideoUnreadable(f"{str(opened.path)!r} cannot be decoded: {reason}")


class _Progress:
    """How far a pass has come over the processes it took."""

    def __init__(self, limits: Limits, start_s: float) -> None:
        self.start_s = self.seen_s = start_s
        self.reason = ""  # why the stretch from seen_s to start_s is missing; "" where nothing is
        self._limits, self._step_s = limits, limits.restart_step_s

    def reached(self, time_s: float) -> Iterator[Damage]:
        """Note that `time_s` was seen; yield what was missing before it."""
        if self.reason:
            yield Damage(self.seen_s, max(self.seen_s, min(self.start_s, time_s)), self.reason)
            self.reason, self._step_s = "", self._limits.restart_step_s
        self.seen_s = max(self.seen_s, time_s)

    def died(self, reason: str) -> None:
        """Note that a process died: the next starts further on."""
        if self.reason:
            self._step_s *= 2
        self.reason = self.reason or reason
        self.start_s = self.seen_s + self._step_s


def _pass(
    opened: OpenedVideo,
    limits: Limits,
    start_s: float,
    request: Callable[[float, dict[str, Any]], dict[str, Any]],
    unpack: Callable[[Message, Limits], list[tuple[float, Item]]],
) -> Iterator[Item | Damage]:
    """Yield what the messages hold, with Damage for what each process that died has cost."""
    known: dict[str, Any] = {}
    progress = _Progress(limits, start_s)
    for _ in range(limits.max_restarts + 1):
        with Decoder(opened, limits, request(progress.start_s, known)) as decoder:
            try:
                for message in decoder.messages():
                    if message.head["kind"] == "start":
                        known = {**message.head, "end_s": number({"end_s": 0.0, **message.head}, "end_s", _EVER_S)}
                    for time_s, item in _checked(unpack, message, limits):
                        yield from progress.reached(time_s)
                        yield item
            except DecoderDied as error:
                progress.died(str(error))
            else:
                break
        if not known:
            raise VideoUnreadable(f"{str(opened.path)!r} cannot be decoded: {progress.reason}")
        if 0 < known["end_s"] < progress.start_s:
            break
    if progress.reason:
        yield Damage(progress.seen_s, max(progress.seen_s, known["end_s"]), progress.reason)


def _checked(
    unpack: Callable[[Message, Limits], list[tuple[float, Item]]], message: Message, limits: Limits
) -> list[tuple[float, Item]]:
    try:
        return unpack(message, limits)
    except (KeyError, TypeError, ValueError) as error:
        raise DecoderDied(f"the decoder said what it should not: {error!r}") from error


def _pictures(message: Message, limits: Limits) -> list[tuple[float, Glimpse | Frame | Damage]]:
    head = message.head
    if head["kind"] == "frame":
        frame = _frame(message, limits)
        return [(frame.time_s, frame)]
    if head["kind"] == "gap":
        start_s, end_s = (number(head, name, limits.max_duration_s) for name in ("start_s", "end_s"))
        return [(start_s, Damage(start_s, max(start_s, end_s), str(head["reason"])[:200]))]
    if head["kind"] == "glimpses":
        pictures = _array(message, len(head["times_s"]))
        times_s = [number({"time_s": time_s}, "time_s", limits.max_duration_s) for time_s in head["times_s"]]
        parts = zip(times_s, pictures, head["between"], strict=True)
        return [(time_s, Glimpse(time_s, picture, not between)) for time_s, picture, between in parts]
    return []


def _sound(message: Message, limits: Limits) -> list[tuple[float, _Sound]]:
    if message.head["kind"] != "sound":
        return []
    at = int(number({"at": abs(message.head["at"])}, "at", limits.max_duration_s * SOUND_HZ))
    at = at if message.head["at"] >= 0 else -at
    samples = np.frombuffer(message.body, np.int16)
    return [(max(0.0, (at + len(samples)) / SOUND_HZ), _Sound(at, samples))]


def _frame(message: Message, limits: Limits) -> Frame:
    return Frame(number(message.head, "time_s", limits.max_duration_s), _array(message, 1)[0])


def _array(message: Message, count: int) -> Picture:
    """Return the pictures of a message, [count, h, w, 3]."""
    height, width = message.head["shape"]
    return np.frombuffer(message.body, np.uint8).reshape(count, int(height), int(width), 3)
