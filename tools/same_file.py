"""Whether a file still is the film that is remembered of it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from hicom_agent.errors import InputError, VideoRefused
from hicom_agent.types import clean_text
from hicom_agent.video.gate import content_hash, lies_under, open_video

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hicom_agent.memory import SeenFile, Store
    from hicom_agent.settings import Settings
    from hicom_agent.tools.workspace import Workspace

MAX_HASHED_BYTES = 4 * 2**30  # of a file that is read through to be sure: more takes longer than a call may


def changed(settings: Settings, store: Store, video_id: str, name: str) -> str:
    """Return a line if the file that `name` means does not hold what is remembered of a video, "" if it does.

    That is the file of this path, else the one that the video was seen in last; an id means no file.
    """
    seen = store.seen_files(video_id)
    path = os.path.realpath(name) if "\0" not in name and os.path.isfile(name) else seen[-1].path  # noqa: PTH113
    if name == video_id or _holds(settings, seen, path):
        return ""
    return (
        f"{clean_text(path)} is not what is remembered as {video_id}: it changed, or is another film; this is "
        f"about the remembered one; to go by the file, run: hicom-agent index {clean_text(shlex.quote(path))}"
    )


def changed_files(workspace: Workspace, names: Sequence[str]) -> dict[str, str]:
    """Return what `changed` says, by id, of those of the named videos of which it says something.

    Raises UnknownVideo.
    """
    with workspace.store() as store:
        video_ids = {name: store.find_video(name) for name in names}
        told = {video_id: changed(workspace.settings, store, video_id, name) for name, video_id in video_ids.items()}
    return {video_id: line for video_id, line in told.items() if line}


def check_same(settings: Settings, store: Store, video_id: str) -> str:
    """Return the path in which a video was seen last; raises InputError where it holds another by now."""
    seen = store.seen_files(video_id)
    path = seen[-1].path
    if not _holds(settings, seen, path):
        raise InputError(
            f"{path} is not what is remembered as {video_id}, so it would show another film; "
            f"run hicom-agent index {shlex.quote(path)}, or leave out --full for the pictures that were kept"
        )
    return path


def _holds(settings: Settings, seen: Sequence[SeenFile], path: str) -> bool:
    """Return whether a file has the content of the video that was seen in these; a file that is not there may.

    Size and times tell most; a file of the same size that was written to is compared by its content.
    """
    if not lies_under(Path(path), [root.resolve() for root in settings.roots]) or not os.path.isfile(path):  # noqa: PTH113
        return True
    facts = os.stat(path)  # noqa: PTH116
    if any(one.path == path and one.is_untouched(facts) for one in seen):
        return True
    sizes = {one.size_bytes for one in seen if one.size_bytes >= 0}
    if facts.st_size > MAX_HASHED_BYTES or (sizes and facts.st_size not in sizes):
        return False
    try:
        with open_video(path, settings.roots, settings.max_video_bytes) as opened:
            return content_hash(opened).startswith(seen[0].video_id)
    except VideoRefused:
        return False
