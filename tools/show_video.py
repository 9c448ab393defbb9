"""Show what is remembered of one video."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hicom_agent.tools.workspace import Workspace


def show_video(workspace: Workspace, video: str) -> dict[str, Any]:
    """Return the video's row, its clips with what is seen in them, transcript, texts and damage."""
    with workspace.store() as store:
        video_id = store.find_video(video)
        row = store.video(video_id)
        seen = workspace.agent(store).describe_clips(video_id)
        return {
            "video": asdict(row),
            "clips": [{**asdict(clip), "seen": words} for clip, words in seen],
            "speech": [asdict(said) for said in store.speech(video_id)],
            "texts": [asdict(text) for text in store.texts(video_id)],
            "damage": [asdict(damage) for damage in store.damage(video_id)],
        }
