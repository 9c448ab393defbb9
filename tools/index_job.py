"""Indexing as a job: put a video in the queue, see how far it is, stop it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import Field

from hicom_agent.errors import VideoRefused
from hicom_agent.tools.definition import Arguments, Result, Tool
from hicom_agent.video.gate import check_name, lies_under

if TYPE_CHECKING:
    from hicom_agent.jobs import Job, Jobs

POLL_S = 5.0


class Desk(Protocol):
    """Where jobs are kept, for one caller."""

    jobs: Jobs
    owner: str
    roots: tuple[Path, ...]  # folders that videos may come from; none: anywhere

    def probe(self, path: Path) -> object:
        """Look into a file; raises VideoRefused or VideoUnreadable for what is no video."""


class IndexArguments(Arguments):
    """What to index."""

    path: str = Field(
        min_length=1,
        max_length=1024,
        description="of a video file on the server's machine, in full or below its folder of videos",
    )


class JobArguments(Arguments):
    """Which job."""

    job_id: str = Field(min_length=1, max_length=64, description="as index_video or ask_video gave it")


class JobResult(Result):
    """How far a video is."""

    job_id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    stage: str = Field("", description="hashing, watching, listening, remembering")
    percent: float = Field(0.0, ge=0, le=100, description="of the stage")
    left_s: float | None = Field(None, description="seconds that watching still takes at its rate so far")
    video_id: str = Field("", description="of a done job: for ask_video")
    error: str = Field("", description="why it failed, and what to do")
    next: str = Field(description="what to call next, and when")


def index_path(desk: Desk, arguments: IndexArguments, max_seconds: float) -> dict[str, Any]:
    """Put a video in the queue; raises InputError if it is full, for a path that may not be opened and no video."""
    check_name(arguments.path)
    path = find_file(arguments.path, desk.roots)
    if not lies_under(path, [root.resolve() for root in desk.roots]):  # before a word on whether it exists
        raise VideoRefused(
            f"{arguments.path[:200]} is not in a folder that this server may read; list_videos tells what is"
        )
    if not path.is_file():
        raise VideoRefused(f"{arguments.path[:200]} is no file; give the path of a video")
    desk.probe(path)
    return describe(desk.jobs.submit(str(path), desk.owner))


def find_file(text: str, roots: Sequence[Path]) -> Path:
    """Return the path that is meant, links followed: the one in the first root that holds such a file, if one does."""
    path = os.path.expanduser(text)  # noqa: PTH111  # an unknown user is no fault
    for root in roots:
        place = Path(os.path.realpath(root))
        found = Path(os.path.realpath(place / path))
        if lies_under(found, [place]) and os.path.isfile(found):  # noqa: PTH113  # a name too long is no fault
            return found
    return Path(os.path.realpath(path))


def job_status(desk: Desk, arguments: JobArguments, max_seconds: float) -> dict[str, Any]:
    """Tell how far a job is; raises InputError for an unknown one."""
    return describe(desk.jobs.status(arguments.job_id, desk.owner))


def cancel_job(desk: Desk, arguments: JobArguments, max_seconds: float) -> dict[str, Any]:
    """Stop a job; raises InputError for an unknown one."""
    return describe(desk.jobs.cancel(arguments.job_id, desk.owner))


def describe(job: Job) -> dict[str, Any]:
    """Return a job as an agent sees it."""
    return JobResult(
        job_id=job.job_id,
        state=job.state,
        stage=job.stage,
        percent=job.percent,
        left_s=job.left_s,
        video_id=json.loads(job.result)["video_id"] if job.state == "done" and job.result else "",
        error=job.error[:400],
        next=_NEXT[job.state],
    ).model_dump()


_NEXT = {
    "queued": f"job_status in {POLL_S:g} s",
    "running": f"job_status in {POLL_S:g} s",
    "done": "ask_video with the video_id",
    "failed": "index_video again, if the error can be mended",
    "cancelled": "index_video goes on where it was stopped",
}

INDEX_VIDEO = Tool(
    name="index_video",
    title="Index a video",
    description=(
        "Watch a video file once and remember it, so that it can be asked and searched; returns a job_id at once. "
        "Use it for a new file, then poll job_status until it is done. The same content again is done at once."
    ),
    arguments=IndexArguments,
    result=JobResult,
    run=index_path,
    read_only=False,
    in_worker=False,
)
JOB_STATUS = Tool(
    name="job_status",
    title="Status of a job",
    description="Tell how far the indexing of a video is: state, percent, time left. Use it after index_video.",
    arguments=JobArguments,
    result=JobResult,
    run=job_status,
    in_worker=False,
)
CANCEL_JOB = Tool(
    name="cancel_job",
    title="Cancel a job",
    description="Stop the indexing of a video. What was watched is kept: index_video goes on from there.",
    arguments=JobArguments,
    result=JobResult,
    run=cancel_job,
    read_only=False,
    in_worker=False,
)
