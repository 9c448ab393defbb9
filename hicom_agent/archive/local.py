"""Worker processes of this machine: units in and what comes of them out, as JSON lines; a dead one is started again."""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from hicom_agent.archive.plan import Unit
from hicom_agent.errors import AnswerError

LOG = logging.getLogger(__name__)
TRIES = 3  # of a unit whose worker dies
DIED = "its worker died {} times (out of memory?); see the log"
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
    try:
        while (unit := wanted.get()) is not None:
            for event in _try(worker, unit):
                events.put((unit, event))
            events.put((unit, {"end": True}))
    finally:
        events.put((None, {}))


def _try(worker: _Worker, unit: Unit) -> Iterator[dict[str, Any]]:
    """Yield what comes of a unit. After a death the rest is tried again; what kills twice in its turn is given up."""
    left = {(ask.id, ask.video): ask for ask in unit.asks}
    deaths: Counter[tuple[str, str] | None] = Counter()  # by the question that was next; None: before any
    settled = False
    while True:
        for event in worker.ask(asdict(Unit(unit.target, tuple(left.values())))):
            if "end" in event:
                return
            done = event.get("row") or event.get("failed")
            if done:
                left.pop((done["id"], done["video"]), None)
            settled = settled or "settled" in event
            yield event
        if worker.stopped:
            return
        blamed = next(iter(left), None) if settled else None
        deaths[blamed] += 1
        if deaths.total() >= TRIES and blamed is None:
            yield {"lost": DIED.format(deaths.total())}
            return
        if blamed is not None and deaths[blamed] >= TRIES - 1:
            yield {"failed": asdict(left.pop(blamed)), "reason": DIED.format(deaths[blamed])}
            if not left:
                return


class _Worker:
    """One process, started when it is needed, and again when it died."""

    def __init__(self, terms: Terms) -> None:
        self.stopped = False
        self._command = [sys.executable, "-m", "hicom_agent.archive.local", terms.as_json()]
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield what the process says of a request; it ends early where the process dies or says nonsense."""
        if self.stopped:
            return
        try:
            if self._process is None:
                self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            process = self._process
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            for line in process.stdout:
                event: dict[str, Any] = json.loads(line)
                yield event
                if "end" in event:
                    return
        except (OSError, ValueError) as error:
            LOG.warning("a worker failed: %s", error)
        self._end()

    def stop(self) -> None:
        """Kill the process, for good."""
        self.stopped = True
        self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    pipe.close() if pipe else None


# ---------------------------------------------------------------------- in the process


def serve(fields: dict[str, Any]) -> None:
    """Do what standard input asks for, until it closes: then at once, for nobody waits any more."""
    from hicom_agent.pipes import stdout_set_aside

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started it, and that one kills it
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
    rest = b""
    while data := os.read(0, 1 << 20):  # not sys.stdin: a thread that waits in it makes the interpreter's end fatal
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
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
    from hicom_agent.archive.work import one_line, unit_of
    from hicom_agent.errors import HicomAgentError

    if "target" in request:
        yield from hand.work_on(unit_of(request))
        return
    try:
        yield {"routed": hand.route(request["question"], request["videos"], request["limit"])}
    except HicomAgentError as error:
        yield {"lost": one_line(error)}


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
