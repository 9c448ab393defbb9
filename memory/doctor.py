"""Find and mend what is wrong with a store on the disk."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hicom_agent.errors import SetupError, StoreCorrupt
from hicom_agent.memory.catalog import CACHE, CATALOG, Published, Readers, published, transaction
from hicom_agent.memory.conditioned import Conditioned
from hicom_agent.memory.disk import hash_file, plain_errors
from hicom_agent.memory.generations import (
    FORGOTTEN,
    MANIFEST,
    generation_folders,
    number_of,
    read_manifest,
    read_meta,
    verify,
    video_folders,
)
from hicom_agent.memory.journal import STAGING
from hicom_agent.memory.publish import COLUMNS, rows_of, video_values, withdraw
from hicom_agent.memory.queries import without_clips
from hicom_agent.memory.recovery import put_aside, recover
from hicom_agent.memory.table import load_table
from hicom_agent.memory.writer import Writer

_REPAIR = "run hicom-agent doctor --repair"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    what: str  # the video, file or table
    problem: str
    remedy: str
    serious: bool = True  # False: answers are not affected, and the next run that writes sets it right

    def __str__(self) -> str:
        return f"{self.what}: {self.problem}; {self.remedy}"


def check(folder: Path) -> list[Finding]:
    """Read every byte of a store and return what is wrong with it, nothing if it is well or not there.

    Changes nothing, and a writer may be at work meanwhile. Raises StoreTooNew, SetupError.
    """
    folder = Path(folder).absolute()
    if not folder.exists():
        return []
    try:
        readers = Readers(folder)
        try:
            with readers.snapshot() as db, plain_errors(folder):
                parts = [_check_catalog(db, folder), _check_videos(db, folder), _check_clips(db)]
                parts += [_check_staging(db, folder), _check_conditioned(folder)]
                return [finding for part in parts for finding in part]
        finally:
            readers.close()
    except StoreCorrupt as error:
        return [Finding(str(folder / CATALOG), str(error), _REPAIR)]


def _check_catalog(db: sqlite3.Connection, folder: Path) -> Iterator[Finding]:
    for (problem,) in db.execute("PRAGMA integrity_check(10)"):
        if problem != "ok":
            yield Finding(str(folder / CATALOG), problem, _REPAIR)
    for kind in ("speech", "texts"):
        (rows,), (indexed,) = (
            db.execute(f"SELECT count(*) FROM {table}").fetchone() for table in (kind, f"{kind}_words_docsize")
        )
        if rows != indexed:
            yield Finding(str(folder / CATALOG), f"{rows} rows of {kind}, {indexed} of them indexed", _REPAIR)


def _check_videos(db: sqlite3.Connection, folder: Path) -> Iterator[Finding]:
    current = published(db)
    for video_id, which in current.items():
        problem = _problem_of(db, folder, which)
        if problem:
            yield Finding(f"video {video_id}", problem, _REPAIR + ", then index it again")
        yield from _check_caches(db, folder, which)
    for video_folder in video_folders(folder):
        which_at = current.get(video_folder.name)
        at = number_of(which_at.version) if which_at else 0
        for path in sorted(video_folder.iterdir()):
            if number_of(path.name) and number_of(path.name) != at:
                yield _stray(path, at)


def _stray(path: Path, at: int) -> Finding:
    """Return what to say of a generation that is not the committed one."""
    if ".broken" in path.name:
        return Finding(
            str(path), "put aside because it is broken", "index the video again, then remove this folder", serious=False
        )
    if (path / FORGOTTEN).exists():
        return Finding(
            str(path), "forgotten, and not yet removed", "the next run that writes removes it", serious=False
        )
    if (path / MANIFEST).exists() and number_of(path.name) > at:
        return Finding(str(path), "whole, but not in the catalogue", "the next run that writes adds it", serious=False)
    if (path / MANIFEST).exists():
        return Finding(str(path), "replaced, and not yet removed", "the next run that writes removes it", serious=False)
    return Finding(str(path), "never finished", "a run is at work, or the next one removes it", serious=False)


def _problem_of(db: sqlite3.Connection, folder: Path, which: Published) -> str:
    """Return what is wrong with a committed generation and its rows, "" if all is well."""
    generation = folder / which.video_id / which.version
    try:
        manifest = read_manifest(generation)
        verify(generation, manifest)
        meta = read_meta(generation, manifest)
    except StoreCorrupt as error:
        return str(error)
    values = video_values(manifest, meta)
    found = db.execute(f"SELECT key, {', '.join(values)} FROM videos WHERE video_id = ?", [which.video_id]).fetchone()
    if found[1:] != tuple(values.values()):
        return "its row of the catalogue is not what its files say"
    for table, rows in rows_of(meta).items():
        query = f"SELECT {COLUMNS[table]} FROM {table} WHERE video = ? ORDER BY idx"
        if db.execute(query, found[:1]).fetchall() != rows:
            return f"its {table} in the catalogue are not what its files say"
    return ""


def _check_caches(db: sqlite3.Connection, folder: Path, which: Published) -> Iterator[Finding]:
    query = "SELECT file, caches.sha256 FROM caches JOIN videos ON video = key WHERE video_id = ?"
    for name, digest in db.execute(query, [which.video_id]):
        path = folder / CACHE / name
        if not path.is_file():
            yield Finding(str(path), "the cache file is missing; answers are slower, not wrong", _REPAIR, serious=False)
        elif load_table(path, digest) is None:
            yield Finding(str(path), "the cache file is damaged and is not used", _REPAIR, serious=False)


def _check_clips(db: sqlite3.Connection) -> Iterator[Finding]:
    for video_id in without_clips(db):
        problem = "its clips have no vectors of their own yet; the archive is searched by its frames instead"
        yield Finding(f"video {video_id}", problem, "the next run that writes makes them", serious=False)


def _check_staging(db: sqlite3.Connection, folder: Path) -> Iterator[Finding]:
    for video_id, name, digest in db.execute("SELECT video_id, file, sha256 FROM segments"):
        path = folder / STAGING / video_id / name
        if not path.is_file() or hash_file(path) != digest:
            yield Finding(
                str(path), "a finished segment is damaged", "it is made again when the video is indexed", serious=False
            )


def _check_conditioned(folder: Path) -> Iterator[Finding]:
    with closing(Conditioned(folder, 0)) as conditioned:
        damaged = conditioned.check()
    for what in damaged:
        yield Finding(what, "damaged, so they are not used", "they are made again when they are needed", serious=False)


def _mend_conditioned(writer: Writer, folder: Path) -> list[str]:
    with closing(Conditioned(folder, 0)) as conditioned:
        num = conditioned.mend(dict(writer.db.execute("SELECT video_id, indexed_at FROM videos")))
    return [f"dropped {num} entries of tokens that were damaged or out of date"] if num else []


def repair(folder: Path) -> list[str]:
    """Mend what can be mended and return what was done, in words.

    The catalogue and the caches are made again from the generations. A generation that is not what was written is
    put aside under another name, never removed, and its video must be indexed again.
    Raises StoreBusy, StoreTooNew, SetupError.
    """
    folder = Path(folder).absolute()
    if not folder.exists():
        return []
    writer = Writer(folder)
    try:
        with plain_errors(folder):
            done = [*_mend_catalog(writer, folder), *_mend_words(writer.db)]
            for which in published(writer.db).values():
                done += _mend_video(writer, folder, which)
            done += recover(writer)
            return [*done, *_mend_conditioned(writer, folder)]
    finally:
        writer.close()


def _mend_catalog(writer: Writer, folder: Path) -> list[str]:
    """Open the catalogue; one that cannot be trusted is put aside, and the sweep makes another from the generations."""
    problem = next((str(finding) for finding in check(folder) if finding.what == str(folder / CATALOG)), "")
    if not problem:
        try:
            writer.connect()
            return []
        except (StoreCorrupt, SetupError) as error:
            problem = str(error)
    done = ["made the catalogue again"]
    if (folder / CATALOG).exists():
        target = next(p for n in range(10**6) if not (p := folder / f"{CATALOG}.broken{n or ''}").exists())
        for suffix in ("-shm", "-wal"):
            (folder / (CATALOG + suffix)).unlink(missing_ok=True)
        (folder / CATALOG).rename(target)
        done = [f"put aside the catalogue as {target.name} and made it again: {problem}"]
        done.append("unfinished runs begin again: what they had finished was in that catalogue")
    writer.connect()
    return done


def _mend_words(db: sqlite3.Connection) -> list[str]:
    """Make the full-text indexes again that do not have the words of their table."""
    done = []
    for name in ("speech_words", "texts_words"):
        try:
            db.execute(f"INSERT INTO {name} ({name}, rank) VALUES ('integrity-check', 1)")
        except sqlite3.DatabaseError:
            db.execute(f"INSERT INTO {name} ({name}) VALUES ('rebuild')")
            done.append(f"made the full-text index {name} again")
    return done


def _mend_video(writer: Writer, folder: Path, which: Published) -> list[str]:
    generation = folder / which.video_id / which.version
    problem = _problem_of(writer.db, folder, which)
    if not problem:
        stale = list(_check_caches(writer.db, folder, which))
        if stale:
            writer.publish(generation, read_manifest(generation))
        return [f"made {finding.what} again" for finding in stale]
    try:
        manifest = read_manifest(generation)
        verify(generation, manifest)
    except StoreCorrupt as error:
        return _lose(writer, generation, error)
    writer.publish(generation, manifest)
    return [f"video {which.video_id}: made its rows of the catalogue again: {problem}"]


def _lose(writer: Writer, generation: Path, error: StoreCorrupt) -> list[str]:
    """Take a broken generation out of the catalogue; an older whole one, if there is one, comes back by the sweep."""
    query = "SELECT title, path FROM videos WHERE video_id = ?"
    title, path = writer.db.execute(query, [generation.parent.name]).fetchone()
    done = [put_aside(generation, error)] if generation.exists() else []
    with transaction(writer.db):
        withdraw(writer.db, generation.parent.name)
    if not (generation.parent.exists() and generation_folders(generation.parent)):
        again = f"run hicom-agent index {os.fsdecode(path)}"
        done.append(f"video {generation.parent.name} {title!r} is lost; {again}")
    return done
