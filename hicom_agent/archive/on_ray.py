"""The same work on a Ray cluster: Ray Data moves units from actors that watch to actors that answer.

Every node sees the videos and the folder of shards under the same paths. A shard is one video's store and has one user
at a time; the archive's own store and the answers are written by the driver alone. Ray starts a dead actor again and
gives it its unit once more, without end; a unit that kills one after the other is given up here, by its count of tries.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from hicom_agent.archive.local import TRIES, Event, Local, Terms, make_hand
from hicom_agent.archive.plan import Unit, shard_name
from hicom_agent.errors import AnswerError, SetupError
from hicom_agent.pipes import stdout_set_aside

_CPUS = {"watch": 1.0, "answer": 0.5}
_GPU = 0.5  # of each, where there is one: a watching and an answering actor share it


class OnRay:
    """Actors of a cluster; use it in a `with` statement."""

    def __init__(self, terms: Terms, num_workers: int, address: str) -> None:
        """`address` is a cluster's, "auto" for the one of this machine, or "local" for a new one that ends with us.

        Raises SetupError where Ray is not installed.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports to its makers otherwise
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        try:
            import ray
        except ImportError as error:
            raise SetupError("no package 'ray'; run: pip install 'hicom-agent[archive]'") from error
        self._ray: Any = ray
        self._terms, self._num_workers = terms, num_workers
        self._address = address
        self._stack = ExitStack()
        self._router = Local(replace(terms, merges=True), 1)  # on this machine, where the archive's store is

    def __enter__(self) -> OnRay:
        self._stack.enter_context(self._router)
        self._stack.enter_context(stdout_set_aside())  # Ray prints there what happens to its processes
        try:
            _knock(self._address)
            self._ray.init(
                address=self._address,
                include_dashboard=False,
                logging_level=logging.WARNING,
                log_to_driver=False,
            )
        except (OSError, ValueError, RuntimeError) as error:
            self._stack.close()
            why = " ".join(str(error).split())[:200]
            raise SetupError(f"no Ray cluster at {self._address}: {why}; see ray start") from error
        self._stack.callback(self._ray.shutdown)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def run(self, units: Sequence[Unit]) -> Iterator[Event]:
        """Yield what comes of units, as they end."""
        for left_over in self._terms.shards.glob("*.tries"):
            left_over.unlink(missing_ok=True)
        asked = {unit.target: unit for unit in units}
        rows = [{"unit": json.dumps(asdict(unit))} for unit in units]
        for row in self._pipeline(rows).iter_rows():
            unit = asked[json.loads(row["unit"])["target"]]
            for event in json.loads(row["events"]):
                yield unit, event
            yield unit, {"end": 1}

    def _pipeline(self, rows: list[dict[str, str]]) -> Any:
        import ray.data

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        gpus = _GPU if self._ray.cluster_resources().get("GPU") else 0
        data = ray.data.from_items(rows, override_num_blocks=len(rows))  # each is retried alone, and told when it ends
        for stage, actor in (("watch", Watching), ("answer", Answering)):
            data = data.map(
                actor,
                fn_constructor_args=(self._terms.as_json(),),
                compute=ray.data.ActorPoolStrategy(size=self._num_workers, max_tasks_in_flight_per_actor=1),
                num_cpus=_CPUS[stage],
                num_gpus=gpus,
            )
        return data

    def route(self, question: str, video_ids: Sequence[str], limit: int) -> list[str]:
        """Return the videos that most likely hold the answer, best first."""
        return self._router.route(question, video_ids, limit)


def _knock(address: str) -> None:
    """Raise OSError where nobody listens: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=5.0).close()


class Watching:
    """An actor that sees to it that a video is in a shard; what decodes is a process of its own, beside it."""

    def __init__(self, terms: str) -> None:
        self._hand = make_hand(json.loads(terms))

    def __call__(self, row: dict[str, str]) -> dict[str, str]:
        """Add what came of it to the row."""
        target = json.loads(row["unit"])["target"]
        from hicom_agent.archive.work import one_line

        event: dict[str, Any]
        try:
            with _counted(self._hand.shards, "watch", target):
                event = {"settled": asdict(self._hand.settle(target))}
        except Exception as error:  # noqa: BLE001 a fault of ours in one video must not end the work on others
            event = {"lost": one_line(error)}
        return row | {"events": json.dumps([event])}


class Answering:
    """An actor that answers what is asked of a video in a shard."""

    def __init__(self, terms: str) -> None:
        self._hand = make_hand(json.loads(terms))

    def __call__(self, row: dict[str, str]) -> dict[str, str]:
        """Add the answers to the row."""
        from hicom_agent.archive.work import Settled, one_line, unit_of

        events, unit = json.loads(row["events"]), unit_of(json.loads(row["unit"]))
        if "settled" in events[0]:
            settled = Settled(**events[0]["settled"])
            try:
                with _counted(self._hand.shards, "answer", unit.target):
                    events += self._hand.answer(settled, unit.asks)
            except Exception as error:  # noqa: BLE001 as above
                events.append({"lost": one_line(error)})
        return row | {"events": json.dumps(events)}


@contextmanager
def _counted(shards: Path, stage: str, target: str) -> Iterator[None]:
    """Do something for the video `target`; raises AnswerError where it was tried too often and never came to an end."""
    shards.mkdir(parents=True, exist_ok=True)
    tries = shards / f"{shard_name(target)}-{stage}.tries"
    with tries.open("ab") as file:
        file.write(b".")
        num = file.tell()
    if num > TRIES:
        raise AnswerError(f"its actor died {TRIES} times (out of memory?); see Ray's log")
    try:
        yield
    finally:
        tries.unlink(missing_ok=True)
