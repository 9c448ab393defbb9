"""Get pictures out of a video."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hicom_agent.errors import InputError
from hicom_agent.tools.definition import VIDEO, Arguments, Result, Tool
from hicom_agent.types import parse_time, timecode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hicom_agent.memory import Store
    from hicom_agent.tools.workspace import Workspace
    from hicom_agent.types import StoredFrame

FULL_SIDE_PX = 4096
MAX_BYTES = 440_000  # of all JPEGs that an agent gets at once: below 600 kB in base64


def get_frames(
    workspace: Workspace, video: str, times: Sequence[str], folder: Path, *, full: bool = False
) -> list[dict[str, Any]]:
    """Write one JPEG per time into `folder` and return for each its time, timecode, frame id and file.

    By default the thumbnail of the sampled frame nearest to that time; with `full` the frame from the video itself.
    Raises InputError for a time that is none or lies outside the video.
    """
    from hicom_agent.scenes import thumbnail

    with workspace.store() as store:
        video_id = store.find_video(video)
        row = store.video(video_id)
        times_s = [_seconds(text, row.duration_s) for text in times]
        frames = store.frames(video_id)
        folder.mkdir(parents=True, exist_ok=True)
        if full or not frames:
            pictures = workspace.read_frames(row.path, times_s, FULL_SIDE_PX)
            shown = [(frame.time_s, "", thumbnail(frame, FULL_SIDE_PX, quality=92)) for frame in pictures]
        else:
            shown = []
            for time_s in times_s:
                index = _nearest(frames, time_s)
                frame_id = f"{video_id}:{frames[index].shown_by}"
                shown.append((frames[index].time_s, frame_id, store.thumbnail(frame_id)))
    return [_write(folder, video_id, *each) for each in shown]


def _seconds(text: str, duration_s: float) -> float:
    try:
        time_s = parse_time(text)
    except ValueError as error:
        raise InputError(str(error)) from error
    if time_s > duration_s:
        raise InputError(f"time {text} is past the end of the video ({timecode(duration_s)})")
    return time_s


def _write(folder: Path, video_id: str, time_s: float, frame_id: str, picture: bytes) -> dict[str, Any]:
    file = folder / f"{video_id}-{time_s:09.3f}.jpg"
    file.write_bytes(picture)
    return {"time_s": time_s, "timecode": timecode(time_s), "frame_id": frame_id, "file": str(file)}


class FramesArguments(Arguments):
    """Which frames: by id, or by video and times."""

    frame_ids: list[str] = Field([], max_length=4, description="frame_id of citations or moments, four at most")
    video: str = Field("", max_length=1024, description=f"with times: {VIDEO}")
    times: list[str | float] = Field([], max_length=4, description="seconds or HH:MM:SS, four at most")
    max_side: int = Field(768, ge=64, le=768, description="longest side in pixels")


class Frames(Result):
    """Pictures, as a surface passes them on."""

    frames: list[dict[str, Any]] = Field(description="time_s, timecode, frame_id and JPEG in base64 of each")


def run(workspace: Workspace, arguments: FramesArguments, max_seconds: float) -> dict[str, Any]:
    """Return stored pictures for an agent, small enough for any client; raises InputError."""
    if bool(arguments.frame_ids) == bool(arguments.video and arguments.times):
        raise InputError("give either frame_ids, or a video and times; ask_video and search_videos tell frame_ids")
    with workspace.store() as store:
        if arguments.frame_ids:
            wanted = [_known_frame(store, frame_id) for frame_id in arguments.frame_ids]
        else:
            video_id = store.find_video(arguments.video)
            row = store.video(video_id)
            frames = store.frames(video_id)
            if not frames:
                raise InputError(f"{row.title} has no pictures, only sound")
            times_s = [_seconds(str(text), row.duration_s) for text in arguments.times]
            wanted = [(video_id, frames, _nearest(frames, time_s)) for time_s in times_s]
        shown = [
            (frames[i].time_s, f"{video_id}:{frames[i].shown_by}", store.thumbnail(f"{video_id}:{frames[i].shown_by}"))
            for video_id, frames, i in wanted
        ]
    pictures = [_shrink(picture, arguments.max_side, MAX_BYTES // len(shown)) for _, _, picture in shown]
    return {
        "frames": [
            {"time_s": time_s, "timecode": timecode(time_s), "frame_id": frame_id, "jpeg": b64encode(data).decode()}
            for (time_s, frame_id, _), data in zip(shown, pictures, strict=True)
        ]
    }


def caption(frame: dict[str, Any]) -> str:
    """Return the line that stands with a picture of `Frames`."""
    return f"frame {frame['frame_id']} at {frame['timecode']} ({frame['time_s']:.3f} s)"


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


def _shrink(picture: bytes, max_side: int, max_bytes: int) -> bytes:
    """Return a JPEG of at most this size; one that is small enough stays as it is."""
    import cv2
    import numpy as np

    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None, "the store checks thumbnails against their checksums"
    if max(image.shape[:2]) <= max_side and len(picture) <= max_bytes:
        return picture
    side = min(max_side, max(image.shape[:2]))
    while True:
        scale = side / max(image.shape[:2])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        data = bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())
        if len(data) <= max_bytes or side <= 64:
            return data
        side = side * 3 // 4


GET_FRAMES = Tool(
    name="get_frames",
    title="Get frames",
    description=(
        "Show pictures of a video at given moments, as images with their times. "
        "Use it to look for yourself: with the frame_id of a citation or a search hit, or with a video and times."
    ),
    arguments=FramesArguments,
    result=Frames,
    run=run,
    shows_pictures=True,
)
