"""The one process that changes a store: its lock, commits and forgetting.

A commit is: files of a new generation, its manifest, one transaction of the catalogue. What a commit replaced goes
when no snapshot sees it any more: at once, or at a later commit or opening.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from hicom_agent.errors import StoreBusy, StoreCorrupt, UnknownVideo
from hicom_agent.memory.arrays import Generation
from hicom_agent.memory.catalog import (
    CACHE,
    CacheFile,
    Published,
    connect_writer,
    nobody_reads_older,
    published,
    transaction,
)
from hicom_agent.memory.disk import crash_point, make_folder, plain_errors, remove_folder, write_file
from hicom_agent.memory.files import SeenFile, note_file
from hicom_agent.memory.foreign import copy_generation
from hicom_agent.memory.generations import (
    FORGOTTEN,
    KINDS,
    MANIFEST,
    Manifest,
    check_video_id,
    generation_folders,
    next_version,
    read_manifest,
    read_meta,
    write_generation,
)
from hicom_agent.memory.journal import STAGING, Journal
from hicom_agent.memory.publish import add_cache, publish, withdraw
from hicom_agent.memory.records import check_record
from hicom_agent.memory.table import dump_table
from hicom_agent.types import Record

LOCK = "writer.lock"
OWNER = "writer.json"
CACHED, CACHED_BEFORE = ".vectors", ".faiss"  # how the names of cache files end; before, they were FAISS indexes


class Writer:
    """The right to change a store, held until `close`."""

    def __init__(self, root: Path) -> None:
        """Take the lock; raises StoreBusy, SetupError."""
        self.root = root
        self.lock = threading.RLock()
        self._waiting: set[Path] = set()  # folders of videos with generations to remove
        with plain_errors(root):
            make_folder(root)
            self._file_lock = FileLock(root / LOCK, timeout=0, thread_local=False)
            try:
                self._file_lock.acquire()
            except Timeout as error:
                raise StoreBusy(f"{root} is being written by {_owner(root)}; wait for it or end it") from error
            self._db: sqlite3.Connection | None = None
            try:
                self.clean = not (root / OWNER).exists()
                (root / OWNER).write_text(json.dumps({"pid": os.getpid(), "since": time.time()}))
            except BaseException:
                self._file_lock.release()
                raise

    def connect(self) -> Writer:
        """Open the catalogue, make it if there is none; raises StoreTooNew, StoreCorrupt, SetupError."""
        self._db = connect_writer(self.root)
        with plain_errors(self.root):
            if not self.clean:
                self._check_catalog()
        return self

    @property
    def db(self) -> sqlite3.Connection:
        """Return the connection of the catalogue."""
        assert self._db is not None, "connect() comes first"
        return self._db

    def _check_catalog(self) -> None:
        """Look for damage after a run that did not end by itself."""
        problem = self.db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise StoreCorrupt(f"the catalogue in {self.root} is damaged: {problem}; run hicom-agent doctor --repair")

    def close(self, *, clean: bool = True) -> None:
        """Give up the lock."""
        if self._db is not None:
            self._db.close()
            self._db = None
        if clean:
            with suppress(OSError):
                (self.root / OWNER).unlink()
        self._file_lock.release()

    def journal(self, video_id: str, profile: str, settings_key: str) -> Journal:
        """Return the journal of a video; what another profile or other settings left there is dropped."""
        journal = Journal(self.root, self.db, self.lock, check_video_id(video_id))
        return journal.open(profile, settings_key)

    def note_file(self, seen: SeenFile) -> None:
        """Keep that a file was seen; raises SetupError."""
        with self.lock, plain_errors(self.root), transaction(self.db):
            note_file(self.db, seen)

    def commit(self, record: Record) -> str:
        """Make `record` the committed state of its video and return its version; the journal ends.

        Raises ValueError for a record that contradicts itself, SetupError where the disk fails: then the
        committed state is the one before.
        """
        check_record(record)
        return self._replace(record.video_id, lambda generation: write_generation(generation, record))

    def adopt(self, generation: Path, manifest: Manifest) -> str:
        """Make a copy of a generation of another store the committed state of its video, and return its version.

        Its files are compared with `manifest`, of which the version alone changes; the video's journal ends.
        Raises StoreCorrupt, and SetupError where the disk fails: then the committed state is the one before.
        """
        return self._replace(manifest.video_id, lambda target: copy_generation(generation, manifest, target))

    def _replace(self, video_id: str, write: Callable[[Path], Manifest]) -> str:
        """Commit the generation that `write` makes in the folder of a new version, and return that version."""
        with self.lock, plain_errors(self.root):
            folder = self.root / check_video_id(video_id)
            make_folder(folder)
            generation = folder / next_version(folder)
            try:
                self.publish(generation, write(generation))
            except BaseException:
                self._give_up(generation)
                raise
            crash_point("published")
            remove_folder(self.root / STAGING / video_id)
            crash_point("journal-removed")
            self.drop_replaced([folder])
            crash_point("replaced-removed")
        return generation.name

    def publish(self, generation: Path, manifest: Manifest) -> None:
        """Make a whole generation the committed one."""
        meta = read_meta(generation, manifest)
        caches = self.write_caches(generation, manifest)
        crash_point("cache")
        with transaction(self.db):
            publish(self.db, manifest, meta, caches)
            crash_point("publishing")

    def write_caches(self, generation: Path, manifest: Manifest, kinds: Iterable[str] = KINDS) -> dict[str, CacheFile]:
        """Write the cache files of a generation; they can be made again at any time."""
        opened = Generation(generation, manifest.sha256)
        files = {}
        for kind in kinds:
            table = opened.table(kind)
            if table is not None:
                name = cache_name(generation, kind)
                make_folder(self.root / CACHE)
                parts, digest = dump_table(table)
                files[kind] = CacheFile(name, digest, write_file(self.root / CACHE / name, parts, last=False)[1])
        return files

    def add_caches(self, which: Published, kinds: Iterable[str]) -> None:
        """Write cache files of a video that an older version has committed; raises StoreCorrupt."""
        generation = self.root / which.video_id / which.version
        caches = self.write_caches(generation, read_manifest(generation), kinds)
        with transaction(self.db):
            for kind, cache in caches.items():
                before = (self.root / CACHE / cache.name).with_suffix(CACHED_BEFORE)
                grown_bytes = cache.num_bytes - (before.stat().st_size if before.exists() else 0)
                add_cache(self.db, which.video_id, kind, cache, grown_bytes)

    def _give_up(self, generation: Path) -> None:
        """Remove a generation that could not be committed, unless it was in the very last moment."""
        with suppress(sqlite3.Error):
            found = published(self.db).get(generation.parent.name)
            if found is None or found.version != generation.name:
                self._drop(generation)
                _remove_empty(generation.parent)

    def forget(self, video_id: str) -> None:
        """Remove a video and all that was kept of it; raises UnknownVideo.

        The mark is written first, so that a crash in between ends in a forgotten video, not a risen one.
        """
        folder = self.root / check_video_id(video_id)
        with self.lock, plain_errors(self.root):
            if not folder.is_dir():
                raise UnknownVideo(f"no indexed video has the id {video_id}; see hicom-agent list")
            for generation in generation_folders(folder):
                write_file(generation / FORGOTTEN, [])
            crash_point("forget-marked")
            with transaction(self.db):
                withdraw(self.db, video_id)
                self.db.execute("DELETE FROM journals WHERE video_id = ?", [video_id])
                self.db.execute("DELETE FROM segments WHERE video_id = ?", [video_id])
            crash_point("forgotten")
            remove_folder(self.root / STAGING / video_id)
            for broken in folder.glob("gen-*.broken*"):
                remove_folder(broken)
            self.drop_replaced([folder])

    def drop_replaced(self, folders: Iterable[Path]) -> None:
        """Remove what is not committed of these videos; what somebody may still read goes another time."""
        self._waiting.update(folders)
        if self._waiting and nobody_reads_older(self.db):
            current = published(self.db)
            while self._waiting:
                folder = self._waiting.pop()
                which = current.get(folder.name)
                for generation in generation_folders(folder) if folder.is_dir() else []:
                    if which is None or generation.name != which.version:
                        self._drop(generation)
                if which is None:
                    _remove_empty(folder)

    def _drop(self, generation: Path) -> None:
        remove_folder(generation, first=MANIFEST)
        for kind in KINDS:
            (self.root / CACHE / cache_name(generation, kind)).unlink(missing_ok=True)


def cache_name(generation: Path, kind: str) -> str:
    """Return the name of the cache file of a generation.

    >>> cache_name(Path("store/00000000000000aa/gen-000001"), "speech")
    '00000000000000aa-gen-000001-speech.vectors'
    """
    return f"{generation.parent.name}-{generation.name}-{kind}{CACHED}"


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()  # stays where something put aside is left


def _owner(root: Path) -> str:
    try:
        owner = json.loads((root / OWNER).read_text())
        return f"process {owner['pid']}, for {time.time() - owner['since']:.0f} s now"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
