"""Watch a video and remember it."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

from hicom_agent.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hicom_agent.ingest import Report
    from hicom_agent.tools.workspace import Workspace

SUFFIXES = tuple(
    f".{name}"
    for name in "3g2 3gp avi flac flv m2ts m4a m4v mkv mov mp3 mp4 mpeg mpg mts oga ogg ogv opus ts wav webm".split()  # noqa: SIM905
)


def index_video(workspace: Workspace, path: str | Path, *, again: bool = False) -> Report:
    """Watch the video at `path` and remember it; the same content again is a no-op that says so.

    A file that cannot be opened is refused before a model is loaded or the store is touched.
    """
    workspace.probe(path)
    with workspace.store(write=True) as store:
        return workspace.indexer(store).index(path, again=again)


def find_files(paths: Sequence[str]) -> list[Path]:
    """Return the video files that files, folders and globs name, each once, in order.

    A file is taken whatever its name; in folders and globs only known suffixes count.
    Raises InputError for a path that is not there and for a folder or glob without videos.
    """
    found: dict[Path, None] = {}
    for text in paths:
        for path in _expand(text):
            found[path] = None
    return list(found)


def _expand(text: str) -> list[Path]:
    path = Path(text).expanduser()
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and not p.is_dir())
        if not files:
            raise InputError(f"folder {text} has no videos; known endings: {' '.join(SUFFIXES)}")
        return files
    if glob.has_magic(text) and not path.exists():
        matches = (Path(match) for match in sorted(glob.glob(str(path), recursive=True)))  # noqa: PTH207  # absolute patterns too
        files = [p for p in matches if p.suffix.lower() in SUFFIXES and not p.is_dir()]
        if not files:
            raise InputError(f"no video matches {text!r}; known endings: {' '.join(SUFFIXES)}")
        return files
    return [path]
