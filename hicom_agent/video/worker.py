"""The process that decodes: `python -m hicom_agent.video.worker`, started by `client`, and nothing a person would run.

It reads one request as JSON from standard input, answers with messages on standard output, and ends. It has no network,
may write no file, and is limited in memory and processor time; it may crash, hang or run out of memory without harm.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicom_agent.errors import InputError, VideoUnreadable
from hicom_agent.video.messages import OUT_OF_MEMORY, send
from hicom_agent.video.plan import Limits, StreamPlan

if TYPE_CHECKING:
    from hicom_agent.video.glimpses import Seen
    from hicom_agent.video.reader import Pictures

NOBODY_LISTENS = 78  # exit code
_NEW_USER_AND_NETWORK = 0x10000000 | 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET
_DIE_WITH_PARENT, _NO_NEW_PRIVILEGES = 1, 38  # PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS
_BATCH_S = 1.0  # glimpses that go in one message
_BATCH = 128
_SIGN_OF_LIFE_S = 1.0


def confine(limits: Limits) -> None:
    """Give up what decoding does not need; where the system does not allow that, go on with what it does."""
    for name, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(name)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(ValueError, OSError):  # macOS has no limit of addresses
            resource.setrlimit(name, (least, least))
    os.nice(5)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.unshare(_NEW_USER_AND_NETWORK)  # before there are threads; changes who we are, so the next two follow it
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)


class Watch:
    """Hear of the work's progress: send signs of life, and break on purpose where a test asks for it."""

    def __init__(self, out: int, fault: str = "") -> None:
        self._out = out
        self._sent = time.monotonic()
        self._fault, _, at = fault.partition("@")
        self._fault_s = float(at) if at else 0.0

    def __call__(self, time_s: float | None) -> None:
        """Note that a packet (None) or a frame at a time was reached."""
        now = time.monotonic()
        if now - self._sent > _SIGN_OF_LIFE_S:
            self._sent = now
            send(self._out, "alive")
        if self._fault and time_s is not None and self._fault_s <= time_s < self._fault_s + 0.5:
            _break(self._fault)


def _break(fault: str) -> None:
    if fault == "segv":
        ctypes.string_at(0)
    elif fault == "oom":
        bytearray(1 << 40)
    elif fault == "hang":
        while True:
            time.sleep(60)


def main() -> int:
    """Answer one request; the exit code says how it ended where no message could."""
    request = json.load(sys.stdin.buffer)
    out = os.dup(1)
    os.dup2(2, 1)  # whatever prints does not speak on our channel
    limits = Limits(**request["limits"])
    confine(limits)
    if os.getppid() != request["parent"]:
        return NOBODY_LISTENS  # it died before we could ask to die with it
    watch = Watch(out, os.environ.get("HICOM_AGENT_FAULT", ""))
    try:
        _ANSWERS[request["do"]](request, limits, out, watch)
        send(out, "end")
    except InputError as error:
        send(out, "error", error=type(error).__name__, text=str(error))
    except MemoryError:
        return OUT_OF_MEMORY
    except BrokenPipeError:
        return NOBODY_LISTENS
    return 0


def _pictures(request: dict[str, Any], limits: Limits, watch: Callable[[float | None], None]) -> Pictures:
    from hicom_agent.video.reader import Pictures

    return Pictures(request["fd"], limits, watch, request.get("origin"))


def _probe(request: dict[str, Any], limits: Limits, out: int, watch: Watch) -> None:
    from hicom_agent.video.probing import look

    send(out, "info", **look(request["fd"], limits, watch))


def _stream(request: dict[str, Any], limits: Limits, out: int, watch: Watch) -> None:
    from hicom_agent.video.glimpses import stream_pictures
    from hicom_agent.video.reader import Gap

    source = _pictures(request, limits, watch)
    send(out, "start", origin=source.origin, end_s=source.end_s)
    waiting: list[Seen] = []
    for item in stream_pictures(source, StreamPlan(**request["plan"])):
        if isinstance(item, Gap) or item.kind == "frame" or not _fits(waiting, item):
            _send_glimpses(out, waiting)
            waiting.clear()
        if isinstance(item, Gap):
            send(out, "gap", start_s=item.start_s, end_s=item.end_s, reason=item.reason)
        elif item.kind == "frame":
            send(out, "frame", item.picture.data, time_s=item.time_s, shape=item.picture.shape[:2])
        else:
            waiting.append(item)
    _send_glimpses(out, waiting)


def _fits(waiting: list[Seen], item: Seen) -> bool:
    if not waiting:
        return True
    first = waiting[0]
    return item.time_s - first.time_s < _BATCH_S and item.picture.shape == first.picture.shape and len(waiting) < _BATCH


def _send_glimpses(out: int, glimpses: list[Seen]) -> None:
    if glimpses:
        send(
            out,
            "glimpses",
            b"".join(item.picture.tobytes() for item in glimpses),
            times_s=[item.time_s for item in glimpses],
            between=[item.kind == "between" for item in glimpses],
            shape=glimpses[0].picture.shape[:2],
        )


def _sound(request: dict[str, Any], limits: Limits, out: int, watch: Watch) -> None:
    from hicom_agent.video.sound import first_sound_s, stream_sound

    origin_s = request.get("origin_s")
    if origin_s is None:
        try:
            origin_s = _pictures(request, limits, lambda _: watch(None)).origin_s
        except VideoUnreadable:
            origin_s = first_sound_s(request["fd"], limits) or 0.0
    send(out, "start", origin_s=origin_s)
    for item in stream_sound(request["fd"], limits, request["start_s"], origin_s, watch):
        send(out, "sound", item.samples.data, at=item.at)


def _frames(request: dict[str, Any], limits: Limits, out: int, watch: Watch) -> None:
    from hicom_agent.video.moments import read_moments

    source = _pictures(request, limits, watch)
    path = f"/proc/self/fd/{request['fd']}"
    path = path if Path(path).exists() and not request["careful"] else ""
    for item in read_moments(source, request["times_s"], request["side_px"], path):
        send(out, "frame", item.picture.data, time_s=item.time_s, shape=item.picture.shape[:2])


def _times(request: dict[str, Any], limits: Limits, out: int, watch: Watch) -> None:
    from array import array

    from hicom_agent.video.times import packet_times

    found = packet_times(_pictures(request, limits, lambda _: watch(None)), limits, lambda _: watch(None))
    send(out, "times", array("d", found).tobytes())


_ANSWERS = {"probe": _probe, "stream": _stream, "sound": _sound, "frames": _frames, "times": _times}

if __name__ == "__main__":
    sys.exit(main())
