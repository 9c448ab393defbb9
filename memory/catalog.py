"""The catalogue: SQLite tables that are made from the generations and say which of them is committed.

A reader's transaction (WAL) is its snapshot, and at the same time its lease: SQLite cannot fold a commit into the
database file while anybody still reads an older state, and `nobody_reads_older` asks just that.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hicom_agent.errors import StoreCorrupt, StoreTooNew
from hicom_agent.memory import files
from hicom_agent.memory.disk import plain_errors
from hicom_agent.memory.generations import SCHEMA, video_folders

CATALOG = "catalog.sqlite"
CACHE = "cache"
_NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
VIDEO_COLUMNS = (
    "video_id, sha256, path, title, duration_s, width_px, height_px, codec, audio_codec, profile, settings_key, "
    "version, manifest_sha256, indexed_at, language, covered_s, bytes, num_clips, num_frames, num_kept"
)
_SPAN = (
    "(id INTEGER PRIMARY KEY, video INTEGER, idx INTEGER, start_s REAL, end_s REAL, text TEXT, words TEXT,"
    " UNIQUE (video, idx))"
)
_TABLES = [
    f"CREATE TABLE videos (key INTEGER PRIMARY KEY, {VIDEO_COLUMNS}, UNIQUE (video_id))",
    "CREATE TABLE clips (video INTEGER, idx INTEGER, start_s REAL, end_s REAL, PRIMARY KEY (video, idx)) WITHOUT ROWID",
    "CREATE TABLE frames (video INTEGER, idx INTEGER, time_s REAL, shown_by INTEGER, novelty REAL,"
    " PRIMARY KEY (video, idx)) WITHOUT ROWID",
    "CREATE TABLE damage (video INTEGER, idx INTEGER, start_s REAL, end_s REAL, reason TEXT,"
    " PRIMARY KEY (video, idx)) WITHOUT ROWID",
    "CREATE TABLE caches (video INTEGER, kind TEXT, file TEXT, sha256 TEXT, PRIMARY KEY (video, kind)) WITHOUT ROWID",
    "CREATE TABLE journals (video_id TEXT PRIMARY KEY, profile TEXT, settings_key TEXT, updated_at REAL)",
    "CREATE TABLE segments (video_id TEXT, stage TEXT, idx INTEGER, file TEXT, sha256 TEXT,"
    " PRIMARY KEY (video_id, stage, idx)) WITHOUT ROWID",
]


def _word_tables(name: str) -> list[str]:
    """Return a table of spans of time with text, its full-text index, and what keeps the two together."""
    gone = f"INSERT INTO {name}_words ({name}_words, rowid, words) VALUES ('delete', old.id, old.words)"
    return [
        f"CREATE TABLE {name} {_SPAN}",
        f"CREATE VIRTUAL TABLE {name}_words USING fts5"
        f"(words, content='{name}', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2')",
        f"CREATE TRIGGER {name}_new AFTER INSERT ON {name} BEGIN"
        f" INSERT INTO {name}_words (rowid, words) VALUES (new.id, new.words); END",
        f"CREATE TRIGGER {name}_gone AFTER DELETE ON {name} BEGIN {gone}; END",
    ]


@dataclass(frozen=True, slots=True)
class Published:
    """Which generation of a video is committed."""

    video_id: str
    version: str
    manifest_sha256: str
    profile: str


@dataclass(frozen=True, slots=True)
class CacheFile:
    """Vectors on the disk, to be loaded only if they are what was written."""

    name: str
    sha256: str  # of the head of the file, which has a checksum of the rest
    num_bytes: int = 0


def connect_writer(root: Path) -> sqlite3.Connection:
    """Return the writer's connection; the tables are made if they are not there.

    Raises StoreTooNew, StoreCorrupt, SetupError.
    """
    with plain_errors(root):
        db = sqlite3.connect(root / CATALOG, timeout=10, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            if check_schema(db, root) == 0:
                _make_tables(db)
            db.execute(files.TABLE)  # which versions before this one do not make, and do not miss
            db.execute("DELETE FROM videos WHERE false")  # says now, not in the middle, that it may not be written
        except BaseException:
            db.close()
            raise
    return db


def _make_tables(db: sqlite3.Connection) -> None:
    with transaction(db):
        for statement in [*_TABLES, files.TABLE, *_word_tables("speech"), *_word_tables("texts")]:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA}")


def check_schema(db: sqlite3.Connection, root: Path) -> int:
    """Return the schema of the catalogue, 0 if it is empty; raises StoreTooNew."""
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA:
        raise StoreTooNew(f"{root} has schema {version}, this version knows {SCHEMA}; update hicom-agent")
    return version


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Commit all that is done inside, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def nobody_reads_older(db: sqlite3.Connection) -> bool:
    """Return whether every open snapshot sees the latest commit, so that what it replaced can go."""
    _, in_log, folded = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return bool(in_log == folded)


class Readers:
    """Connections that read, kept open between questions; safe to use from many threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._idle: list[sqlite3.Connection] = []
        self._of: tuple[int, int] | None = None  # the file they are of: a repair may put another in its place
        self._lock = threading.Lock()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Give a connection inside a transaction: all that it reads is of one committed state.

        Raises SetupError, StoreTooNew, StoreCorrupt.
        """
        with plain_errors(self._root):
            db, of = self._begin()
        try:
            yield db
        finally:
            self._put_back(db, of)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def _begin(self) -> tuple[sqlite3.Connection, tuple[int, int] | None]:
        of = self._identity()
        if of != self._of:
            self.close()
        with self._lock:
            self._of = of
            db = self._idle.pop() if self._idle else None
        if db is None and of is not None:
            db, lasts = self._connect()
            of = of if lasts else None
        if db is not None and not self._fix(db):  # a writer is about to make the tables, or died before it did
            db.close()
            db = None
        if db is None:
            db, of = self._empty(), None
            self._fix(db)
        return db, of

    def _fix(self, db: sqlite3.Connection) -> bool:
        """Begin a transaction at the state of now; return whether there are tables."""
        try:
            db.execute("BEGIN")
            return check_schema(db, self._root) > 0  # the first read is what fixes the state
        except BaseException:
            db.close()
            raise

    def _put_back(self, db: sqlite3.Connection, of: tuple[int, int] | None) -> None:
        db.execute("ROLLBACK")
        with self._lock:
            if of is not None and of == self._of:
                self._idle.append(db)
                return
        db.close()

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = (self._root / CATALOG).stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _connect(self) -> tuple[sqlite3.Connection, bool]:
        """Return a connection, and whether it may be kept.

        Where the folder cannot be written, SQLite cannot keep track of readers; then nobody writes there either. On a
        full disk that holds for now, unless there are commits that are not folded in yet.
        """
        effective = os.access in os.supports_effective_ids
        if not (os.access(self._root, os.W_OK, effective_ids=effective) or self._file("-shm").exists()):
            return self._open("immutable=1"), True
        db = self._open("mode=ro")
        try:
            db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            return db, True
        except sqlite3.OperationalError as error:
            db.close()
            log = self._file("-wal")
            if error.sqlite_errorcode & 0xFF not in _NO_ROOM or (log.exists() and log.stat().st_size):
                raise
            return self._open("immutable=1"), False

    def _open(self, how: str) -> sqlite3.Connection:
        address = f"{self._file().absolute().as_uri()}?{how}"
        return sqlite3.connect(address, uri=True, timeout=10, isolation_level=None, check_same_thread=False)

    def _file(self, suffix: str = "") -> Path:
        return self._root / (CATALOG + suffix)

    def _empty(self) -> sqlite3.Connection:
        if self._root.is_dir() and video_folders(self._root):
            raise StoreCorrupt(f"{self._root} holds videos and no catalogue; run hicom-agent doctor --repair")
        db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        _make_tables(db)
        return db


def published(db: sqlite3.Connection) -> dict[str, Published]:
    """Return what is committed, by video id."""
    rows = db.execute("SELECT video_id, version, manifest_sha256, profile FROM videos ORDER BY video_id")
    return {row[0]: Published(*row) for row in rows}
