"""Arrays of committed generations: search vectors through FAISS, packed patch features by row, thumbnails."""

from __future__ import annotations

import heapq
import logging
import sqlite3
import threading
import zlib
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from hicom_agent.errors import StoreCorrupt
from hicom_agent.memory import queries
from hicom_agent.memory.catalog import CACHE, CacheFile, Published
from hicom_agent.memory.generations import check_file, read_manifest, read_meta, unit
from hicom_agent.memory.index import Floats
from hicom_agent.memory.merged import Merged, check_width

_LOG = logging.getLogger(__name__)
_NUM_OPEN = 128
_INDEX_BYTES = 1 << 28
_LOAD_BYTES = 1 << 32
MANY = 16  # videos, from which on they are asked as one collection
_NUM_FOUND = 16  # connections and kinds
_open_file: Any = safe_open  # it has no types


class Generation:
    """The arrays of one generation; what is read is checked: whole files once, rows and thumbnails each time."""

    def __init__(self, folder: Path, manifest_sha256: str) -> None:
        """Open a generation; raises StoreCorrupt unless it is the one with this manifest."""
        self.folder = folder
        self._manifest = read_manifest(folder)
        if self._manifest.sha256 != manifest_sha256:
            raise StoreCorrupt(f"{folder} is not what the catalogue names; run hicom-agent doctor --repair")
        check_file(folder, self._manifest, "vectors.safetensors")
        for name in ("patches.safetensors", "thumbs.bin"):
            check_file(folder, self._manifest, name, only_size=True)
        try:
            self._vectors = _open_file(folder / "vectors.safetensors", framework="numpy")
            self._patches = _open_file(folder / "patches.safetensors", framework="numpy")
        except SafetensorError as error:
            raise StoreCorrupt(f"{folder} cannot be read: {error}; run hicom-agent doctor --repair") from error
        self._small = {n: self._vectors.get_tensor(n) for n in self._vectors.keys() if "." in n}  # noqa: SIM118
        self._packed = sorted(self._patches.keys())

    def vectors(self, kind: str) -> Floats:
        """Return the vectors [n, e] of a kind, n = 0 if there are none."""
        if kind == "clips":
            return self._clips()[1]
        if kind not in self._vectors.keys():  # noqa: SIM118 - the file is no mapping
            return np.zeros((0, 0), np.float32)
        return np.asarray(self._vectors.get_tensor(kind), np.float32)

    def index(self, kind: str) -> Any | None:
        """Return a new index over the vectors of a kind, None if there are none; it answers with indexes of entries."""
        if kind == "clips":
            entries, vectors = self._clips()
        else:
            vectors = self.vectors(kind)
            entries = self._small["rows.kept"] if kind == "frames" else range(len(vectors))
        return make_index(vectors, entries) if len(vectors) else None

    def _clips(self) -> tuple[Sequence[int], Floats]:
        """Return which clips have frames with vectors, and their mean directions [n, e]."""
        frames = self.vectors("frames")
        if not len(frames):
            return [], frames
        meta = read_meta(self.folder, self._manifest)
        rows = frames[self._rows_for(range(self.num_frames))]  # one for each sampled frame
        times_s = [time_s for time_s, *_ in meta["frames"]]
        means = {
            index: rows[first:after].mean(axis=0)
            for index, start_s, end_s in meta["clips"]
            if (first := bisect_left(times_s, start_s)) < (after := bisect_left(times_s, end_s))
        }
        vectors = unit(np.stack(list(means.values()))) if means else frames[:0]
        return list(means), vectors.astype(np.float16).astype(np.float32)  # as all others are kept

    @property
    def num_frames(self) -> int:
        """Return how many frames were sampled."""
        return len(self._small["rows.shown_by"])

    def features(self, frames: Sequence[int]) -> dict[str, NDArray[Any]]:
        """Return every packed array with one row for each of `frames`; only those rows are read."""
        rows = self._rows_for(frames)
        return {name: self._read_rows(name, rows) for name in self._packed}

    def _rows_for(self, frames: Sequence[int]) -> list[int]:
        """Return the row of each frame; one that was not kept has the row of the kept one that shows the same."""
        wrong = [frame for frame in frames if not 0 <= frame < self.num_frames]
        if wrong:
            raise ValueError(f"no frame {wrong[0]} in {self.folder}; there are {self.num_frames}, counted from 0")
        shown_by = self._small["rows.shown_by"][np.asarray(frames, np.int64)]
        return [int(row) for row in np.searchsorted(self._small["rows.kept"], shown_by)]

    def _read_rows(self, name: str, rows: Sequence[int]) -> NDArray[Any]:
        table = self._patches.get_slice(name)
        parts = [table[start:stop] for start, stop in _runs(rows)]
        array = np.concatenate(parts) if parts else table[0:0]
        checks = self._small[f"crc.{name}"]
        for row, data in zip(rows, array, strict=True):
            if zlib.crc32(data.tobytes()) != checks[row]:
                where = f"{self.folder / 'patches.safetensors'} row {row} of {name}"
                raise StoreCorrupt(f"{where} is not what was written; run hicom-agent doctor --repair")
        return array

    def thumbnail(self, frame: int) -> bytes:
        """Return the JPEG of a frame, or of the kept one that shows the same."""
        [row] = self._rows_for([frame])
        ends = self._small["rows.thumb_ends"]
        start = int(ends[row - 1]) if row else 0
        with (self.folder / "thumbs.bin").open("rb") as file:
            file.seek(start)
            data = file.read(int(ends[row]) - start)
        if zlib.crc32(data) != self._small["crc.thumbs"][row]:
            where = f"{self.folder / 'thumbs.bin'} at {start}"
            raise StoreCorrupt(f"{where} is not what was written; run hicom-agent doctor --repair")
        return data


def _runs(rows: Sequence[int]) -> list[tuple[int, int]]:
    """Return stretches [start, stop) of neighbouring rows, in the order of `rows`.

    >>> _runs([4, 5, 6, 9, 2])
    [(4, 7), (9, 10), (2, 3)]
    """
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and runs[-1][1] == row:
            runs[-1] = (runs[-1][0], row + 1)
        else:
            runs.append((row, row + 1))
    return runs


def make_index(vectors: Floats, entries: Sequence[int]) -> Any:
    """Return a flat inner product index over unit vectors [n, e], which knows what entry each row is of."""
    index = faiss.IndexIDMap(faiss.IndexFlatIP(vectors.shape[1]))
    index.add_with_ids(np.ascontiguousarray(vectors, np.float32), np.array(entries, np.int64))
    return index


def dump_index(index: Any) -> bytes:
    """Return an index as the bytes of a cache file."""
    data: bytes = faiss.serialize_index(index).tobytes()
    return data


def load_index(path: Path, digest: str) -> Any | None:
    """Return the index in a cache file, None unless its bytes have this SHA-256.

    FAISS loads flipped bits silently and trusts the lengths it reads, so nothing else is ever handed to it.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    if sha256(data).hexdigest() != digest:
        _LOG.warning("%s is not what was written; the index is made again from the vectors", path)
        return None
    faiss.set_deserialization_vector_byte_limit(_LOAD_BYTES)  # of the whole process, so always the same
    try:
        return faiss.deserialize_index(np.frombuffer(data, np.uint8))
    except RuntimeError as error:
        _LOG.warning("%s is of another FAISS; the index is made again from the vectors: %s", path, error)
        return None


class Shelf:
    """Generations and indexes kept open between questions; the ones not used for longest go first."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._generations: OrderedDict[Published, Generation] = OrderedDict()
        self._indexes: OrderedDict[tuple[Published, str], Any] = OrderedDict()
        self._num_bytes = 0
        self._merged: dict[str, Merged] = {}
        self._found: OrderedDict[tuple[int, str], tuple[sqlite3.Connection, int, dict[Published, CacheFile]]]
        self._found = OrderedDict()

    def generation(self, which: Published) -> Generation:
        """Return an opened generation; raises StoreCorrupt."""
        with self._lock:
            if which in self._generations:
                self._generations.move_to_end(which)
                return self._generations[which]
        opened = Generation(self._root / which.video_id / which.version, which.manifest_sha256)
        with self._lock:
            self._generations[which] = opened
            while len(self._generations) > _NUM_OPEN:
                self._generations.popitem(last=False)
        return opened

    def index(self, which: Published, kind: str, cache: CacheFile) -> Any | None:
        """Return the index of a kind: kept open, from its cache file, or made from the vectors."""
        with self._lock:
            if (which, kind) in self._indexes:
                self._indexes.move_to_end((which, kind))
                return self._indexes[which, kind]
        index = self._load(which, kind, cache)
        if index is not None:
            self._keep((which, kind), index)
        return index

    def _load(self, which: Published, kind: str, cache: CacheFile) -> Any | None:
        index = load_index(self._root / CACHE / cache.name, cache.sha256)
        return self.generation(which).index(kind) if index is None else index

    def _keep(self, key: tuple[Published, str], index: Any) -> None:
        with self._lock:
            if key not in self._indexes:
                self._indexes[key] = index
                self._num_bytes += _bytes_of(index)
            while self._num_bytes > _INDEX_BYTES and len(self._indexes) > 1:
                self._num_bytes -= _bytes_of(self._indexes.popitem(last=False)[1])

    def search(
        self, db: sqlite3.Connection, kind: str, query: Floats, k: int, video_ids: Sequence[str] | None, profile: str
    ) -> list[tuple[str, int, float]]:
        """Return the k entries nearest to `query` [e]: video id, entry, cosine; ties in order.

        Of these videos (None: all) and this profile ("": any). Few are asked one by one, many as one collection.
        """
        question = np.asarray(query, np.float32).reshape(-1) / (float(np.linalg.norm(query)) or 1.0)
        if video_ids is not None and len(video_ids) < MANY:
            committed = wanted = dict(queries.indexed(db, kind, video_ids, profile))
        else:
            committed = self._committed(db, kind)
            wanted = _choose(committed, video_ids, profile)
        if len(wanted) < MANY:
            indexes = ((which.video_id, self.index(which, kind, cache)) for which, cache in wanted.items())
            return best_of(((video_id, index) for video_id, index in indexes if index is not None), question, k)
        with self._lock:
            merged = self._merged.setdefault(kind, Merged())
        return merged.search(wanted, committed, question, k, lambda which: self._load(which, kind, wanted[which]))

    def _committed(self, db: sqlite3.Connection, kind: str) -> dict[Published, CacheFile]:
        """Return all generations with vectors of a kind; reading a thousand takes 7 ms, so only after a change."""
        version = db.execute("PRAGMA data_version").fetchone()[0]  # tells changes to this connection alone
        with self._lock:
            _, known, found = self._found.get((id(db), kind), (None, None, {}))
        if known == version:
            return found
        found = dict(queries.indexed(db, kind, None, ""))
        with self._lock:
            self._found[id(db), kind] = db, version, found  # kept with it, so that its id stays its own
            while len(self._found) > _NUM_FOUND:
                self._found.popitem(last=False)
        return found

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._generations.clear()
            self._indexes.clear()
            self._merged.clear()
            self._found.clear()
            self._num_bytes = 0


def _choose(
    committed: dict[Published, CacheFile], video_ids: Sequence[str] | None, profile: str
) -> dict[Published, CacheFile]:
    """Return those of these videos and this profile; the very same mapping if that is all."""
    if video_ids is None and (not profile or {which.profile for which in committed} <= {profile}):
        return committed  # to hash a thousand takes 4 ms
    ids = None if video_ids is None else set(video_ids)
    chosen = {
        which: cache
        for which, cache in committed.items()
        if (ids is None or which.video_id in ids) and profile in ("", which.profile)
    }
    return committed if len(chosen) == len(committed) else chosen


def _bytes_of(index: Any) -> int:
    return int(index.ntotal * index.d * 4)


def best_of(found: Iterable[tuple[str, Any]], question: Floats, k: int) -> list[tuple[str, int, float]]:
    """Return the k best for a unit vector [e] of all indexes (video id, index): video id, entry, cosine; ties in order.

    Raises ValueError unless all have vectors of that width.
    """
    hits: list[tuple[str, int, float]] = []
    for video_id, index in found:
        check_width(video_id, index.d, question)
        # IndexIDMap.search wakes all threads to translate k numbers: 9 ms instead of 0.3 on a busy machine.
        cosines, rows = index.index.search(question.reshape(1, -1), min(k + 1, index.ntotal))
        if index.ntotal > k and cosines[0, k] == cosines[0, k - 1]:  # FAISS keeps any of those that tie with the last
            cosines, rows = index.index.search(question.reshape(1, -1), index.ntotal)
        entries = faiss.vector_to_array(index.id_map)[rows[0]]
        hits += [(video_id, int(i), float(c)) for i, c in zip(entries, cosines[0], strict=True)]
    return heapq.nsmallest(k, hits, key=lambda hit: (-hit[2], hit[0], hit[1]))
