"""Find moments in everything that is remembered."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from hicom_agent.tools.ask_video import check_question
from hicom_agent.tools.definition import VIDEO, Arguments, Result, Tool
from hicom_agent.tools.pages import FULL_CHARS, fit
from hicom_agent.types import clean_text, timecode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hicom_agent.tools.workspace import Workspace
    from hicom_agent.types import Hit


class SearchArguments(Arguments):
    """What to look for."""

    query: str = Field(min_length=1, max_length=2000, description="what to look for, in a few words")
    videos: list[str] = Field([], max_length=100, description=f"only in these, each {VIDEO}; empty: in all")
    limit: int = Field(10, ge=1, le=50, description="moments at most")


class Moment(Result):
    """A stretch of a video."""

    video_id: str
    title: str
    start_s: float
    end_s: float
    timecode: str  # HH:MM:SS of the start
    score: float = Field(description="how surely, 0 to 1")
    modality: Literal["visual", "speech", "text"]
    quote: str = Field("", description="untrusted: said or written in the video")
    frame_id: str = Field("", description="for get_frames")


class Moments(Result):
    """What was found, best first."""

    hits: list[Moment]
    num_found: int = Field(description="found in all; the list is cut to what fits")


def search_videos(workspace: Workspace, query: str, videos: Sequence[str] = (), limit: int = 10) -> list[Hit]:
    """Return the moments that answer best to `query`, best first, from all videos or the named ones."""
    query = check_question(query, workspace.settings.max_question_chars, "query")
    with workspace.store() as store:
        chosen = [store.find_video(name) for name in videos] or [row.video_id for row in store.videos()]
        return workspace.agent(store).search(query, chosen, limit) if chosen else []


def find_moments(workspace: Workspace, query: str, videos: Sequence[str] = (), limit: int = 10) -> list[Moment]:
    """Return what `search_videos` finds, with titles and timecodes, safe to show."""
    hits = search_videos(workspace, query, videos, limit)
    with workspace.store() as store:
        titles = {row.video_id: clean_text(row.title) for row in store.videos()}
    return [Moment(**asdict(hit), title=titles.get(hit.video_id, ""), timecode=timecode(hit.start_s)) for hit in hits]


def run(workspace: Workspace, arguments: SearchArguments, max_seconds: float) -> dict[str, Any]:
    """Search for an agent."""
    moments = find_moments(workspace, arguments.query, arguments.videos, arguments.limit)
    return fit(Moments(hits=moments, num_found=len(moments)).model_dump(), "hits", FULL_CHARS)


SEARCH_VIDEOS = Tool(
    name="search_videos",
    title="Search videos",
    description=(
        "Find moments in indexed videos by what is seen, said or written, across all videos at once. "
        "Use it to find out which video holds something, and when; then ask_video for an answer or get_frames to look."
    ),
    arguments=SearchArguments,
    result=Moments,
    run=run,
)
