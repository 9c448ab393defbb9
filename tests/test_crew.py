from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from hicom_agent.crew import Crew, OutOfTime
from hicom_agent.errors import AnswerError, InputError, UnknownVideo

WORKER = """
import json, os, sys, time
for line in sys.stdin:
    request = json.loads(line)
    if request["tool"] == "warm_up":
        print(json.dumps({"progress": "loading"}), flush=True)
        time.sleep(float(sys.argv[1]))
        print(json.dumps({"progress": "loaded"}), flush=True)
        print(json.dumps({"result": {}}), flush=True)
        continue
    what = request["arguments"].get("do", "")
    if what == "sleep":
        print(json.dumps({"progress": "sleeping"}), flush=True)
        time.sleep(request["arguments"]["s"])
    if what == "die":
        os._exit(1)
    if what == "fail":
        print(json.dumps({"error": "no such video", "kind": "UnknownVideo"}), flush=True)
        continue
    print(json.dumps({"result": {"pid": os.getpid(), "left": request["max_seconds"]}}), flush=True)
"""


async def quiet(message: str) -> None:
    return None


def run(test: Callable[[Crew], Awaitable[Any]], size: int = 2, max_waiting: int = 16, loads_s: float = 0) -> None:
    async def main() -> None:
        crew = Crew([sys.executable, "-c", WORKER, str(loads_s)], size, max_waiting)
        try:
            await test(crew)
        finally:
            await crew.close()

    anyio.run(main)


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_a_worker_serves_call_after_call_and_tells_progress() -> None:
    async def test(crew: Crew) -> None:
        told: list[str] = []

        async def tell(message: str) -> None:
            told.append(message)

        first = await crew.call("x", {"do": "sleep", "s": 0.1}, 10, tell)
        second = await crew.call("x", {}, 10, tell)
        assert (
            first["pid"] == second["pid"]
            and told == ["warming up", "loading", "loaded", "sleeping"]
            and 9 < second["left"] <= 10
        )

    run(test)


def test_a_call_that_runs_away_is_ended_with_its_worker() -> None:
    async def test(crew: Crew) -> None:
        pid = (await crew.call("x", {}, 10, quiet))["pid"]
        began_s = time.monotonic()
        with pytest.raises(OutOfTime, match="did not end"):
            await crew.call("x", {"do": "sleep", "s": 60}, 0.5, quiet)
        assert time.monotonic() - began_s < 30 and not alive(pid)
        assert (await crew.call("x", {}, 10, quiet))["pid"] != pid

    run(test)


def test_a_cancelled_call_stops_its_work_long_before_it_is_done() -> None:
    async def test(crew: Crew) -> None:
        pid = (await crew.call("x", {}, 10, quiet))["pid"]
        with anyio.move_on_after(0.3):
            await crew.call("x", {"do": "sleep", "s": 60}, 60, quiet)
        began_s = time.monotonic()
        while alive(pid):
            assert time.monotonic() - began_s < 30
            await anyio.sleep(0.01)

    run(test)


def test_two_calls_run_side_by_side_and_more_wait_their_turn_or_are_refused() -> None:
    async def test(crew: Crew) -> None:
        pids: list[int] = []

        async def ask() -> None:
            pids.append((await crew.call("x", {"do": "sleep", "s": 1}, 20, quiet))["pid"])

        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(ask)
            await anyio.sleep(0.3)
            with pytest.raises(InputError, match="waiting already"):
                await crew.call("x", {}, 10, quiet)
        assert len(pids) == 4 and len(set(pids)) == 2

    run(test, size=2, max_waiting=2)


def test_a_call_that_gets_no_turn_in_its_time_says_so() -> None:
    async def test(crew: Crew) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(crew.call, "x", {"do": "sleep", "s": 1}, 20, quiet)
            await anyio.sleep(0.3)
            with pytest.raises(OutOfTime, match="no worker was free"):
                await crew.call("x", {}, 0.2, quiet)

    run(test, size=1)


def test_faults_of_a_worker_are_told_by_their_kind() -> None:
    async def test(crew: Crew) -> None:
        with pytest.raises(UnknownVideo, match="no such video"):
            await crew.call("x", {"do": "fail"}, 10, quiet)
        with pytest.raises(AnswerError, match="worker ended"):
            await crew.call("x", {"do": "die"}, 10, quiet)
        assert await crew.call("x", {}, 10, quiet)

    run(test)


def test_a_call_too_short_for_loading_leaves_a_worker_that_goes_on_loading() -> None:
    async def test(crew: Crew) -> None:
        await crew.start()
        with pytest.raises(OutOfTime):
            await crew.call("x", {}, 0.3, quiet)
        (worker,) = crew._idle
        assert (await crew.call("x", {}, 20, quiet))["pid"] == worker.process.pid

    run(test, loads_s=1.5)
