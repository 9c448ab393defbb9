"""The catalogue of the conditioned tier: one SQLite file that many processes read and write, and that may be lost."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from hicom_agent.memory.catalog import transaction
from hicom_agent.memory.disk import make_folder

CATALOG = "looks.sqlite"
SCHEMA = 2
_FULL = 0.9  # share of the cap that eviction leaves
_WAIT_S = 1.0  # for another process that writes
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_LOG = logging.getLogger(__name__)
_TABLES = (
    "CREATE TABLE looks (id INTEGER PRIMARY KEY AUTOINCREMENT, video_id TEXT, indexed_at REAL, profile TEXT, text TEXT,"
    " vector BLOB, guide BLOB, presence BLOB, used_at REAL, UNIQUE (video_id, indexed_at, profile, text))",
    "CREATE TABLE tokens (look INTEGER REFERENCES looks ON DELETE CASCADE, clip INTEGER, frames TEXT, attended BLOB,"
    " file INTEGER, place INTEGER, size INTEGER, crc INTEGER, PRIMARY KEY (look, clip, frames)) WITHOUT ROWID",
    "CREATE TABLE counts (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID",
)

T = TypeVar("T")


class Looks:
    """Reads and writes of the catalogue; where the disk does not let them happen, they are as if nothing was kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._open: sqlite3.Connection | None = None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = None

    @property
    def exists(self) -> bool:
        """Return whether anything was ever kept."""
        return (self.folder / CATALOG).exists()

    def read(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Return what `work` reads; `otherwise` if there is nothing to read."""
        with self._lock:
            try:
                return work(self._connect()) if self.exists else otherwise
            except (sqlite3.Error, OSError) as error:
                self._fail(error)
                return otherwise

    def write(
        self,
        work: Callable[[sqlite3.Connection], T],
        otherwise: T,
        then: Callable[[sqlite3.Connection], None] | None = None,
    ) -> T:
        """Return what `work` did in one transaction, and do `then` after it; no other process writes meanwhile.

        `otherwise` if it could not be done: another process takes too long, or the disk is full or read-only.
        """
        with self._lock:
            try:
                make_folder(self.folder)
                with FileLock(self.folder / "lock", timeout=_WAIT_S):
                    db = self._connect()
                    with transaction(db):
                        done = work(db)
                    if then is not None:
                        then(db)
                    return done
            except (sqlite3.Error, OSError, Timeout) as error:
                self._fail(error)
                return otherwise

    def _connect(self) -> sqlite3.Connection:
        if self._open is None:
            address = (self.folder / CATALOG).absolute().as_uri()
            writable = os.access(self.folder, os.W_OK)  # elsewhere nobody writes, and SQLite could not track readers
            options = "" if writable else "?immutable=1"
            db = sqlite3.connect(
                address + options, uri=True, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
            )
            try:
                db.execute("PRAGMA foreign_keys = ON")
                db.execute("PRAGMA synchronous = NORMAL")
                schema = db.execute("PRAGMA user_version").fetchone()[0]
                if schema > SCHEMA:
                    raise sqlite3.NotSupportedError(f"{self.folder} was written by a newer version")
                if schema < SCHEMA:
                    _make_tables(db)
            except BaseException:
                db.close()
                raise
            self._open = db
        return self._open

    def _fail(self, error: Exception) -> None:
        """Say what went wrong; a damaged catalogue is removed, and the next question begins another."""
        _LOG.info("what questions made of videos is not remembered now: %s", error)
        self.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            for name in (CATALOG, CATALOG + "-wal", CATALOG + "-shm"):
                (self.folder / name).unlink(missing_ok=True)


def _make_tables(db: sqlite3.Connection) -> None:
    """Make the tables, in the place of those of another version."""
    db.execute("PRAGMA journal_mode = WAL")
    with transaction(db):
        if db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA:  # another process was quicker
            return
        for name in ("tokens", "looks", "counts"):
            db.execute(f"DROP TABLE IF EXISTS {name}")
        for statement in _TABLES:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA}")


def add_count(db: sqlite3.Connection, name: str, number: int = 1) -> None:
    """Add to a count that `counts` tells."""
    query = "INSERT INTO counts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
    db.execute(query, [name, number])


def counts(db: sqlite3.Connection) -> dict[str, int]:
    """Return all counts."""
    return dict(db.execute("SELECT name, value FROM counts"))


def file_number(db: sqlite3.Connection) -> int:
    """Return the number of the token file in use."""
    return 1 + counts(db).get("compactions", 0)


def touch(db: sqlite3.Connection, key: int) -> None:
    """Remember that a look was of use."""
    db.execute("UPDATE looks SET used_at = ? WHERE id = ?", [time.time(), key])
    add_count(db, "hits")


def drop_looks(db: sqlite3.Connection, which: str, value: str | int) -> None:
    """Drop looks, and with them their tokens."""
    db.execute(f"DELETE FROM looks WHERE {which}", [value])


def live_bytes(db: sqlite3.Connection) -> int:
    """Return how many bytes of tokens are known."""
    return int(db.execute("SELECT coalesce(sum(size), 0) FROM tokens").fetchone()[0])


def evict(db: sqlite3.Connection, max_bytes: int) -> int:
    """Let go of the looks not used for longest, if there is more than `max_bytes`; return the bytes that stay."""
    live = live_bytes(db)
    if live <= max_bytes:
        return live
    sizes = "SELECT id, coalesce(sum(size), 0) FROM looks LEFT JOIN tokens ON look = id GROUP BY id"
    for key, size in db.execute(f"{sizes} ORDER BY used_at, id").fetchall():
        if live > _FULL * max_bytes:
            drop_looks(db, "id = ?", key)
            add_count(db, "evicted")
            live -= size
    return live
