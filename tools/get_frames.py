"""Get pictures out of a video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicom_agent.errors import InputError
from hicom_agent.types import parse_time, timecode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hicom_agent.tools.workspace import Workspace

FULL_SIDE_PX = 4096


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
        row = next(row for row in store.videos() if row.video_id == video_id)
        times_s = [_seconds(text, row.duration_s) for text in times]
        frames = store.frames(video_id)
        folder.mkdir(parents=True, exist_ok=True)
        if full or not frames:
            pictures = workspace.read_frames(row.path, times_s, FULL_SIDE_PX)
            shown = [(frame.time_s, "", thumbnail(frame, FULL_SIDE_PX, quality=92)) for frame in pictures]
        else:
            shown = []
            for time_s in times_s:
                index = min(range(len(frames)), key=lambda i: abs(frames[i].time_s - time_s))  # noqa: B023
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
