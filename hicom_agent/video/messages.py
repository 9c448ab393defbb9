"""How the decoding process talks: a JSON head and raw bytes. Nothing is unpickled; the parent checks every message."""

from __future__ import annotations

import json
import math
import os
import select
import struct
import time
from typing import Any, NamedTuple

OUT_OF_MEMORY = 77  # exit code of the decoding process, which then may not be able to say it
MAX_HEAD_BYTES = 1 << 20
MAX_BODY_BYTES = 1 << 28
_SIZES = struct.Struct(">II")


class Message(NamedTuple):
    """One thing said: `head["kind"]` is what, the rest of the head its values, `body` raw bytes."""

    head: dict[str, Any]
    body: bytes | bytearray | memoryview = b""


def send(fd: int, kind: str, body: bytes | memoryview = b"", **values: Any) -> None:
    """Write one message, whole. Raises BrokenPipeError when nobody listens."""
    head = json.dumps({"kind": kind, **values}).encode()
    body = memoryview(body).cast("B")
    left = [memoryview(_SIZES.pack(len(head), len(body)) + head), body]
    while left:
        written = os.writev(fd, left)
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if left:
            left[0] = left[0][written:]


def receive(fd: int, stall_s: float) -> Message | None:
    """Return the next message, or None at the end.

    Raises TimeoutError when it is not there within `stall_s`, ValueError when it is not a message.
    """
    deadline = time.monotonic() + stall_s
    sizes = _read(fd, _SIZES.size, deadline)
    if sizes is None:
        return None
    head_bytes, body_bytes = _SIZES.unpack(sizes)
    if head_bytes > MAX_HEAD_BYTES or body_bytes > MAX_BODY_BYTES:
        raise ValueError(f"a message of {head_bytes} and {body_bytes} bytes")
    head, body = _read(fd, head_bytes, deadline), _read(fd, body_bytes, deadline)
    if head is None or body is None:
        return None
    values = json.loads(head)
    if not isinstance(values, dict) or not isinstance(values.get("kind"), str):
        raise ValueError("a message without a kind")
    return Message(values, body)


def number(head: dict[str, Any], name: str, most: float) -> float:
    """Return a number of a head. Raises ValueError unless it is finite and 0 <= number <= most."""
    value = head.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}")
    if not 0 <= value <= most:
        raise ValueError(f"{name} is {value!r}, at most {most}")
    return value


def _read(fd: int, count: int, deadline: float) -> bytearray | None:
    """Return `count` bytes, or None where the pipe ends before."""
    into = bytearray(count)
    left = memoryview(into)
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while left:
        wait_s = deadline - time.monotonic()
        if wait_s <= 0 or not poll.poll(wait_s * 1000):
            raise TimeoutError
        got = os.readv(fd, [left])
        if not got:
            return None
        left = left[got:]
    return into
