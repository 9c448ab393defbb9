"""What runs before left: a commit that has its manifest is finished, everything else of it is removed."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from pathlib import Path

from hicom_agent.errors import StoreCorrupt
from hicom_agent.memory import files
from hicom_agent.memory.catalog import CACHE, Published, published, transaction
from hicom_agent.memory.disk import plain_errors, remove_folder
from hicom_agent.memory.foreign import INCOMING
from hicom_agent.memory.generations import (
    FORGOTTEN,
    MANIFEST,
    generation_folders,
    number_of,
    read_manifest,
    verify,
    video_folders,
)
from hicom_agent.memory.journal import STAGING
from hicom_agent.memory.publish import withdraw
from hicom_agent.memory.queries import without_clips
from hicom_agent.memory.writer import CACHED, CACHED_BEFORE, Writer

_KEEP_STAGING_S = 14 * 86400.0
_LOG = logging.getLogger(__name__)


def recover(writer: Writer) -> list[str]:
    """Finish or remove what runs before left, and return what was done, in words."""
    done: list[str] = []
    with writer.lock, plain_errors(writer.root):
        current, folders = published(writer.db), video_folders(writer.root)
        for folder in folders:
            done += _settle(writer, folder, current.get(folder.name))
        current = published(writer.db)
        writer.drop_replaced(folder for folder in folders if _has_more(folder, current.get(folder.name)))
        _sweep_staging(writer)
        remove_folder(writer.root / INCOMING)
        done += _renew_caches(writer)
        _sweep_cache(writer)
        done += _add_clips(writer)
    for line in done:
        _LOG.info("%s", line)
    return done


def _has_more(folder: Path, current: Published | None) -> bool:
    return [generation.name for generation in generation_folders(folder)] != [current and current.version]


def _settle(writer: Writer, folder: Path, current: Published | None) -> list[str]:
    """Make the newest whole generation of a video the committed one, unless it was to be forgotten."""
    done: list[str] = []
    at = number_of(current.version) if current else 0
    for generation in generation_folders(folder):
        if (generation / FORGOTTEN).exists():
            if number_of(generation.name) == at:
                with transaction(writer.db):
                    withdraw(writer.db, folder.name)
        elif number_of(generation.name) > at:
            line, good = _adopt(writer, generation)
            done.append(line)
            at = number_of(generation.name) if good else at
    return done


def _adopt(writer: Writer, generation: Path) -> tuple[str, bool]:
    """Publish a generation that is whole but not in the catalogue; put aside what is broken."""
    if not (generation / MANIFEST).exists():
        remove_folder(generation)
        return f"removed {generation}: it was never finished", False
    try:
        manifest = read_manifest(generation)
        verify(generation, manifest)
    except StoreCorrupt as error:
        return put_aside(generation, error), False
    writer.publish(generation, manifest)
    return f"published {generation}: its commit was cut short", True


def put_aside(generation: Path, reason: object) -> str:
    """Rename a broken generation, so that nobody uses it and nothing of it is lost; return what was done, in words."""
    number, target = 0, generation.with_name(generation.name + ".broken")
    while target.exists():
        number += 1
        target = generation.with_name(f"{generation.name}.broken{number}")
    generation.rename(target)
    _LOG.warning("%s put aside as %s: %s", generation, target.name, reason)
    return f"put aside {generation} as {target.name}: {reason}"


def _renew_caches(writer: Writer) -> list[str]:
    """Make the cache files again that versions before this one wrote, as FAISS indexes of twice the size."""
    current, older = published(writer.db), defaultdict(list)
    query = "SELECT video_id, kind, file FROM caches JOIN videos ON video = key ORDER BY video_id"
    for video_id, kind, name in writer.db.execute(query):
        if not name.endswith(CACHED):
            older[video_id].append(kind)
    done = []
    for video_id, kinds in older.items():
        try:
            writer.add_caches(current[video_id], kinds)
        except StoreCorrupt as error:
            _LOG.warning("no cache files of this version: %s", error)
        else:
            done.append(f"video {video_id}: made its cache files again, in the form of this version")
    return done


def _add_clips(writer: Writer) -> list[str]:
    """Make the vectors of clips that versions before this one did not make; a broken video is left for the doctor."""
    current, done = published(writer.db), []
    for video_id in without_clips(writer.db):
        try:
            writer.add_caches(current[video_id], ["clips"])
        except StoreCorrupt as error:
            _LOG.warning("no vectors of clips: %s", error)
        else:
            done.append(f"video {video_id}: made the vectors of its clips")
    return done


def _sweep_staging(writer: Writer) -> None:
    """Remove the journals of runs that nobody came back to, and folders without a journal."""
    with transaction(writer.db):
        writer.db.execute("DELETE FROM journals WHERE updated_at < ?", [time.time() - _KEEP_STAGING_S])
        writer.db.execute("DELETE FROM segments WHERE video_id NOT IN (SELECT video_id FROM journals)")
        files.sweep(writer.db)
    known = {video_id for (video_id,) in writer.db.execute("SELECT video_id FROM journals")}
    staging = writer.root / STAGING
    for folder in video_folders(staging) if staging.is_dir() else []:
        if folder.name not in known:
            remove_folder(folder)


def _sweep_cache(writer: Writer) -> None:
    """Remove the cache files of generations that are gone."""
    known = {name for (name,) in writer.db.execute("SELECT file FROM caches")}
    for path in (writer.root / CACHE).glob("*"):
        if path.suffix in (CACHED, CACHED_BEFORE) and path.name not in known:
            path.unlink(missing_ok=True)
