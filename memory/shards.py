"""Stores that become one: a video's generation is taken over from another store, checked and sealed anew.

When a video was indexed comes with it, for that is how the newer of two is told. Among a store's own generations of a
video that time has to be of one alone, since what questions made of it is kept under it: see `_free_time`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hicom_agent.errors import StoreCorrupt, UnknownVideo
from hicom_agent.memory import queries
from hicom_agent.memory.catalog import Readers
from hicom_agent.memory.disk import plain_errors
from hicom_agent.memory.generations import Manifest, check_video_id, number_of, read_manifest
from hicom_agent.memory.queries import VideoRow
from hicom_agent.memory.store import Store


def adopt(target: Store, source: Path, video_id: str) -> str:
    """Make a video of the store in the folder `source` one of `target`, and return its version there.

    Nothing is done where the same content is there already, by the same profile and with at least the same settings.
    Every byte is compared with its checksum and looked at on the way. `source` is only read, and what a writer there
    replaces meanwhile stays until it is copied. A kill leaves `target` as before or as after.

    Raises ValueError unless `target` was opened for writing; UnknownVideo, StoreCorrupt, StoreTooNew, SetupError.
    """
    with shard(source, video_id) as (generation, manifest):
        known = row_of(target, video_id)
        if known is not None and has_all_of(known, manifest):
            return known.version
        return take_over(target, generation, manifest)


@contextmanager
def shard(source: Path, video_id: str) -> Iterator[tuple[Path, Manifest]]:
    """Give the committed generation of a video and its manifest; it is not removed as long as this lasts.

    Raises UnknownVideo, StoreCorrupt, StoreTooNew, SetupError.
    """
    source = Path(source).absolute()
    readers = Readers(source)
    try:
        with readers.snapshot() as db:
            with plain_errors(source):
                try:
                    which = queries.where(db, video_id)
                except UnknownVideo as error:
                    raise UnknownVideo(f"no video {video_id[:80]!r} in the store {source}") from error
            if not number_of(which.version):  # it becomes a path
                raise StoreCorrupt(f"the catalogue in {source} has the version {which.version!r:.80}")
            generation = source / check_video_id(video_id) / which.version
            manifest = read_manifest(generation)
            if manifest.sha256 != which.manifest_sha256:
                raise StoreCorrupt(f"{generation} is not what the catalogue names; run hicom-agent doctor --repair")
            yield generation, manifest
    finally:
        readers.close()


def row_of(store: Store, video_id: str) -> VideoRow | None:
    """Return the line of a video, None if the store has none: then it has everything to gain."""
    try:
        return store.video(video_id)
    except UnknownVideo:
        return None


def has_all_of(known: VideoRow, manifest: Manifest) -> bool:
    """Return whether what is remembered is by the same profile and has at least what a generation has."""
    return known.profile == manifest.profile and set(manifest.settings_key.split()) <= set(known.settings_key.split())


def take_over(target: Store, generation: Path, manifest: Manifest) -> str:
    """Commit a generation from elsewhere, whatever `target` has of its video, and return the version."""
    return target.adopt(generation, replace(manifest, committed_at=_free_time(target, manifest)))


def _free_time(target: Store, manifest: Manifest) -> float:
    """Return when a generation was committed, moved by the least step while `target` knows another of that time.

    Another one that it knows is the committed one, or one of which the conditioned tier keeps something: what
    questions made of it must not be taken for what they would make of this.
    """
    if not math.isfinite(manifest.committed_at) or manifest.committed_at < 0:
        raise StoreCorrupt(f"{manifest.video_id} was committed at {manifest.committed_at}, which is no time")
    known, at = row_of(target, manifest.video_id), manifest.committed_at
    taken = target.conditioned.times(manifest.video_id) | ({known.indexed_at} if known else set())
    while at in taken:
        at = math.nextafter(at, math.inf)
    return at
