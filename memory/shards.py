"""Stores that become one: a video's generation is taken over from another store, checked and sealed anew.

When a video was indexed comes with it, for that is how the newer of two is told. Among a store's own generations of a
video that time has to be of one alone, since what questions made of it is kept under it: see `_free_time`.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from hicom_agent.errors import StoreCorrupt, UnknownVideo
from hicom_agent.memory import queries
from hicom_agent.memory.catalog import Published, Readers
from hicom_agent.memory.disk import plain_errors
from hicom_agent.memory.files import seen_files
from hicom_agent.memory.foreign import widths_of
from hicom_agent.memory.generations import Manifest, check_video_id, number_of, read_manifest
from hicom_agent.memory.queries import VideoRow
from hicom_agent.memory.store import Store


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one video that was to be taken over."""

    video_id: str
    source: str  # the store or archive
    state: Literal["adopted", "there already", "refused"]
    version: str = ""  # that is committed now
    why: str = ""  # it was refused, or what it stands in the place of


def adopt(target: Store, source: Path, video_id: str) -> str:
    """Make a video of the store in the folder `source` one of `target`, and return its version there.

    Nothing is done where the same content is there already, by the same profile and with at least the same settings.
    Every byte is compared with its checksum and looked at on the way. `source` is only read, and what a writer there
    replaces meanwhile stays until it is copied. A kill leaves `target` as before or as after.

    Raises ValueError unless `target` was opened for writing; UnknownVideo, StoreCorrupt, StoreTooNew, SetupError.
    """
    with reading(source) as db:
        try:
            which = queries.where(db, video_id)
        except UnknownVideo as error:
            raise UnknownVideo(f"no video {video_id[:80]!r} in the store {source}") from error
        taken = adopt_generation(target, *sealed(source, which))
        note_files(target, db, video_id)
        return taken.version


def note_files(target: Store, db: sqlite3.Connection, video_id: str) -> None:
    """Tell `target` the files that another catalogue saw a video in."""
    for seen in seen_files(db):
        if seen.video_id == video_id:
            target.note_file(seen)


def adopt_generation(target: Store, generation: Path, manifest: Manifest) -> Taken:
    """Take over a generation that lies in the folder `generation`, unless `target` has all of it; as `adopt`."""
    known = row_of(target, manifest.video_id)
    if known is not None and _has_all_of(known, manifest):
        return Taken(manifest.video_id, str(generation), "there already", known.version)
    return take_over(target, generation, manifest, known)


@contextmanager
def reading(source: Path) -> Iterator[sqlite3.Connection]:
    """Give the catalogue of a store; what it names is not removed as long as this lasts.

    Raises StoreCorrupt, StoreTooNew, SetupError.
    """
    readers = Readers(Path(source).absolute())
    try:
        with readers.snapshot() as db, plain_errors(source):
            yield db
    finally:
        readers.close()


def sealed(source: Path, which: Published) -> tuple[Path, Manifest]:
    """Return the folder of a generation that the catalogue of `source` names, and its manifest.

    Raises StoreCorrupt, StoreTooNew.
    """
    try:  # both become a path
        generation = Path(source).absolute() / check_video_id(which.video_id) / which.version
        if not number_of(which.version):
            raise ValueError(f"{which.version!r:.80} is no version")
    except (ValueError, TypeError) as error:
        raise StoreCorrupt(f"the catalogue in {source} makes no sense: {error}") from error
    manifest = read_manifest(generation)
    if manifest.sha256 != which.manifest_sha256:
        raise StoreCorrupt(f"{generation} is not what the catalogue names; run hicom-agent doctor --repair")
    return generation, manifest


def row_of(store: Store, video_id: str) -> VideoRow | None:
    """Return the line of a video, None if the store does not have it."""
    with suppress(UnknownVideo):
        return store.video(video_id)
    return None


def _has_all_of(known: VideoRow, manifest: Manifest) -> bool:
    return known.profile == manifest.profile and set(manifest.settings_key.split()) <= set(known.settings_key.split())


def take_over(target: Store, generation: Path, manifest: Manifest, known: VideoRow | None) -> Taken:
    """Commit a generation from elsewhere, whatever `target` has of its video."""
    check_widths(target, generation, manifest)
    version = target.adopt(generation, replace(manifest, committed_at=_free_time(target, manifest, known)))
    replaced = f"in the place of {known.version} of profile {known.profile}" if known else ""
    return Taken(manifest.video_id, str(generation), "adopted", version, replaced)


def check_widths(target: Store, generation: Path, manifest: Manifest) -> None:
    """Raise StoreCorrupt unless the vectors are as wide as others of their profile: they are searched together."""
    widths = target.widths(manifest.profile, besides=manifest.video_id)
    for kind, width in widths_of(generation).items():
        if width != widths.get(kind, width):
            expected = f"those of profile {manifest.profile} have {widths[kind]} numbers"
            raise StoreCorrupt(f"{generation} makes no sense: vectors of {kind} have {width}, {expected}")


def _free_time(target: Store, manifest: Manifest, known: VideoRow | None) -> float:
    """Return when a generation was committed, moved by the least step while `target` knows another of that time.

    Another one that it knows is the committed one, or one of which the conditioned tier keeps something: what
    questions made of it must not be taken for what they would make of this.
    """
    at = manifest.committed_at
    if not math.isfinite(at) or at < 0:
        raise StoreCorrupt(f"{manifest.video_id} was committed at {at}, which is no time")
    taken = target.conditioned.times(manifest.video_id) | ({known.indexed_at} if known else set())
    while at in taken:
        at = math.nextafter(at, math.inf)
    return at
