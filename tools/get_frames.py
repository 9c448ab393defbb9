"""Get pictures out of a video."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hicom_agent.errors import InputError
from hicom_agent.tools.definition import VIDEO, Arguments, Result, Tool
from hicom_agent.tools.heat import Painter
from hicom_agent.tools.same_file import changed, check_same
from hicom_agent.types import parse_time, timecode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hicom_agent.memory import Store
    from hicom_agent.tools.workspace import Workspace
    from hicom_agent.types import StoredFrame

FULL_SIDE_PX = 4096
MAX_BYTES = 440_000  # of all JPEGs that an agent gets at once: below 600 kB in base64


def get_frames(
    workspace: Workspace, video: str, times: Sequence[str], folder: Path, *, full: bool = False, heat: str | None = None
) -> list[dict[str, Any]]:
    """Write one JPEG per time into `folder` and return for each its time, timecode, frame id and file.

    By default the thumbnail of the sampled frame nearest to that time; with `full` the frame from the video itself.
    With `heat`, a question, it is the sampled frame in both cases, painted where it answers to that; its relevance and
    its heat [h][w] are then returned too.
    `warning` is returned with each if the file that `video` means is another by now.
    Raises InputError for a time that is none or lies outside the video, for an empty question, and where the video
    itself would have to be read and is another by now.
    """
    with workspace.store() as store, store.snapshot() as still:
        painter = Painter(workspace, still, heat)
        video_id = still.find_video(video)
        row = still.video(video_id)
        times_s = [_seconds(text, row.duration_s) for text in times]
        frames = still.frames(video_id)
        indices = [_nearest(frames, time_s) if frames else 0 for time_s in times_s]
        if heat is not None and frames:
            times_s = [frames[i].time_s for i in indices]
        full = full or not frames
        if full:
            shown = _read(workspace, check_same(workspace.settings, still, video_id), times_s)
        else:
            shown = [_stored(still, video_id, frames, i) for i in indices]
        each = [painter.frame(video_id, i, *picture) for i, picture in zip(indices, shown, strict=True)]
        warning = changed(workspace.settings, still, video_id, video)
    folder.mkdir(parents=True, exist_ok=True)
    for frame in each:
        kind = f"{'-full' if full else ''}{'-heat' if 'heat' in frame else ''}"
        file = folder / f"{video_id}-{frame['time_s']:09.3f}{kind}.jpg"
        file.write_bytes(frame.pop("jpeg"))
        frame.update({"file": str(file)} | ({"warning": warning} if warning else {}))
    return each


def _read(workspace: Workspace, path: str, times_s: list[float]) -> list[tuple[float, str, bytes]]:
    from hicom_agent.scenes import thumbnail

    pictures = workspace.read_frames(path, times_s, FULL_SIDE_PX)
    return [(frame.time_s, "", thumbnail(frame, FULL_SIDE_PX, quality=92)) for frame in pictures]


def _stored(store: Store, video_id: str, frames: Sequence[StoredFrame], index: int) -> tuple[float, str, bytes]:
    frame_id = f"{video_id}:{frames[index].shown_by}"
    return frames[index].time_s, frame_id, store.thumbnail(frame_id)


def _seconds(text: str, duration_s: float) -> float:
    try:
        time_s = parse_time(text)
    except ValueError as error:
        raise InputError(str(error)) from error
    if time_s > duration_s:
        raise InputError(f"time {text} is past the end of the video ({timecode(duration_s)})")
    return time_s


class FramesArguments(Arguments):
    """Which frames: by id, or by video and times."""

    frame_ids: list[str] = Field([], max_length=4, description="frame_id of citations or moments, four at most")
    video: str = Field("", max_length=1024, description=f"with times: {VIDEO}")
    times: list[str | float] = Field([], max_length=4, description="seconds or HH:MM:SS, four at most")
    max_side: int = Field(768, ge=64, le=768, description="longest side in pixels")
    heat: str = Field(
        "",
        max_length=2000,
        description="a question: paints where a picture answers to it, violet a little, yellow much",
    )


class Frames(Result):
    """Pictures, as a surface passes them on."""

    frames: list[dict[str, Any]] = Field(
        description="time_s, timecode, frame_id, JPEG in base64, warning; with heat, relevance"
    )


def run(workspace: Workspace, arguments: FramesArguments, max_seconds: float) -> dict[str, Any]:
    """Return stored pictures for an agent, small enough for any client; raises InputError."""
    from hicom_agent.draw import shrink

    if bool(arguments.frame_ids) == bool(arguments.video and arguments.times):
        raise InputError("give either frame_ids, or a video and times; ask_video and search_videos tell frame_ids")
    with workspace.store() as store, store.snapshot() as still:
        painter = Painter(workspace, still, arguments.heat or None)
        if arguments.frame_ids:
            wanted, warning = [_known_frame(still, frame_id) for frame_id in arguments.frame_ids], ""
        else:
            video_id = still.find_video(arguments.video)
            row = still.video(video_id)
            frames = still.frames(video_id)
            warning = changed(workspace.settings, still, video_id, arguments.video)
            if not frames:
                raise InputError(f"{row.title} has no pictures, only sound")
            times_s = [_seconds(str(text), row.duration_s) for text in arguments.times]
            wanted = [(video_id, frames, _nearest(frames, time_s)) for time_s in times_s]
        each = [painter.frame(video_id, i, *_stored(still, video_id, frames, i)) for video_id, frames, i in wanted]
    for frame in each:
        frame["jpeg"] = b64encode(shrink(frame["jpeg"], arguments.max_side, MAX_BYTES // len(each))).decode()
        frame.update({"warning": warning} if warning else {})
        frame.pop("heat", None)  # numbers that a model would have to read, and the picture shows
    return {"frames": each}


def caption(frame: dict[str, Any]) -> str:
    """Return the line that stands with a picture of `Frames`."""
    told = f"; answers to the question by {frame['relevance']:.2f} of 1" if "relevance" in frame else ""
    warned = f"; {frame['warning']}" if "warning" in frame else ""
    return f"frame {frame['frame_id']} at {frame['timecode']} ({frame['time_s']:.3f} s){told}{warned}"


def _known_frame(store: Store, frame_id: str) -> tuple[str, list[StoredFrame], int]:
    video_id, _, index = frame_id.rpartition(":")
    if not index.isdecimal() or video_id not in {row.video_id for row in store.videos()}:
        raise InputError(f"no frame {frame_id[:60]!r}; ask_video and search_videos tell frame_ids")
    frames = store.frames(video_id)
    if int(index) >= len(frames):
        raise InputError(f"no frame {frame_id[:60]!r}; {video_id} has {len(frames)}")
    return video_id, frames, int(index)


def _nearest(frames: Sequence[StoredFrame], time_s: float) -> int:
    return min(range(len(frames)), key=lambda i: abs(frames[i].time_s - time_s))


GET_FRAMES = Tool(
    name="get_frames",
    title="Get frames",
    description=(
        "Show pictures of a video at given moments, as images with their times. "
        "Use it to look for yourself: with the frame_id of a citation or a search hit, or with a video and times; "
        "with heat to see which place in them answers to a question."
    ),
    arguments=FramesArguments,
    result=Frames,
    run=run,
    shows_pictures=True,
)
