"""Worker processes that answer for a server: the server stays light and quick, and a call that runs away is killed.

A worker loads the models once and serves one call at a time. It speaks JSON lines: a request on standard input, then
progress and one result, or an error, on what was standard output; whatever a library prints goes to standard error.
It ends when its standard input closes, so none outlives its server.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from hicom_agent.errors import AnswerError, HicomAgentError, InputError, SetupError, StoreError, UnknownVideo
from hicom_agent.pipes import stdout_set_aside

if TYPE_CHECKING:
    from hicom_agent.build import Workspace

MAX_LINE_BYTES = 32 * 2**20
OnProgress = Callable[[str], Awaitable[None]]
_GONE = (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError)
_KINDS = {kind.__name__: kind for kind in (InputError, UnknownVideo, SetupError, StoreError, AnswerError)}


class OutOfTime(HicomAgentError):
    """Report a call that did not come to an end in its time."""


@dataclass(slots=True)
class Worker:
    """One process and what it says."""

    process: Process
    lines: BufferedByteReceiveStream
    state: Literal["new", "warming", "ready"] = "new"

    async def warm_up(self, on_progress: OnProgress) -> None:
        """Let it load its models, or wait until it has; cancelled in between, it goes on loading."""
        assert self.process.stdin is not None
        try:
            if self.state == "new":
                await self.process.stdin.send(b'{"tool": "warm_up"}\n')
                self.state = "warming"
            while self.state == "warming":
                told = json.loads(await self.lines.receive_until(b"\n", MAX_LINE_BYTES))
                if "progress" in told:
                    await on_progress(str(told["progress"]))
                else:
                    self.state = "ready"
        except _GONE as error:
            raise AnswerError("a worker ended while it was loading; see the server's log") from error

    async def ask(self, request: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
        """Send a request and return its result; raises AnswerError if the process is gone."""
        assert self.process.stdin is not None
        try:
            await self.process.stdin.send(json.dumps(request).encode() + b"\n")
            while True:
                answer: dict[str, Any] = json.loads(await self.lines.receive_until(b"\n", MAX_LINE_BYTES))
                if "progress" not in answer:
                    return answer
                await on_progress(str(answer["progress"]))
        except _GONE as error:
            raise AnswerError("the worker ended in the middle of a call (out of memory?); ask again") from error

    async def stop(self) -> None:
        """Kill the process."""
        with suppress(ProcessLookupError):
            self.process.kill()
        with anyio.CancelScope(shield=True):
            await self.process.aclose()


class Fetcher(Protocol):
    """What brings models that answers went without."""

    fault: str  # why the last one could not be had

    def want(self, name: str) -> None:
        """Begin to bring a model."""


@dataclass
class Crew:
    """A few workers, started when they are needed; more calls wait their turn, and too many are refused."""

    command: Sequence[str]
    size: int = 2
    max_waiting: int = 16
    fetcher: Fetcher | None = None
    _idle: list[Worker] = field(default_factory=list)
    _num_waiting: int = 0
    _turns: anyio.Semaphore | None = None

    async def call(
        self, tool: str, arguments: dict[str, Any], max_seconds: float, on_progress: OnProgress
    ) -> dict[str, Any]:
        """Return what a tool gives; a worker that is too slow, or whose caller is gone, is killed.

        Raises InputError (which the caller can mend, or too many calls), OutOfTime, AnswerError.
        """
        self._turns = self._turns or anyio.Semaphore(self.size)
        ends_at = time.monotonic() + max_seconds
        await self._take_turn(self._turns, max_seconds)
        try:
            return await self._serve(tool, arguments, ends_at, on_progress)
        finally:
            self._turns.release()

    async def _take_turn(self, turns: anyio.Semaphore, max_seconds: float) -> None:
        with suppress(anyio.WouldBlock):
            turns.acquire_nowait()
            return
        if self._num_waiting >= self.max_waiting:
            raise InputError(f"{self._num_waiting} calls are waiting already; ask again in a moment")
        self._num_waiting += 1
        try:
            with anyio.move_on_after(max_seconds) as scope:
                await turns.acquire()
            if scope.cancelled_caught:
                raise OutOfTime(f"no worker was free within {max_seconds:g} s; ask again in a moment")
        finally:
            self._num_waiting -= 1

    async def _serve(
        self, tool: str, arguments: dict[str, Any], ends_at: float, on_progress: OnProgress
    ) -> dict[str, Any]:
        worker = self._idle.pop() if self._idle else await self._start()
        left_s = max(0.1, ends_at - time.monotonic())
        why_not = self.fetcher.fault if self.fetcher else ""
        request = {"tool": tool, "arguments": arguments, "max_seconds": left_s, "why_not": why_not}
        well = False
        try:
            with anyio.move_on_after(left_s) as scope:
                if worker.state != "ready":
                    await on_progress("warming up")
                    await worker.warm_up(on_progress)
                answer = await worker.ask(request, on_progress)
                well = True
            if scope.cancelled_caught and worker.state == "warming":
                raise OutOfTime("the models are still being fetched or loaded; ask again in about a minute")
            if scope.cancelled_caught:
                raise OutOfTime(
                    f"{tool} did not end in its time and was stopped; give it a larger max_seconds, or ask for less"
                )
        finally:
            if well or worker.state == "warming":  # a short call must not make the next one load all over again
                self._idle.append(worker)
            else:
                await worker.stop()
        if "error" in answer:
            raise _KINDS.get(answer.get("kind", ""), AnswerError)(answer["error"])
        if self.fetcher and answer.get("wanted"):
            self.fetcher.want(answer["wanted"])
        result: dict[str, Any] = answer["result"]
        return result

    async def _start(self) -> Worker:
        # stderr is inherited: what a worker logs belongs to the server's log
        process = await anyio.open_process(list(self.command), stderr=None)
        assert process.stdout is not None
        return Worker(process, BufferedByteReceiveStream(process.stdout))

    async def start(self) -> None:
        """Start a worker and let it load, so that the first call finds it ready; does not wait for it."""
        worker = await self._start()
        self._idle.append(worker)
        with anyio.move_on_after(0.01):
            await worker.warm_up(_quiet)

    async def close(self) -> None:
        """Kill all workers."""
        while self._idle:
            await self._idle.pop().stop()


async def _quiet(message: str) -> None:
    """Tell nobody: no call waits yet."""


def serve(flags: dict[str, Any]) -> None:
    """Serve requests from standard input until it closes; called in the worker process."""
    with stdout_set_aside() as out, os.fdopen(os.dup(out), "w", buffering=1) as answers:
        from hicom_agent.build import Workspace
        from hicom_agent.settings import load_settings
        from hicom_agent.types import Progress

        def say(**what: Any) -> None:
            answers.write(json.dumps(what, ensure_ascii=False, default=str) + "\n")

        def show(progress: Progress) -> None:
            say(progress=progress.stage)

        work = Workspace(load_settings(flags), show, waits=False)
        for line in sys.stdin:
            work.wanted = ""
            try:
                result = _serve_one(work, json.loads(line))
                say(result=result, wanted="" if work.settings.offline else work.wanted)
            except HicomAgentError as error:
                say(error=str(error), kind=type(error).__name__)
            except Exception as error:  # noqa: BLE001 a fault of ours must not end the worker
                say(error=f"{type(error).__name__}: {error}")


def _serve_one(work: Workspace, request: dict[str, Any]) -> dict[str, Any]:
    from hicom_agent.tools import TOOLS, show_video

    if request["tool"] == "warm_up":
        _load(work)
        return {}
    if request["tool"] == "show_video":  # for resources; agents do not call it
        return show_video(work, **request["arguments"])
    work.why_not = request["why_not"]
    tool = TOOLS[request["tool"]]
    return tool.run(work, tool.arguments(**request["arguments"]), request["max_seconds"])


def _load(work: Workspace) -> None:
    """Load what every question needs; what fails now fails again, and is told, when it is asked for."""
    import hicom_agent.agent  # noqa: F401

    with suppress(HicomAgentError):
        _ = work.encoder


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
