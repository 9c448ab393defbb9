"""From the files of a generation to the rows of the catalogue, and back out of it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from typing import Any

from hicom_agent.memory.catalog import VIDEO_COLUMNS, CacheFile
from hicom_agent.memory.generations import Manifest
from hicom_agent.memory.words import spaced

Meta = Mapping[str, Any]
Rows = list[tuple[Any, ...]]

COLUMNS = {
    "clips": "idx, start_s, end_s",
    "frames": "idx, time_s, shown_by, novelty",
    "damage": "idx, start_s, end_s, reason",
    "speech": "idx, start_s, end_s, text, words",
    "texts": "idx, start_s, end_s, text, words",
}


def publish(db: sqlite3.Connection, manifest: Manifest, meta: Meta, caches: Mapping[str, CacheFile]) -> None:
    """Make a generation the committed one of its video, inside the caller's transaction; its journal ends here.

    `caches` has every kind that has vectors.
    """
    withdraw(db, manifest.video_id)
    num_bytes = manifest.num_bytes + sum(cache.num_bytes for cache in caches.values())
    values = {**video_values(manifest, meta), "bytes": num_bytes}
    marks = ", ".join(":" + name for name in VIDEO_COLUMNS.split(", "))
    key = db.execute(f"INSERT INTO videos ({VIDEO_COLUMNS}) VALUES ({marks})", values).lastrowid
    for table, rows in rows_of(meta).items():
        _insert(db, f"{table} (video, {COLUMNS[table]})", [(key, *row) for row in rows])
    _insert(db, "caches (video, kind, file, sha256)", [(key, kind, c.name, c.sha256) for kind, c in caches.items()])
    db.execute("DELETE FROM journals WHERE video_id = ?", [manifest.video_id])
    db.execute("DELETE FROM segments WHERE video_id = ?", [manifest.video_id])


def add_cache(db: sqlite3.Connection, video_id: str, kind: str, cache: CacheFile, grown_bytes: int) -> None:
    """Note another cache file of a committed video, inside the caller's transaction."""
    row = [kind, cache.name, cache.sha256, video_id]
    columns = "INSERT OR REPLACE INTO caches (video, kind, file, sha256)"
    db.execute(f"{columns} SELECT key, ?, ?, ? FROM videos WHERE video_id = ?", row)
    db.execute("UPDATE videos SET bytes = bytes + ? WHERE video_id = ?", [grown_bytes, video_id])


def video_values(manifest: Manifest, meta: Meta) -> dict[str, Any]:
    """Return the columns of a video's row, but for `bytes`."""
    same = ("video_id", "sha256", "profile", "settings_key", "language", "covered_s")
    facts = ("duration_s", "width_px", "height_px", "codec", "audio_codec")
    return {
        **{name: meta[name] for name in same},
        **{name: meta["info"][name] for name in facts},
        "path": os.fsencode(meta["path"]),
        "title": _plain(meta["title"]),
        "version": manifest.version,
        "manifest_sha256": manifest.sha256,
        "indexed_at": manifest.committed_at,
        "num_clips": len(meta["clips"]),
        "num_frames": len(meta["frames"]),
        "num_kept": sum(shown_by == i for i, (_, shown_by, _) in enumerate(meta["frames"])),
    }


def rows_of(meta: Meta) -> dict[str, Rows]:
    """Return the rows of a video in the other tables, with the columns of `COLUMNS`."""
    damage = [(start_s, end_s, _plain(reason)) for start_s, end_s, reason in meta["damage"]]
    return {
        "clips": [tuple(clip) for clip in meta["clips"]],
        "frames": _numbered(meta["frames"]),
        "damage": _numbered(damage),
        **{kind: _numbered([_span(*span) for span in meta[kind]]) for kind in ("speech", "texts")},
    }


def _span(start_s: float, end_s: float, text: str) -> tuple[float, float, str, str]:
    return start_s, end_s, _plain(text), spaced(_plain(text))


def _numbered(rows: list[Any]) -> Rows:
    return [(index, *row) for index, row in enumerate(rows)]


def _insert(db: sqlite3.Connection, columns: str, rows: Rows) -> None:
    marks = ", ".join("?" * (columns.count(",") + 1))
    db.executemany(f"INSERT INTO {columns} VALUES ({marks})", rows)


def _plain(text: str) -> str:
    """Return `text` without lone surrogates, which SQLite refuses."""
    return text.encode("utf-8", "replace").decode()


def withdraw(db: sqlite3.Connection, video_id: str) -> None:
    """Take a video out of the catalogue, inside the caller's transaction."""
    found = db.execute("SELECT key FROM videos WHERE video_id = ?", [video_id]).fetchone()
    if found:
        for table in (*COLUMNS, "caches"):
            db.execute(f"DELETE FROM {table} WHERE video = ?", found)
        db.execute("DELETE FROM videos WHERE key = ?", found)
