"""Merge stores, count what is in one, and carry videos from one to another in a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicom_agent.errors import InputError

if TYPE_CHECKING:
    from hicom_agent.memory import Store, Taken
    from hicom_agent.tools.workspace import Workspace
    from hicom_agent.types import Progress

Show = Callable[["Progress"], None]


def merge_stores(workspace: Workspace, sources: Sequence[Path], on_progress: Show) -> dict[str, Any]:
    """Take every video of other stores into the one of `workspace`; return what became of each."""
    from hicom_agent.memory import check_sources, merge

    check_sources(sources)  # before a store is made for nothing
    with workspace.store(write=True) as store:
        return _report(store, merge(store, sources, on_progress))


def store_stats(workspace: Workspace) -> dict[str, Any]:
    """Return what the store holds and what it takes on the disk."""
    from hicom_agent.memory import stats

    with workspace.store() as store:
        return {"store": str(workspace.settings.store), **asdict(stats(store))}


def export_videos(
    workspace: Workspace, videos: Sequence[str], everything: bool, to: Path, on_progress: Show
) -> dict[str, Any]:
    """Write the memory of some videos, or of everything, into the new file `to`; return their ids and its size."""
    from hicom_agent.memory import export

    if everything == bool(videos):
        raise InputError("name the videos to export, or give --all, and not both")
    with workspace.store() as store:
        wanted = None if everything else sorted({store.find_video(video) for video in videos})
    video_ids = export(workspace.settings.store, wanted, to, on_progress)
    return {"file": str(to), "bytes": to.stat().st_size, "videos": video_ids}


def import_videos(workspace: Workspace, file: Path, max_bytes: int, on_progress: Show) -> dict[str, Any]:
    """Take the videos of such a file into the store; return what became of each."""
    from hicom_agent.memory import import_archive

    if not file.is_file():
        raise InputError(f"{file} is no file")
    with workspace.store(write=True) as store:
        return _report(store, import_archive(store, file, max_bytes, on_progress))


def _report(store: Store, taken: Sequence[Taken]) -> dict[str, Any]:
    """Return what became of each video, with titles, and the profiles that the store has now."""
    from hicom_agent.memory import stats

    titles = {row.video_id: row.title for row in store.videos()}
    return {
        "store": str(store.root),
        "videos": [{"title": titles.get(one.video_id, ""), **asdict(one)} for one in taken],
        "refused": sum(one.state == "refused" for one in taken),
        "profiles": stats(store).profiles,
    }
