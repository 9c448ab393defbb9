"""The journal: what a run has finished of a video, so that a killed run loses the segment in work and no more."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import threading
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from hicom_agent.errors import StoreCorrupt
from hicom_agent.memory.catalog import transaction
from hicom_agent.memory.disk import crash_point, hash_file, make_folder, plain_errors, remove_folder, write_file

STAGING = "staging"
_LOG = logging.getLogger(__name__)
_STAGE = re.compile(r"[a-z0-9_-]{1,32}")
_META = "meta"


class Journal:
    """The finished segments of one video, for exactly one profile and one set of settings; safe from many threads.

    A segment is acknowledged when its row is committed, and the row is written after its file reached the disk.
    """

    def __init__(self, root: Path, db: sqlite3.Connection, lock: threading.RLock, video_id: str) -> None:
        """Open what there is; `Writer.journal` makes sure that it is of the right profile and settings."""
        self.video_id = video_id
        self._root = root
        self._folder = root / STAGING / video_id
        self._db = db
        self._lock = lock
        self._files: dict[tuple[str, int], tuple[str, str]] = {}

    def open(self, profile: str, settings_key: str) -> Journal:
        """Drop what belongs to another profile or other settings, and what is not whole; return the rest."""
        with self._lock, plain_errors(self._root):
            row = self._db.execute("SELECT profile, settings_key FROM journals WHERE video_id = ?", [self.video_id])
            if row.fetchone() != (profile, settings_key):
                self._start(profile, settings_key)
            make_folder(self._folder.parent)
            make_folder(self._folder)
            rows = self._db.execute("SELECT stage, idx, file, sha256 FROM segments WHERE video_id = ?", [self.video_id])
            self._files = {(stage, index): (file, digest) for stage, index, file, digest in rows}
            for stage, index in [key for key, fact in self._files.items() if not self._whole(*fact)]:
                _LOG.warning("segment %s %d of %s is damaged and is made again", stage, index, self.video_id)
                self._drop(stage, index)
            self._sweep()
        return self

    def save(self, stage: str, index: int, arrays: Mapping[str, NDArray[Any]], meta: Any) -> None:
        """Keep the result of a segment: arrays, and anything that JSON can hold; a second save replaces the first.

        Raises ValueError for arrays of objects, SetupError where the disk fails.
        """
        if not _STAGE.fullmatch(stage):
            raise ValueError(f"a stage is up to 32 small letters, got {stage!r}")
        if any(array.dtype.hasobject for array in arrays.values()):
            raise ValueError("arrays of objects are not kept; give numbers, and words in meta")
        data = save({n: np.asarray(a, order="C") for n, a in arrays.items()}, {_META: json.dumps(meta)})
        digest = sha256(data).hexdigest()
        name = f"{stage}-{index:06d}-{digest[:16]}.safetensors"
        with self._lock, plain_errors(self._root):
            write_file(self._folder / name, [data])
            crash_point("segment-file")
            with transaction(self._db):
                fact = (self.video_id, stage, index, name, digest)
                self._db.execute("INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?, ?)", fact)
                self._db.execute("UPDATE journals SET updated_at = ? WHERE video_id = ?", (time.time(), self.video_id))
            crash_point("segment-row")
            old = self._files.get((stage, index), (name, ""))[0]
            self._files[stage, index] = (name, digest)
            if old != name:
                (self._folder / old).unlink(missing_ok=True)

    def load(self, stage: str, index: int) -> tuple[dict[str, NDArray[Any]], Any]:
        """Return what was saved.

        Raises KeyError if it never was, StoreCorrupt if it is damaged: then it is not done any more.
        """
        name, digest = self._files[stage, index]
        with self._lock, plain_errors(self._root):
            path = self._folder / name
            data = path.read_bytes() if path.is_file() else b""
            if sha256(data).hexdigest() != digest:
                self._drop(stage, index)
                raise StoreCorrupt(f"segment {stage} {index} of {self.video_id} is damaged; index the video again")
        return load(data), _read_meta(data)

    def done(self, stage: str) -> set[int]:
        """Return the indexes of the segments that are kept and whole."""
        with self._lock:
            return {index for name, index in self._files if name == stage}

    def _start(self, profile: str, settings_key: str) -> None:
        with transaction(self._db):
            self._db.execute("DELETE FROM segments WHERE video_id = ?", [self.video_id])
            fact = (self.video_id, profile, settings_key, time.time())
            self._db.execute("INSERT OR REPLACE INTO journals VALUES (?, ?, ?, ?)", fact)
        remove_folder(self._folder)

    def _whole(self, name: str, digest: str) -> bool:
        path = self._folder / name
        return path.is_file() and hash_file(path) == digest

    def _drop(self, stage: str, index: int) -> None:
        key = (self.video_id, stage, index)
        with transaction(self._db):
            self._db.execute("DELETE FROM segments WHERE video_id = ? AND stage = ? AND idx = ?", key)
        name, _ = self._files.pop((stage, index))
        (self._folder / name).unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove files that were never acknowledged."""
        known = {name for name, _ in self._files.values()}
        for path in self._folder.iterdir():
            if path.name not in known:
                path.unlink()


def _read_meta(data: bytes) -> Any:
    """Return the meta of a segment from the header of its file."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return json.loads(header["__metadata__"][_META])
