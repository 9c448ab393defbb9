"""Find moments in everything that is remembered."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from hicom_agent.tools.ask_video import check_question
from hicom_agent.tools.definition import VIDEO, Arguments, Result, Tool
from hicom_agent.tools.filters import choose_videos, read_filter
from hicom_agent.tools.pages import FULL_CHARS, fit
from hicom_agent.tools.same_file import changed_files
from hicom_agent.types import clean_text, timecode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hicom_agent.memory import VideoFilter
    from hicom_agent.tools.workspace import Workspace
    from hicom_agent.types import Hit


class SearchArguments(Arguments):
    """What to look for."""

    query: str = Field(min_length=1, max_length=2000, description="what to look for, in a few words")
    videos: list[str] = Field([], max_length=100, description=f"only in these, each {VIDEO}; empty: in all")
    limit: int = Field(10, ge=1, le=50, description="moments at most")
    per_video: int | None = Field(None, ge=1, le=50, description="moments of one video at most; 3 if there are several")
    folder: str = Field("", max_length=1024, description="only videos whose file lies below it")
    language: str = Field("", max_length=16, description="only videos in which it is spoken, such as en")
    min_duration: str = Field("", max_length=16, description="only videos of this length or more: seconds or HH:MM:SS")
    max_duration: str = Field("", max_length=16, description="only videos of this length or less")
    indexed_after: str = Field("", max_length=32, description="only videos indexed on this day or later: 2026-01-31")
    indexed_before: str = Field("", max_length=32, description="only videos indexed before this day")

    @property
    def which(self) -> VideoFilter | None:
        """Return which videos are meant, None for all; raises InputError."""
        duration = (self.min_duration, self.max_duration)
        return read_filter(self.folder, self.indexed_after, self.indexed_before, duration, self.language)


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
    warning: str = Field("", description="a file among `videos` holds another film by now")


def search_videos(
    workspace: Workspace,
    query: str,
    videos: Sequence[str] = (),
    limit: int = 10,
    *,
    which: VideoFilter | None = None,
    per_video: int | None = None,
) -> list[Hit]:
    """Return the moments that answer best to `query`, best first, from all videos or the named ones.

    Of many videos the likeliest are searched. Raises InputError where no video passes the filter.
    """
    query = check_question(query, workspace.settings.max_question_chars, "query")
    with workspace.store() as store, store.snapshot() as still:
        chosen = choose_videos(still, videos, which)
        if not (still.video_ids() if chosen is None else chosen):
            return []
        return workspace.agent(still).search(query, chosen, limit, per_video)


def find_moments(
    workspace: Workspace, query: str, videos: Sequence[str] = (), limit: int = 10, **how: Any
) -> list[Moment]:
    """Return what `search_videos` finds, with titles and timecodes, safe to show."""
    hits = search_videos(workspace, query, videos, limit, **how)
    with workspace.store() as store, store.snapshot() as still:
        ids = [video_id for video_id in {hit.video_id for hit in hits} if video_id in set(still.video_ids())]
        titles = {video_id: clean_text(still.video(video_id).title) for video_id in ids}
    return [Moment(**asdict(hit), title=titles.get(hit.video_id, ""), timecode=timecode(hit.start_s)) for hit in hits]


def run(workspace: Workspace, arguments: SearchArguments, max_seconds: float) -> dict[str, Any]:
    """Search for an agent."""
    how = {"which": arguments.which, "per_video": arguments.per_video}
    moments = find_moments(workspace, arguments.query, arguments.videos, arguments.limit, **how)
    warning = "; ".join(changed_files(workspace, arguments.videos).values())[: FULL_CHARS // 4]
    return fit(Moments(hits=moments, num_found=len(moments), warning=warning).model_dump(), "hits", FULL_CHARS)


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
