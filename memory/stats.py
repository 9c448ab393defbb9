"""What a store holds and what it takes on the disk."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hicom_agent.memory.catalog import CACHE, CATALOG, published
from hicom_agent.memory.conditioned import FOLDER
from hicom_agent.memory.generations import FILES, MANIFEST, SCHEMA
from hicom_agent.memory.journal import STAGING
from hicom_agent.memory.queries import VideoRow, video_rows
from hicom_agent.memory.shards import reading
from hicom_agent.memory.store import Store

_PARTS = dict(zip(FILES, ("vectors", "patches", "thumbs", "meta"), strict=True)) | {MANIFEST: "meta"}


@dataclass(frozen=True, slots=True)
class Stats:
    """One state of a store in numbers."""

    videos: int
    hours: float  # of video
    hours_read: float  # of them, those that could be decoded
    clips: int
    frames: int  # sampled
    frames_kept: int  # of them, those that show something new
    utterances: int
    texts: int
    bytes: dict[str, int]  # by part: vectors, patches, thumbs, meta, caches, catalogue, conditioned, unfinished
    total_bytes: int
    bytes_per_hour: float  # of video; 0 if there is none
    profiles: dict[str, int]  # videos of each
    languages: dict[str, int]  # videos whose speech is in each; "" for those without
    versions: dict[str, int]  # videos at each
    schema: int  # of the files
    oldest_indexed_at: float | None  # seconds since 1970
    newest_indexed_at: float | None
    unfinished: int  # videos whose indexing was begun and goes on when it is run again


def stats(store: Store) -> Stats:
    """Return the numbers of one committed state; raises StoreError, SetupError."""
    with reading(store.root) as db:
        rows = video_rows(db)
        sizes = _sizes(store.root, db)
        utterances, texts, unfinished = (_count(db, table) for table in ("speech", "texts", "journals"))
    times, total = [row.indexed_at for row in rows], sum(sizes.values())
    hours = sum(row.duration_s for row in rows) / 3600
    return Stats(
        videos=len(rows),
        hours=hours,
        hours_read=sum(row.covered_s for row in rows) / 3600,
        clips=sum(row.num_clips for row in rows),
        frames=sum(row.num_frames for row in rows),
        frames_kept=sum(row.num_kept for row in rows),
        utterances=utterances,
        texts=texts,
        bytes=sizes,
        total_bytes=total,
        bytes_per_hour=total / hours if hours else 0.0,
        profiles=_counted(rows, "profile"),
        languages=_counted(rows, "language"),
        versions=_counted(rows, "version"),
        schema=SCHEMA,
        oldest_indexed_at=min(times, default=None),
        newest_indexed_at=max(times, default=None),
        unfinished=unfinished,
    )


def _sizes(root: Path, db: sqlite3.Connection) -> dict[str, int]:
    sizes = Counter[str]()
    for which in published(db).values():
        for name, part in _PARTS.items():
            sizes[part] += _size(root / which.video_id / which.version / name)
    for part, paths in {
        "caches": (root / CACHE / name for (name,) in db.execute("SELECT file FROM caches")),
        "catalogue": (root / (CATALOG + suffix) for suffix in ("", "-wal", "-shm")),
        "conditioned": (root / FOLDER).glob("*"),
        "unfinished": (root / STAGING).rglob("*"),
    }.items():
        sizes[part] += sum(map(_size, paths))
    return dict(sizes)


def _size(path: Path) -> int:
    """Return the size of a file, 0 for what is none or gone meanwhile."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def _count(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _counted(rows: Iterable[VideoRow], name: str) -> dict[str, int]:
    return dict(Counter(str(getattr(row, name)) for row in rows).most_common())
