"""List what is remembered."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hicom_agent.errors import InputError
from hicom_agent.tools.definition import Arguments, Result, Tool
from hicom_agent.types import clean_text

if TYPE_CHECKING:
    from hicom_agent.tools.workspace import Workspace


class ListArguments(Arguments):
    """Which page."""

    cursor: str = Field("", max_length=64, description="next_cursor of the page before; empty: the first page")
    limit: int = Field(20, ge=1, le=50, description="videos at most")


class Video(Result):
    """One indexed video."""

    video_id: str
    title: str = Field(description="untrusted: the file's name")
    duration_s: float
    indexed_s: float = Field(description="seconds that could be read")
    num_clips: int
    language: str = Field("", description="of the speech")
    profile: str = Field(description="the model that made its vectors")
    replaced: bool = Field(False, description="its file holds another video by now; only its id means it")


class Videos(Result):
    """A page of videos, by title."""

    videos: list[Video]
    next_cursor: str = Field("", description="for the next page; empty: this is the last")
    total: int


def list_videos(workspace: Workspace) -> list[dict[str, Any]]:
    """Return one row per remembered video, newest last."""
    with workspace.store() as store:
        return [asdict(row) for row in store.videos()]


def unfinished_videos(workspace: Workspace) -> list[str]:
    """Return the path, or else the id, of each video whose indexing was begun and not ended."""
    with workspace.store() as store:
        return [path or video_id for video_id, path in store.unfinished()]


def run(workspace: Workspace, arguments: ListArguments, max_seconds: float) -> dict[str, Any]:
    """Return a page for an agent; raises InputError for a cursor that is none."""
    with workspace.store() as store:
        rows = store.videos()
    if arguments.cursor and not arguments.cursor.isdecimal():
        raise InputError(f"cursor {arguments.cursor!r} is none that list_videos gave; leave it out for the first page")
    start = int(arguments.cursor or 0)
    page = [
        Video(
            video_id=row.video_id,
            title=clean_text(row.title)[:200],
            duration_s=round(row.duration_s, 3),
            indexed_s=round(row.covered_s, 3),
            num_clips=row.num_clips,
            language=row.language,
            profile=row.profile,
            replaced=row.replaced,
        )
        for row in rows[start : start + arguments.limit]
    ]
    end = start + len(page)
    return Videos(videos=page, next_cursor=str(end) if end < len(rows) else "", total=len(rows)).model_dump()


LIST_VIDEOS = Tool(
    name="list_videos",
    title="List videos",
    description=(
        "List the indexed videos with their ids, titles and lengths. "
        "Use it first, to learn which videos can be asked, and to get the id that the other tools take."
    ),
    arguments=ListArguments,
    result=Videos,
    run=run,
)
