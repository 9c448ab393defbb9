from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hicom_agent.errors import InputError, StoreError
from hicom_agent.jobs import MAX_PER_OWNER, Job, Jobs

ME, OTHER = "me", "other"
WORK = """
import json, os, sys, threading, time
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(9)), daemon=True).start()
open(sys.argv[2], "a").write(f"{os.getpid()} ")
for i in range(int(sys.argv[1])):
    print(json.dumps({"stage": "watching", "done": i, "total": 100}), file=sys.stderr, flush=True)
    time.sleep(0.05)
if int(sys.argv[1]) == 3:
    print("not this one; mend it", file=sys.stderr)
    sys.exit(2)
print(json.dumps({"video_id": "v" * 16}))
"""


@pytest.fixture
def command(tmp_path: Path) -> Callable[[str], list[str]]:
    """Return a job that takes as many steps as its path says, fails if they are three, and writes down its process."""
    return lambda path: [sys.executable, "-c", WORK, path, str(tmp_path / "pids")]


@pytest.fixture
def jobs(tmp_path: Path, command: Callable[[str], list[str]]) -> Iterator[Jobs]:
    made = Jobs(tmp_path, command)
    made.start()
    yield made
    made.close()


def wait(jobs: Jobs, job_id: str, until: Callable[[Job], bool], seconds: float = 20) -> Job:
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        if until(job := jobs.status(job_id, ME)):
            return job
        time.sleep(0.05)
    raise AssertionError(jobs.status(job_id, ME))


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


def test_a_job_tells_how_far_it_is_and_ends_with_its_result(jobs: Jobs) -> None:
    job = jobs.submit("20", ME)
    assert job.state == "queued" and not job.finished
    running = wait(jobs, job.job_id, lambda job: job.done > 2)
    assert (running.state, running.stage, running.total) == ("running", "watching", 100)
    assert running.percent == running.done and running.left_s is not None and running.left_s > 0
    done = wait(jobs, job.job_id, lambda job: job.finished)
    assert done.state == "done" and done.percent == 100 and json.loads(done.result)["video_id"] == "v" * 16


def test_a_failed_job_says_why_in_a_line(jobs: Jobs) -> None:
    failed = wait(jobs, jobs.submit("3", ME).job_id, lambda job: job.finished)
    assert failed.state == "failed" and failed.error == "not this one; mend it"


def test_the_same_path_is_the_same_job_until_it_is_finished(jobs: Jobs) -> None:
    first = jobs.submit("4", ME)
    assert jobs.submit("4", ME).job_id == first.job_id != jobs.submit("4", OTHER).job_id
    wait(jobs, first.job_id, lambda job: job.finished)
    assert jobs.submit("4", ME).job_id != first.job_id


def test_a_cancelled_job_is_killed_at_once_and_the_next_begins(jobs: Jobs, tmp_path: Path) -> None:
    long, short = jobs.submit("9999", ME), jobs.submit("1", ME)
    wait(jobs, long.job_id, lambda job: job.done > 1)
    assert jobs.cancel(long.job_id, ME).state == "cancelled"
    pid = int((tmp_path / "pids").read_text().split()[0])
    ends_at = time.monotonic() + 30
    while not gone(pid) and time.monotonic() < ends_at:
        time.sleep(0.02)
    assert gone(pid)
    assert wait(jobs, short.job_id, lambda job: job.finished).state == "done"
    assert jobs.cancel(short.job_id, ME).state == "done", "a finished job stays what it is"


def test_a_job_survives_its_server(tmp_path: Path, command: Callable[[str], list[str]]) -> None:
    first = Jobs(tmp_path, command)
    first.start()
    job = first.submit("60", ME)
    wait(first, job.job_id, lambda job: job.done > 1)
    first.close()
    pid = int((tmp_path / "pids").read_text().split()[0])
    assert gone(pid) and first.status(job.job_id, ME).state == "running", "as a killed server leaves it"
    second = Jobs(tmp_path, command)
    second.start()
    assert wait(second, job.job_id, lambda job: job.finished).state == "done"
    second.close()


def test_only_one_of_two_servers_runs_jobs_and_the_other_takes_over(
    tmp_path: Path, command: Callable[[str], list[str]]
) -> None:
    first, second = Jobs(tmp_path, command), Jobs(tmp_path, command)
    first.start()
    time.sleep(0.5)
    second.start()
    job = second.submit("10", ME)
    assert wait(second, job.job_id, lambda job: job.finished).state == "done"
    assert len((tmp_path / "pids").read_text().split()) == 1
    first.close()
    assert wait(second, second.submit("1", ME).job_id, lambda job: job.finished).state == "done"
    second.close()


def test_another_owners_job_is_as_unknown_as_none(jobs: Jobs) -> None:
    job = jobs.submit("1", ME)
    told = []
    for job_id, owner in ((job.job_id, OTHER), ("x" * len(job.job_id), ME)):
        for ask in (jobs.status, jobs.cancel):
            with pytest.raises(InputError, match="no job") as caught:
                ask(job_id, owner)
            told.append(str(caught.value).replace(job_id, "ID"))
    assert len(set(told)) == 1


def test_one_owner_cannot_fill_the_queue(tmp_path: Path, command: Callable[[str], list[str]]) -> None:
    jobs = Jobs(tmp_path, command)
    for i in range(MAX_PER_OWNER):
        jobs.submit(str(i), ME)
    with pytest.raises(InputError, match="waiting already"):
        jobs.submit("more", ME)
    assert jobs.submit("more", OTHER).state == "queued"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, command: Callable[[str], list[str]]) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot keep jobs"):
        Jobs(tmp_path, command)
