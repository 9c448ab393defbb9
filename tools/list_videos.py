"""List what is remembered."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hicom_agent.tools.workspace import Workspace


def list_videos(workspace: Workspace) -> list[dict[str, Any]]:
    """Return one row per remembered video, newest last."""
    with workspace.store() as store:
        return [asdict(row) for row in store.videos()]
