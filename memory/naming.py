"""Which video a name means: an id, a path, a title or a part of it."""

from __future__ import annotations

import difflib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from hicom_agent.errors import UnknownVideo
from hicom_agent.memory.files import SeenFile, owners, replaced, unfinished

_NUM_NAMED = 5


def find_video(db: sqlite3.Connection, files: Sequence[SeenFile], name: str, root: Path) -> str:
    """Return the id of the one video that `name` means: id, path, title, file name, start of an id, or part of a title.

    A path means the video that was seen in it last, and of several videos that a name may mean, one that was replaced
    is not meant. Raises UnknownVideo, which names what there is.
    """
    found = db.execute("SELECT video_id, path, title FROM videos")
    rows = [(str(video_id), os.fsdecode(path), str(title)) for video_id, path, title in found]
    low, gone, owner = name.strip().casefold(), replaced(files), owners(files)
    there = {owner.get(place) for place in _places(name)}
    tries = (
        lambda video_id, path, title: video_id == low,
        lambda video_id, path, title: video_id in there,
        lambda video_id, path, title: title.casefold() == low,
        lambda video_id, path, title: Path(path).name.casefold() == low,
        lambda video_id, path, title: len(low) >= 4 and video_id.startswith(low),
        lambda video_id, path, title: bool(low) and low in title.casefold(),
    )
    for matches in tries:
        meant = [row for row in rows if matches(*row)]
        meant = [row for row in meant if row[0] not in gone] or meant
        if len(meant) == 1:
            return meant[0][0]
        if meant:
            raise UnknownVideo(f"{short(name)} may be any of {_names(meant)}; give the id or more of the title")
    raise UnknownVideo(_unknown(name, rows, root, _begun(db)))


def _begun(db: sqlite3.Connection) -> str:
    """Return what to say of videos that are not finished, "" if there are none."""
    names = [short(path or video_id) for video_id, path in unfinished(db)]
    more = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return f"; begun and not finished: {', '.join(names[:_NUM_NAMED])}{more}" if names else ""


def _places(name: str) -> set[str]:
    """Return the ways to write the file `name` in full, none if it can be no file."""
    return {name, str(Path(name).absolute()), os.path.realpath(name)} if name and "\0" not in name else set()


def _unknown(name: str, rows: list[tuple[str, str, str]], root: Path, begun: str) -> str:
    if not rows and begun:
        return f"no indexed video {short(name)}{begun}; run hicom-agent index on it again to go on"
    if not rows:
        return f"no indexed video {short(name)}: the store {root} is empty; run hicom-agent index VIDEO"
    titles = {row[2].casefold(): row for row in rows}
    wanted = Path(name.replace("\0", "")).stem.casefold()
    close = [titles[t] for t in difflib.get_close_matches(wanted, titles, n=_NUM_NAMED, cutoff=0.5)]
    if close:
        return f"no indexed video {short(name)}; the closest: {_names(close)}; see hicom-agent list{begun}"
    return f"no indexed video {short(name)}; there are: {_names(rows)}; see hicom-agent list{begun}"


def _names(rows: list[tuple[str, str, str]]) -> str:
    named = ", ".join(f"{video_id} {short(title)}" for video_id, _, title in sorted(rows)[:_NUM_NAMED])
    return named + (f" and {len(rows) - _NUM_NAMED} more" if len(rows) > _NUM_NAMED else "")


def short(name: str) -> str:
    """Return a name as a message shows it."""
    return repr(name if len(name) <= 80 else name[:77] + "...")
