"""Worker processes of this machine: units in and what comes of them out, as JSON lines; a dead one is started again."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from hicom_agent.archive.plan import Unit
from hicom_agent.errors import AnswerError

TRIES = 3  # of a unit whose worker dies
Event = tuple[Unit | None, dict[str, Any]]  # None: of no unit any more


@dataclass(frozen=True, slots=True)
class Terms:
    """What workers must know."""

    flags: dict[str, Any]  # settings, as `load_settings` takes them
    shards: Path
    merges: bool = True
    max_steps: int | None = None
    max_visual_tokens: int | None = None

    def as_json(self) -> str:
        """Return them for a command line."""
        return json.dumps(asdict(self), default=str)


class Local:
    """A few worker processes, each with its own models; use it in a `with` statement."""

    def __init__(self, terms: Terms, num_workers: int) -> None:
        self.terms, self.num_workers = terms, num_workers
        self._workers: list[_Worker] = []

    def __enter__(self) -> Local:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for worker in self._workers:
            worker.stop()

    def run(self, units: Sequence[Unit]) -> Iterator[Event]:
        """Yield what comes of units, as it comes; `{"end": ...}` closes each."""
        wanted: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        for unit in units:
            wanted.put(unit)
        num = min(self.num_workers, len(units))
        while len(self._workers) < num:
            self._workers.append(_Worker(self.terms))
        for worker in self._workers[:num]:
            wanted.put(None)
            threading.Thread(target=_serve, args=(worker, wanted, events), daemon=True).start()
        while num:
            done, event = events.get()
            if done is None:
                num -= 1
            else:
                yield done, event

    def route(self, question: str, video_ids: Sequence[str], limit: int) -> list[str]:
        """Return the videos that most likely hold the answer, best first; raises AnswerError."""
        if not self._workers:
            self._workers.append(_Worker(self.terms))
        request = {"question": question, "videos": list(video_ids), "limit": limit}
        events = list(self._workers[0].ask(request))  # to the end, or the next one reads what is left
        told = {name: value for event in events for name, value in event.items()}
        if "end" not in told:
            raise AnswerError("a worker ended while it looked for the videos to ask (out of memory?)")
        if "lost" in told:
            raise AnswerError(told["lost"])
        return [str(video_id) for video_id in told["routed"]]


def _serve(worker: _Worker, wanted: queue.SimpleQueue[Unit | None], events: queue.SimpleQueue[Event]) -> None:
    """Let one worker do units until there are none."""
    while (unit := wanted.get()) is not None:
        left, tries, ended = unit, 0, False
        while not ended and tries < TRIES:
            tries += 1
            for event in worker.ask(asdict(left)):
                if "row" in event:
                    left = replace(left, asks=tuple(ask for ask in left.asks if ask.id != event["row"]["id"]))
                if "end" in event:
                    ended = True
                else:
                    events.put((unit, event))
        if not ended:
            events.put((unit, {"lost": f"its worker died {tries} times (out of memory?); see the log"}))
        events.put((unit, {"end": tries}))
    events.put((None, {}))


class _Worker:
    """One process, started when it is needed, and again when it died."""

    def __init__(self, terms: Terms) -> None:
        self._command = [sys.executable, "-m", "hicom_agent.archive.local", terms.as_json()]
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield what the process says of a request; it ends early where the process dies."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        for line in process.stdout:
            event: dict[str, Any] = json.loads(line)
            yield event
            if "end" in event:
                return
        process.wait()
        self._close()

    def stop(self) -> None:
        """Kill the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._close()

    def _close(self) -> None:
        process, self._process = self._process, None
        for pipe in (process.stdin, process.stdout) if process else ():
            with suppress(OSError):
                pipe.close() if pipe else None


# ---------------------------------------------------------------------- in the process


def serve(fields: dict[str, Any]) -> None:
    """Do what standard input asks for, until it closes: then at once, for nobody waits any more."""
    from hicom_agent.pipes import stdout_set_aside

    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    with stdout_set_aside() as out:

        def say(event: dict[str, Any]) -> None:
            data = json.dumps(event, default=str).encode() + b"\n"
            while data:
                data = data[os.write(out, data) :]

        hand = make_hand(fields, say)
        while True:
            for event in _answer(hand, json.loads(requests.get())):
                say(event)
            say({"end": True})


def _read(requests: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        requests.put(line)
    os._exit(1)


def make_hand(fields: dict[str, Any], say: Any = lambda event: None) -> Any:
    """Return what works on units under these terms; progress goes to `say`."""
    from hicom_agent.archive.work import Hand
    from hicom_agent.build import Workspace
    from hicom_agent.settings import load_settings

    def tell(progress: Any) -> None:
        say({"progress": [progress.stage, progress.done, progress.total]})

    work = Workspace(load_settings(fields["flags"]), tell)
    limits = {name: fields[name] for name in ("merges", "max_steps", "max_visual_tokens")}
    return Hand(work, Path(fields["shards"]), **limits)


def _answer(hand: Any, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    from hicom_agent.archive.work import unit_of
    from hicom_agent.errors import HicomAgentError

    if "target" in request:
        yield from hand.work_on(unit_of(request))
        return
    try:
        yield {"routed": hand.route(request["question"], request["videos"], request["limit"])}
    except HicomAgentError as error:
        yield {"lost": str(error)}


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
