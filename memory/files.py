"""The files that videos were seen in: which content a path had last, and what the file looked like then.

Generations say where a video lay when it was indexed; these rows of the catalogue say what was seen since, and are no
part of them. Where a row is missing (an older version wrote the store, or the catalogue was made again), the time of
the indexing stands in for it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

TABLE = (
    "CREATE TABLE IF NOT EXISTS files (video_id TEXT, path TEXT, size_bytes INTEGER, mtime_ns INTEGER, seen_at REAL,"
    " PRIMARY KEY (video_id, path)) WITHOUT ROWID"
)
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file that held a video when it was looked at last."""

    video_id: str
    path: str
    size_bytes: int = UNKNOWN
    mtime_ns: int = UNKNOWN
    seen_at: float = 0.0  # seconds since 1970

    def is_untouched(self, facts: os.stat_result) -> bool:
        """Return whether a file of this path has not been written since, by its size and times."""
        if self.mtime_ns != UNKNOWN:
            return (self.size_bytes, self.mtime_ns) == (facts.st_size, facts.st_mtime_ns)
        return max(facts.st_mtime, facts.st_ctime) <= self.seen_at


def note_file(db: sqlite3.Connection, seen: SeenFile) -> None:
    """Keep that a file was seen, inside the caller's transaction; an earlier sight of the same changes nothing."""
    db.execute(
        "INSERT INTO files VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET size_bytes = excluded.size_bytes,"
        " mtime_ns = excluded.mtime_ns, seen_at = excluded.seen_at WHERE excluded.seen_at >= seen_at",
        [seen.video_id, os.fsencode(seen.path), seen.size_bytes, seen.mtime_ns, seen.seen_at],
    )


def seen_files(db: sqlite3.Connection) -> list[SeenFile]:
    """Return the files of all videos, those seen last at the end; one for each video and path."""
    found = {}
    for video_id, path, at in db.execute("SELECT video_id, path, indexed_at FROM videos"):
        found[video_id, path] = SeenFile(video_id, os.fsdecode(path), seen_at=at)
    rows = db.execute("SELECT f.* FROM files f JOIN videos USING (video_id)") if _has_table(db) else ()
    for video_id, path, size_bytes, mtime_ns, at in rows:
        before = found.get((video_id, path))
        latest = max(at, before.seen_at if before else 0.0)
        found[video_id, path] = SeenFile(video_id, os.fsdecode(path), size_bytes, mtime_ns, latest)
    return sorted(found.values(), key=lambda seen: seen.seen_at)


def owners(files: Sequence[SeenFile]) -> dict[str, str]:
    """Return the id of the video that was seen last in each path."""
    return {seen.path: seen.video_id for seen in files}


def replaced(files: Sequence[SeenFile]) -> set[str]:
    """Return the ids of the videos whose every path holds another one by now."""
    return {seen.video_id for seen in files} - set(owners(files).values())


def unfinished(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return id and path of each video whose indexing was begun and not ended, "" where the path is not known."""
    path = "(SELECT path FROM files f WHERE f.video_id = j.video_id ORDER BY seen_at DESC LIMIT 1)"
    rows = db.execute(f"SELECT video_id, {path if _has_table(db) else 'NULL'} FROM journals j ORDER BY updated_at")
    return [(video_id, os.fsdecode(path or b"")) for video_id, path in rows]


def sweep(db: sqlite3.Connection) -> None:
    """Drop the files of videos that are not remembered, nor being indexed, inside the caller's transaction."""
    known = "SELECT video_id FROM videos UNION SELECT video_id FROM journals"
    db.execute(f"DELETE FROM files WHERE video_id NOT IN ({known})")


def _has_table(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'files'").fetchone() is not None
