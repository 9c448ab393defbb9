"""The one process that changes a store: its lock, commits, forgetting, and what a dead run left.

A commit is: files of a new generation, its manifest, one transaction of the catalogue. After a crash, opening for
writing finishes it if the manifest is there, and removes it if not. What a commit replaced goes when no snapshot
sees it any more: at once, or at a later commit or opening.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from hicom_agent.errors import StoreBusy, StoreCorrupt, UnknownVideo
from hicom_agent.memory.catalog import (
    CACHE,
    CacheFile,
    Published,
    connect_writer,
    nobody_reads_older,
    publish,
    published,
    transaction,
    withdraw,
)
from hicom_agent.memory.disk import crash_point, make_folder, plain_errors, remove_folder, write_file
from hicom_agent.memory.generations import (
    FORGOTTEN,
    KINDS,
    MANIFEST,
    Manifest,
    check_video_id,
    generation_folders,
    next_version,
    number_of,
    read_manifest,
    read_meta,
    verify,
    video_folders,
    write_generation,
)
from hicom_agent.memory.journal import STAGING, Journal
from hicom_agent.memory.records import check_record
from hicom_agent.types import Record

LOCK = "writer.lock"
OWNER = "writer.json"
_KEEP_STAGING_S = 14 * 86400.0
_LOG = logging.getLogger(__name__)


class Writer:
    """The right to change a store, held until `close`."""

    def __init__(self, root: Path) -> None:
        """Take the lock; raises StoreBusy, SetupError."""
        self._root = root
        self._lock = threading.RLock()
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
        """Open the catalogue, make it if there is none, and finish or sweep what a dead run left.

        Raises StoreTooNew, StoreCorrupt, SetupError.
        """
        self._db = connect_writer(self._root)
        with self._lock, plain_errors(self._root):
            if not self.clean:
                self._check_catalog()
            self.sweep()
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
            raise StoreCorrupt(f"the catalogue in {self._root} is damaged: {problem}; run hicom-agent doctor --repair")

    def close(self, *, clean: bool = True) -> None:
        """Give up the lock."""
        if self._db is not None:
            self._db.close()
            self._db = None
        if clean:
            with suppress(OSError):
                (self._root / OWNER).unlink()
        self._file_lock.release()

    def journal(self, video_id: str, profile: str, settings_key: str) -> Journal:
        """Return the journal of a video; what another profile or other settings left there is dropped."""
        journal = Journal(self._root, self.db, self._lock, check_video_id(video_id))
        return journal.open(profile, settings_key)

    def commit(self, record: Record) -> str:
        """Make `record` the committed state of its video and return its version; the journal ends.

        Raises ValueError for a record that contradicts itself, SetupError where the disk fails: then the
        committed state is the one before.
        """
        check_record(record)
        with self._lock, plain_errors(self._root):
            folder = self._root / check_video_id(record.video_id)
            make_folder(folder)
            generation = folder / next_version(folder)
            try:
                manifest = write_generation(generation, record)
                self.publish(generation, manifest)
            except BaseException:
                self._give_up(generation)
                raise
            crash_point("published")
            remove_folder(self._root / STAGING / record.video_id)
            crash_point("journal-removed")
            self._drop_replaced(folder)
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

    def write_caches(self, generation: Path, manifest: Manifest) -> dict[str, CacheFile]:
        """Write the FAISS indexes of a generation; they can be made again at any time."""
        from hicom_agent.memory.vectors import Generation, dump_index  # FAISS takes a while to import

        opened = Generation(generation, manifest.sha256)
        files = {}
        for kind in KINDS:
            index = opened.index(kind)
            if index is not None:
                name = f"{manifest.video_id}-{manifest.version}-{kind}.faiss"
                make_folder(self._root / CACHE)
                files[kind] = CacheFile(name, *write_file(self._root / CACHE / name, [dump_index(index)], last=False))
        return files

    def _give_up(self, generation: Path) -> None:
        """Remove a generation that could not be committed, unless it was in the very last moment."""
        with suppress(sqlite3.Error):
            found = published(self.db).get(generation.parent.name)
            if found is None or found.version != generation.name:
                remove_folder(generation, first=MANIFEST)
                with suppress(OSError):
                    generation.parent.rmdir()  # only if nothing else is there
                self._sweep_cache()

    def forget(self, video_id: str) -> None:
        """Remove a video and all that was kept of it; raises UnknownVideo.

        The mark is written first, so that a crash in between ends in a forgotten video, not a risen one.
        """
        folder = self._root / check_video_id(video_id)
        with self._lock, plain_errors(self._root):
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
            remove_folder(self._root / STAGING / video_id)
            self._drop_replaced(folder)

    def sweep(self) -> list[str]:
        """Finish or remove what runs before left, and return what was done, in words."""
        done: list[str] = []
        current = published(self.db)
        for folder in video_folders(self._root):
            done += self._settle(folder, current.get(folder.name))
        self._sweep_staging()
        self._sweep_cache()
        for line in done:
            _LOG.info("%s", line)
        return done

    def _settle(self, folder: Path, current: Published | None) -> list[str]:
        """Bring the folder of one video in order: a finished commit counts, an unfinished one never was."""
        done: list[str] = []
        at = number_of(current.version) if current else 0
        for generation in generation_folders(folder):
            if (generation / FORGOTTEN).exists():
                if number_of(generation.name) == at:
                    with transaction(self.db):
                        withdraw(self.db, folder.name)
            elif number_of(generation.name) > at:
                line, good = self._adopt(generation)
                done.append(line)
                at = number_of(generation.name) if good else at
        self._drop_replaced(folder)
        return done

    def _adopt(self, generation: Path) -> tuple[str, bool]:
        """Publish a generation that is whole but not in the catalogue; put aside what is broken."""
        if not (generation / MANIFEST).exists():
            remove_folder(generation)
            return f"removed {generation}: it was never finished", False
        try:
            manifest = read_manifest(generation)
            verify(generation, manifest)
        except StoreCorrupt as error:
            return put_aside(generation, error), False
        self.publish(generation, manifest)
        return f"published {generation}: its commit was cut short", True

    def _drop_replaced(self, folder: Path) -> None:
        """Remove the generations of a video that are not committed; those somebody may still read, another time."""
        self._waiting.add(folder)
        if nobody_reads_older(self.db):
            current = published(self.db)
            while self._waiting:
                waiting = self._waiting.pop()
                _drop_all_but(waiting, current.get(waiting.name))
            self._sweep_cache()

    def _sweep_staging(self) -> None:
        """Remove the journals of runs that nobody came back to, and folders without a journal."""
        old = time.time() - _KEEP_STAGING_S
        with transaction(self.db):
            self.db.execute("DELETE FROM journals WHERE updated_at < ?", [old])
            self.db.execute("DELETE FROM segments WHERE video_id NOT IN (SELECT video_id FROM journals)")
        known = {video_id for (video_id,) in self.db.execute("SELECT video_id FROM journals")}
        for folder in video_folders(self._root / STAGING) if (self._root / STAGING).is_dir() else []:
            if folder.name not in known:
                remove_folder(folder)

    def _sweep_cache(self) -> None:
        """Remove the cache files of generations that are gone."""
        known = {name for (name,) in self.db.execute("SELECT file FROM caches")}
        for path in (self._root / CACHE).glob("*.faiss"):
            if path.name not in known:
                path.unlink(missing_ok=True)


def _drop_all_but(folder: Path, current: Published | None) -> None:
    for generation in generation_folders(folder) if folder.is_dir() else []:
        if current is None or generation.name != current.version:
            remove_folder(generation, first=MANIFEST)
    if current is None:
        with suppress(OSError):
            folder.rmdir()  # stays where something put aside is left


def put_aside(generation: Path, reason: object) -> str:
    """Rename a broken generation, so that nobody uses it and nothing of it is lost; return what was done, in words."""
    number, target = 0, generation.with_name(generation.name + ".broken")
    while target.exists():
        number += 1
        target = generation.with_name(f"{generation.name}.broken{number}")
    generation.rename(target)
    _LOG.warning("%s put aside as %s: %s", generation, target.name, reason)
    return f"put aside {generation} as {target.name}: {reason}"


def _owner(root: Path) -> str:
    try:
        owner = json.loads((root / OWNER).read_text())
        return f"process {owner['pid']}, for {time.time() - owner['since']:.0f} s now"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
