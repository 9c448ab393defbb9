"""Search among committed generations: their vectors from cache files, few one by one and many as one collection."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from hicom_agent.memory import queries
from hicom_agent.memory.arrays import Generation
from hicom_agent.memory.catalog import CACHE, CacheFile, Published
from hicom_agent.memory.flat import Floats, Part, flat_of, nearest, threads
from hicom_agent.memory.groups import first_of
from hicom_agent.memory.index import NUM_THREADS
from hicom_agent.memory.known import Known, Recent
from hicom_agent.memory.merged import Merged, check_width
from hicom_agent.memory.table import Table, load_table

_NUM_OPEN = 128
_PART_BYTES = 1 << 28
MANY = 17  # videos, from which on they are asked as one collection; those chosen for a question are fewer


class Shelf:
    """Generations and vectors kept open between questions; the ones not used for longest go first."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._generations: Recent[Published, Generation] = Recent(_NUM_OPEN)
        self._parts: OrderedDict[tuple[Published, str], Part] = OrderedDict()
        self._num_bytes = 0
        self._merged: dict[str, Merged] = {}

    def generation(self, which: Published) -> Generation:
        """Return an opened generation; raises StoreCorrupt."""
        folder = self._root / which.video_id / which.version
        return self._generations.of(which, lambda: Generation(folder, which.manifest_sha256))

    def part(self, which: Published, kind: str, cache: CacheFile) -> Part | None:
        """Return the vectors of a kind: kept open, out of the collection, or from the disk."""
        with self._lock:
            if (which, kind) in self._parts:
                self._parts.move_to_end((which, kind))
                return self._parts[which, kind]
            merged = self._merged.get(kind)
        part = merged.part(which) if merged is not None else None
        if part is None and (table := self._load(which, kind, cache)) is not None:
            part = Part(np.array(table.entries), flat_of(table.rows))
            self._keep((which, kind), part)
        return part

    def _load(self, which: Published, kind: str, cache: CacheFile) -> Table | None:
        table = load_table(self._root / CACHE / cache.name, cache.sha256)
        return self.generation(which).table(kind) if table is None else table

    def _keep(self, key: tuple[Published, str], part: Part) -> None:
        with self._lock:
            if key not in self._parts:
                self._parts[key] = part
                self._num_bytes += _bytes_of(part)
            while self._num_bytes > _PART_BYTES and len(self._parts) > 1:
                self._num_bytes -= _bytes_of(self._parts.popitem(last=False)[1])

    def search(
        self,
        known: Known,
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
            committed = wanted = _few(known, kind, video_ids, profile)
        else:
            committed = _committed(known, kind)
            wanted = _choose(known, kind, video_ids, profile)
        if len(wanted) < MANY:
            parts = ((which.video_id, self.part(which, kind, cache)) for which, cache in wanted.items())
            return best_of(((video_id, part) for video_id, part in parts if part is not None), question, k, per_video)
        with self._lock:
            merged = self._merged.setdefault(kind, Merged())

        def load(which: Published) -> Table | None:
            return self._load(which, kind, wanted[which])

        return merged.search(wanted, committed, question, k, load, per_video)

    def has_more(self, known: Known, kind: str, other: str) -> bool:
        """Return whether more videos have vectors of one kind than of the other."""
        return len(_committed(known, kind)) > len(_committed(known, other))

    def close(self) -> None:
        """Let go of everything."""
        self._generations.forget()
        with self._lock:
            self._parts.clear()
            self._merged.clear()
            self._num_bytes = 0


def _committed(known: Known, kind: str) -> dict[Published, CacheFile]:
    """Return all generations with vectors of a kind; reading a thousand takes 7 ms."""
    return known.of(f"vectors of {kind}", lambda db: dict(queries.indexed(db, kind, None, "")))


def _few(known: Known, kind: str, video_ids: Sequence[str], profile: str) -> dict[Published, CacheFile]:
    """Return those of few videos and this profile; all are not read for them, but used where they were."""
    if not known.got(f"vectors of {kind}"):
        return dict(queries.indexed(known.db, kind, video_ids, profile))
    committed = _committed(known, kind)
    of_video = known.of(f"generations with {kind}", lambda db: {which.video_id: which for which in committed})
    found = (of_video[video_id] for video_id in dict.fromkeys(video_ids) if video_id in of_video)
    return {which: committed[which] for which in found if profile in ("", which.profile)}


def _choose(known: Known, kind: str, video_ids: Sequence[str] | None, profile: str) -> dict[Published, CacheFile]:
    """Return those of these videos and this profile; the very same mapping if that is all."""
    committed = _committed(known, kind)
    profiles = known.of(f"profiles of {kind}", lambda db: {which.profile for which in committed})
    if video_ids is None and (not profile or profiles <= {profile}):
        return committed  # to hash a thousand takes 4 ms
    ids = None if video_ids is None else set(video_ids)
    chosen = {
        which: cache
        for which, cache in committed.items()
        if (ids is None or which.video_id in ids) and profile in ("", which.profile)
    }
    return committed if len(chosen) == len(committed) else chosen


def _bytes_of(part: Part) -> int:
    return int(part.index.ntotal * part.index.d * 2)


def best_of(
    found: Iterable[tuple[str, Part]], question: Floats, k: int, per_part: int | None = None
) -> list[tuple[str, int, float]]:
    """Return the k best for a unit vector [e] of all videos (video id, part): video id, entry, cosine; ties in order.

    With `per_part`, at most so many of each.
    Raises ValueError unless all have vectors of that width.
    """
    asked, ids, entries, products = question.reshape(1, -1), [], [], []
    with threads(NUM_THREADS):
        for video_id, part in found:
            check_width(video_id, part.index.d, question)
            rows, near = nearest(part.index, asked, k if per_part is None else min(k, per_part))
            ids.append(video_id)
            entries.append(part.entries[rows])
            products.append(near)
    if not ids:
        return []
    cosines = np.concatenate(products)
    place = np.argsort(np.argsort(np.array(ids), kind="stable"), kind="stable")  # in the order of ids
    video, entry = np.repeat(place, [len(each) for each in entries]), np.concatenate(entries)
    order = np.lexsort((entry, video, -cosines))
    best = (order if per_part is None else order[first_of(video[order], per_part)])[:k]
    names = sorted(ids)
    return [
        (names[at], index, cosine)
        for at, index, cosine in zip(video[best].tolist(), entry[best].tolist(), cosines[best].tolist(), strict=True)
    ]
