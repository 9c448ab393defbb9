"""Search among committed generations: their indexes from cache files, few one by one and many as one collection."""

from __future__ import annotations

import heapq
import logging
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from hicom_agent.memory import queries
from hicom_agent.memory.arrays import Generation
from hicom_agent.memory.catalog import CACHE, CacheFile, Published
from hicom_agent.memory.index import Floats
from hicom_agent.memory.merged import Merged, check_width

_LOG = logging.getLogger(__name__)
_NUM_OPEN = 128
_INDEX_BYTES = 1 << 28
_LOAD_BYTES = 1 << 32
MANY = 16  # videos, from which on they are asked as one collection
_NUM_FOUND = 16  # connections and kinds


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
        self,
        db: sqlite3.Connection,
        kind: str,
        query: Floats,
        k: int,
        video_ids: Sequence[str] | None,
        profile: str = "",
        per_video: int | None = None,
    ) -> list[tuple[str, int, float]]:
        """Return the k entries nearest to `query` [e]: video id, entry, cosine; ties in order.

        Of these videos (None: all) and this profile ("": any), at most `per_video` of each. Few videos are asked one by
        one, many as one collection.
        """
        question = np.asarray(query, np.float32).reshape(-1) / (float(np.linalg.norm(query)) or 1.0)
        if video_ids is not None and len(video_ids) < MANY:
            committed = wanted = dict(queries.indexed(db, kind, video_ids, profile))
        else:
            committed = self._committed(db, kind)
            wanted = _choose(committed, video_ids, profile)
        if len(wanted) < MANY:
            indexes = ((which.video_id, self.index(which, kind, cache)) for which, cache in wanted.items())
            return best_of(
                ((video_id, index) for video_id, index in indexes if index is not None), question, k, per_video
            )
        with self._lock:
            merged = self._merged.setdefault(kind, Merged())

        def load(which: Published) -> Any | None:
            return self._load(which, kind, wanted[which])

        return merged.search(wanted, committed, question, k, load, per_video)

    def has_more(self, db: sqlite3.Connection, kind: str, other: str) -> bool:
        """Return whether more videos have vectors of one kind than of the other."""
        return len(self._committed(db, kind)) > len(self._committed(db, other))

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


def best_of(
    found: Iterable[tuple[str, Any]], question: Floats, k: int, per_index: int | None = None
) -> list[tuple[str, int, float]]:
    """Return the k best for a unit vector [e] of all indexes (video id, index): video id, entry, cosine; ties in order.

    With `per_index`, at most so many of each.
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
        each = [(video_id, int(i), float(c)) for i, c in zip(entries, cosines[0], strict=True)]
        hits += each if per_index is None else heapq.nsmallest(per_index, each, key=lambda hit: (-hit[2], hit[1]))
    return heapq.nsmallest(k, hits, key=lambda hit: (-hit[2], hit[0], hit[1]))
