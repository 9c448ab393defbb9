"""Start a process that decodes, hear its messages, and outlive it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hicom_agent.errors import VideoRefused, VideoUnreadable
from hicom_agent.video.messages import OUT_OF_MEMORY, Message, receive

if TYPE_CHECKING:
    from hicom_agent.video.gate import OpenedVideo
    from hicom_agent.video.plan import Limits

_COMMAND = (sys.executable, "-P", "-m", "hicom_agent.video.worker")  # -P: imports nothing from where we stand
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "LD_LIBRARY_PATH", "HICOM_AGENT_FAULT")  # no secrets
_ERRORS = {"VideoRefused": VideoRefused, "VideoUnreadable": VideoUnreadable}
_END_S = 5.0  # to wait for a process that has closed its pipe


class DecoderDied(Exception):
    """Report that a process ended before its work did; the text says how. Never leaves this room."""


class Decoder:
    """A process that answers one request about one video; leave the `with` and it is gone.

    It dies with the thread that started it.
    """

    def __init__(self, opened: OpenedVideo, limits: Limits, request: dict[str, Any]) -> None:
        """Start it: the request goes through standard input, the video as a descriptor of its own."""
        self._limits, self._shown = limits, repr(str(opened.path))
        self._errors, errors = os.pipe()
        os.set_blocking(errors, False)  # a talkative library loses words instead of waiting for a reader
        os.set_blocking(self._errors, False)
        fd = opened.reopen()
        try:
            self._process = subprocess.Popen(
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=(fd,),
                start_new_session=True,  # a group of its own, and no Ctrl-C
                env={name: os.environ[name] for name in _INHERITED if name in os.environ}
                | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
            )
        except OSError:
            os.close(self._errors)
            raise
        finally:
            os.close(fd)
            os.close(errors)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._out = self._process.stdout.fileno()
        text = json.dumps({"fd": fd, "parent": os.getpid(), "limits": asdict(limits), **request}).encode()
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:
            stdin.write(text)

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        os.close(self._errors)

    def messages(self) -> Iterator[Message]:
        """Yield what it says until it has said everything.

        Raises DecoderDied, and VideoRefused or VideoUnreadable when it says so.
        """
        while True:
            try:
                message = receive(self._out, self._limits.stall_s)
            except TimeoutError as error:
                raise DecoderDied(f"the decoder gave no sign of life for {self._limits.stall_s:g} s") from error
            except ValueError as error:
                raise DecoderDied(f"the decoder said what it should not: {error}") from error
            if message is None:
                raise DecoderDied(self._how_it_ended())
            kind = message.head["kind"]
            if kind == "end":
                return
            if kind == "error":
                wanted = _ERRORS.get(str(message.head.get("error")), VideoUnreadable)
                raise wanted(f"{self._shown} {message.head.get('text', '')}")
            if kind != "alive":
                yield message

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            return "the decoder closed its pipe"
        if code == OUT_OF_MEMORY:
            return f"the decoder ran out of memory (limit {self._limits.memory_bytes / 2**30:.1f} GiB)"
        if code < 0:
            return f"the decoder crashed ({signal.Signals(-code).name})"
        said = ""
        with contextlib.suppress(BlockingIOError):
            said = os.read(self._errors, 65536).decode(errors="replace").strip()
        return f"the decoder failed: {said.rpartition(chr(10))[2] or f'exit code {code}'}"
