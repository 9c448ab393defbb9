"""Forget a video."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hicom_agent.tools.workspace import Workspace


def forget_video(workspace: Workspace, video: str) -> str:
    """Delete the memory of `video` and return its id; the file itself is not touched."""
    with workspace.store(write=True) as store:
        video_id = store.find_video(video)
        store.forget(video_id)
    return video_id
