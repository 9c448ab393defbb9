"""Generations: one folder of immutable files for each time a video was indexed, and the manifest that seals it.

    <store>/<video_id>/gen-000001/vectors.safetensors   vectors for search (float16), rows and checksums of the rest
                                  patches.safetensors   packed patch features, one row for each kept frame
                                  thumbs.bin            JPEGs of the kept frames, back to back
                                  meta.json             everything else
                                  MANIFEST.json         size and SHA-256 of the others; written last

A folder without its manifest was never finished. These folders are the truth; catalogue and caches are made from them.
"""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from hicom_agent.errors import StoreCorrupt, StoreTooNew
from hicom_agent.memory.disk import crash_point, hash_file, make_folder, write_file
from hicom_agent.types import Record

SCHEMA = 1
MANIFEST = "MANIFEST.json"
FORGOTTEN = "FORGOTTEN"
FILES = ("vectors.safetensors", "patches.safetensors", "thumbs.bin", "meta.json")
KINDS = ("frames", "speech", "texts", "clips")  # of vectors for search; those of clips are made from those of frames
_VIDEO_ID = re.compile(r"[0-9a-f]{16}")
_VERSION = re.compile(r"gen-(\d{6,})(\.broken.*)?")

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What seals a generation."""

    video_id: str
    version: str  # "gen-000001"
    profile: str
    settings_key: str
    committed_at: float  # seconds since 1970
    files: dict[str, tuple[str, int]]  # name -> SHA-256, size
    sha256: str  # of the manifest itself

    @property
    def num_bytes(self) -> int:
        """Return what the generation takes on the disk."""
        return sum(size for _, size in self.files.values())


def check_video_id(video_id: str) -> str:
    """Return `video_id`; raises ValueError unless it is 16 hex digits, for it becomes a path."""
    if not _VIDEO_ID.fullmatch(video_id):
        raise ValueError(f"a video id is 16 hex digits, got {video_id[:40]!r}")
    return video_id


def video_folders(root: Path) -> list[Path]:
    """Return the folders of `root` that are named by a video id, sorted."""
    return sorted(folder for folder in root.iterdir() if _VIDEO_ID.fullmatch(folder.name) and folder.is_dir())


def generation_folders(video_folder: Path) -> list[Path]:
    """Return the generations of a video that are not put aside as broken, newest first."""
    folders = (f for f in video_folder.iterdir() if (m := _VERSION.fullmatch(f.name)) and not m[2])
    return sorted(folders, key=lambda f: number_of(f.name), reverse=True)


def number_of(version: str) -> int:
    """Return the number of a version, broken or not; 0 if it is none.

    >>> number_of("gen-000003")
    3
    """
    found = _VERSION.fullmatch(version)
    return int(found[1]) if found else 0


def next_version(video_folder: Path) -> str:
    """Return a version that this video never had on this disk."""
    numbers = [number_of(f.name) for f in video_folder.iterdir()] if video_folder.is_dir() else []
    return f"gen-{max(numbers, default=0) + 1:06d}"


def write_generation(folder: Path, record: Record) -> Manifest:
    """Write all files of a generation, the manifest last; after the return it survives a loss of power."""
    make_folder(folder)
    files = {}
    for name, parts in _contents(record):
        files[name] = write_file(folder / name, parts, last=name == FILES[-1])
        crash_point(name)
    return seal(folder, Manifest(record.video_id, "", record.profile, record.settings_key, time.time(), files, ""))


def seal(folder: Path, manifest: Manifest) -> Manifest:
    """Write the manifest of a generation whose files are there, under the version that `folder` is named by."""
    body = {
        "schema": SCHEMA,
        "video_id": manifest.video_id,
        "version": folder.name,
        "profile": manifest.profile,
        "settings_key": manifest.settings_key,
        "committed_at": manifest.committed_at,
        "files": {name: {"sha256": digest, "size": size} for name, (digest, size) in manifest.files.items()},
    }
    write_file(folder / MANIFEST, [json.dumps(body, indent=1).encode()])
    crash_point("manifest")
    return read_manifest(folder)


def _contents(record: Record) -> Iterator[tuple[str, list[bytes]]]:
    kept = kept_frames(record)
    thumbnails = [record.frames[i].thumbnail for i in kept]
    packed = {name: np.ascontiguousarray(rows) for name, rows in sorted(record.packed.items())}
    search = {name: unit(rows).astype(np.float16) for name, rows in sorted(record.vectors.items())}
    rows = {
        "rows.kept": np.array(kept, np.int32),
        "rows.shown_by": np.array([frame.shown_by for frame in record.frames], np.int32),
        "rows.thumb_ends": np.cumsum([len(t) for t in thumbnails], dtype=np.int64),
        "crc.thumbs": np.array([zlib.crc32(t) for t in thumbnails], np.uint32),
    }
    checks = {f"crc.{name}": np.array([zlib.crc32(row) for row in a], np.uint32) for name, a in packed.items()}
    yield "vectors.safetensors", [save({**search, **rows, **checks})]
    yield "patches.safetensors", [save(packed)]
    yield "thumbs.bin", thumbnails
    yield "meta.json", [json.dumps(_describe(record)).encode()]


def kept_frames(record: Record) -> list[int]:
    """Return the indexes of the frames that show something new: row i of every array is of the i-th of them."""
    return [i for i, frame in enumerate(record.frames) if frame.shown_by == i]


def unit(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Return rows [n, e] of length one; one of nothing stays as it is."""
    rows = np.asarray(rows, np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    made: NDArray[np.float32] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return made


def _describe(record: Record) -> dict[str, Any]:
    names = ("video_id", "sha256", "path", "title", "profile", "settings_key", "language", "covered_s")
    return {
        **{name: getattr(record, name) for name in names},
        "info": asdict(record.info),
        "clips": [[c.index, c.start_s, c.end_s] for c in record.clips],
        "frames": [[f.time_s, f.shown_by, f.novelty] for f in record.frames],
        "speech": [[u.start_s, u.end_s, u.text] for u in record.speech],
        "texts": [[t.start_s, t.end_s, t.text] for t in record.texts],
        "damage": [[d.start_s, d.end_s, d.reason] for d in record.damage],
    }


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a generation.

    Raises StoreCorrupt where it is missing or makes no sense, StoreTooNew where a newer version wrote it.
    """
    try:
        data = (folder / MANIFEST).read_bytes()
        body = json.loads(data)
        if body["schema"] > SCHEMA:
            raise StoreTooNew(f"{folder} has schema {body['schema']}, this version knows {SCHEMA}; update hicom-agent")
        files = {name: (str(body["files"][name]["sha256"]), int(body["files"][name]["size"])) for name in FILES}
        at = float(body["committed_at"])
        words = [str(body[name]) for name in ("video_id", "version", "profile", "settings_key")]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise StoreCorrupt(f"{folder / MANIFEST} cannot be read: {error!r}; run hicom-agent doctor --repair") from error
    if (words[0], words[1]) != (folder.parent.name, folder.name):
        raise StoreCorrupt(f"{folder} holds {words[0]}/{words[1]}: it was moved; run hicom-agent doctor --repair")
    return Manifest(words[0], words[1], words[2], words[3], at, files, sha256(data).hexdigest())


def verify(folder: Path, manifest: Manifest) -> None:
    """Read every byte of a generation; raises StoreCorrupt naming the first file that is not what was written."""
    for name in FILES:
        check_file(folder, manifest, name)


def check_file(folder: Path, manifest: Manifest, name: str, *, only_size: bool = False) -> None:
    """Raise StoreCorrupt unless the file has the size, and the SHA-256, of the manifest."""
    digest, size = manifest.files[name]
    try:
        good = (folder / name).stat().st_size == size and (only_size or hash_file(folder / name) == digest)
    except OSError as error:
        raise StoreCorrupt(f"{folder / name} cannot be read: {error}; run hicom-agent doctor --repair") from error
    if not good:
        raise StoreCorrupt(f"{folder / name} is not what was written; run hicom-agent doctor --repair")


def read_meta(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """Return what meta.json holds, after its checksum."""
    check_file(folder, manifest, "meta.json")
    meta: dict[str, Any] = json.loads((folder / "meta.json").read_bytes())
    return meta
