"""Find moments in everything that is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hicom_agent.tools.ask_video import check_question

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hicom_agent.tools.workspace import Workspace
    from hicom_agent.types import Hit


def search_videos(workspace: Workspace, query: str, videos: Sequence[str] = (), limit: int = 10) -> list[Hit]:
    """Return the moments that answer best to `query`, best first, from all videos or the named ones."""
    query = check_question(query, workspace.settings.max_question_chars, "query")
    with workspace.store() as store:
        chosen = [store.find_video(name) for name in videos] or [row.video_id for row in store.videos()]
        return workspace.agent(store).search(query, chosen, limit) if chosen else []
