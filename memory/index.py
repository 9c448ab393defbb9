"""One searchable collection of unit vectors: all are looked at while they are few, above that a sketch says at which.

Measured on two cores with vectors of 384 numbers (benchmarks/index.py): looking at every vector takes 0.1 ms a
thousand, so it is done up to `FLAT_UNTIL`. Above, a sketch of all is gone through, and as many vectors are compared
as it takes until none that it ranks lower could be among the nearest by its own measure.
Numbers are kept as float16, as generations hold them, so nothing of those is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hicom_agent.memory.flat import (
    Floats,
    Ids,
    add_rows,
    as_float32,
    copy_to_gpu,
    make_flat,
    nearest,
    part_of,
    products,
    rows_of,
    threads,
    vectors_of,
)
from hicom_agent.memory.groups import first_of
from hicom_agent.memory.sketch import Sketch

__all__ = ["Floats", "Ids", "VectorIndex"]

FLAT_UNTIL = 1 << 17
NUM_THREADS = 1  # of a search: on a busy machine waking another takes longer (5 to 10 ms) than it saves

_LOG = logging.getLogger(__name__)
_CHUNK = 1 << 13
_DEPTH, _DEPTH_EACH = 1024, 3  # vectors compared of those that the sketch ranks first, and more for each one asked for
_SKETCHED_FROM = 1 << 15  # vectors, from which on groups are looked for by the sketch
_DEEPEST, _DEPTH_GROUPS = 1024, 256  # vectors among which those of many groups are looked for, and that are compared
_ROUGH_EACH = 4  # times as many of a group are compared as are wanted, since the sketch may put them in another order
_FEW = 8  # a part of so many that is asked for is compared without a filter over all
_GROWTH = 4  # since the sketch was made; then its levels are found again
_SAMPLE = 1 << 14
_GPU_FROM = 20_000


class VectorIndex:
    """Unit vectors [n, e] with ids that grow; what is removed is passed over until `compact`.

    Safe for many threads that search, unless there is a GPU, and for one that changes it.
    """

    def __init__(self, width: int, *, flat_until: int = FLAT_UNTIL) -> None:
        self.width = width
        self._flat_until = flat_until
        self._sketched_from = min(flat_until, _SKETCHED_FROM)
        self._ids = np.zeros(0, np.int64)  # of each row, growing
        self._alive = np.zeros(0, bool)
        self._index = make_flat(width)
        self._sketch: Sketch | None = None  # of the same rows
        self._num_sketched = 0  # vectors when it was made
        self._gpu: tuple[Any] | None = None  # a copy for searching (or None), made when first needed

    def __len__(self) -> int:
        return int(np.count_nonzero(self._alive))

    @property
    def kind(self) -> Literal["flat", "sketched"]:
        """Return whether all vectors are looked at, or those that a sketch ranks first; for groups it is one sooner."""
        return "flat" if self._sketch is None or len(self) <= self._flat_until else "sketched"

    @property
    def num_bytes(self) -> int:
        """Return what it takes in memory, a copy on a GPU aside."""
        return len(self._ids) * (2 * self.width + 8 + 1) + (self._sketch.num_bytes if self._sketch is not None else 0)

    @property
    def wasteful(self) -> bool:
        """Return whether more than a quarter of what is kept was removed: then `compact` pays."""
        return 4 * (len(self._ids) - len(self)) > len(self._ids)

    @property
    def outgrown(self) -> bool:
        """Return whether there are more vectors than this kind is for: then `compact` pays."""
        return self.width % 2 == 0 and len(self) > max(self._sketched_from, _GROWTH * self._num_sketched)

    def add(self, ids: Ids, vectors: Floats | NDArray[np.float16]) -> None:
        """Add vectors [n, e]; raises ValueError unless their ids grow and are greater than all before."""
        ids = np.asarray(ids, np.int64)
        if vectors.shape != (len(ids), self.width):
            raise ValueError(f"need vectors [{len(ids)}, {self.width}], got {list(vectors.shape)}")
        known = np.concatenate([self._ids, ids])
        if (np.diff(known[max(0, len(self._ids) - 1) :]) <= 0).any():
            raise ValueError("ids must grow, and each be greater than those added before")
        rows = vectors.astype(np.float16, copy=False)
        add_rows(self._index, rows)
        if self._sketch is not None:
            self._sketch.add(as_float32(rows))
        self._ids, self._alive = known, np.concatenate([self._alive, np.ones(len(ids), bool)])
        self._gpu = None

    def remove(self, ids: Ids) -> None:
        """Forget vectors; raises ValueError for an id that is not there."""
        ids = np.asarray(ids, np.int64)
        rows = np.minimum(np.searchsorted(self._ids, ids), max(0, len(self._ids) - 1))
        there = (self._ids[rows] == ids) & self._alive[rows] if len(self._ids) else np.zeros(len(ids), bool)
        if not there.all():
            raise ValueError(f"no vector has the id {ids[~there][0]}")
        self._alive[rows] = False

    def search(
        self, query: Floats, k: int, only: Iterable[range] | None = None, *, all_ties: bool = False
    ) -> tuple[Ids, Floats]:
        """Return ids and cosines of the k nearest to a unit vector [e], nearest first, equal ones by id.

        With `only`, of ids in these ranges; with `all_ties`, also all that are as near as the last.
        """
        if k < 1 or query.shape != (self.width,):
            raise ValueError(f"need k >= 1 and a question [{self.width}], got {k=} and {list(query.shape)}")
        question = np.ascontiguousarray(query, np.float32).reshape(1, -1)
        with threads(NUM_THREADS):
            rows, cosines = self._candidates(question, k, None if only is None else self._rows_in(only))
        if not len(rows):
            return rows, cosines
        order = np.lexsort((rows, -cosines))
        num = int(np.count_nonzero(cosines >= cosines[order[min(k, len(order)) - 1]])) if all_ties else k
        return self._ids[rows[order[:num]]], cosines[order[:num]]

    def search_groups(
        self, query: Floats, k: int, each: int, group_of: Callable[[Ids], Ids], only: Iterable[range] | None = None
    ) -> tuple[Ids, Floats]:
        """Return ids and cosines of the k nearest of which at most `each` are of one group, as `group_of` numbers ids.

        Of `_DEEPEST` vectors: a group that has more than that near the question leaves no room for others.
        """
        question = np.ascontiguousarray(query, np.float32).reshape(1, -1)
        with threads(NUM_THREADS):
            rows = self._foremost(question, None if only is None else self._rows_in(only))
            rows = rows[first_of(group_of(self._ids[rows]), _ROUGH_EACH * each)][: max(_DEPTH_GROUPS, _ROUGH_EACH * k)]
            cosines = products(rows_of(self._index, rows), question)
        order = np.lexsort((rows, -cosines))
        order = order[first_of(group_of(self._ids[rows[order]]), each)][:k]
        return self._ids[rows[order]], cosines[order]

    def _foremost(self, question: Floats, among: Ids | None) -> Ids:
        """Return the rows that are roughly the nearest, nearest first."""
        if among is None and self._sketch is not None:
            rows = self._sketch.nearest(question, min(_DEEPEST, len(self._ids)))[1]
            return rows[self._alive[rows]]
        among = np.flatnonzero(self._alive) if among is None else among
        part = self._index if len(among) == len(self._ids) else part_of(self._index, among)
        _, rows = part.search(question, max(1, min(_DEEPEST, len(among))))
        return among[rows[0]] if len(among) else among

    def part(self, ids: range) -> Any:
        """Return a flat index of the vectors with these ids, of which none was removed."""
        start, stop = np.searchsorted(self._ids, (ids.start, ids.stop)).tolist()
        return part_of(self._index, slice(start, stop))

    def _rows_in(self, only: Iterable[range]) -> Ids:
        """Return the rows with ids in these ranges."""
        ends = np.searchsorted(self._ids, np.array([(ids.start, ids.stop) for ids in only], np.int64).reshape(-1))
        parts, end = [np.zeros(0, np.int64)], 0
        for start, stop in sorted(ends.reshape(-1, 2).tolist()):
            parts.append(np.arange(max(start, end), max(stop, end)))
            end = max(stop, end)
        rows = np.concatenate(parts)
        return rows[self._alive[rows]]

    def _candidates(self, question: Floats, k: int, among: Ids | None) -> tuple[Ids, Floats]:
        """Return rows that hold the k nearest and all that tie with the last, and their products."""
        gpu = self._on_gpu() if among is None and self._alive.all() else None
        if among is not None and _FEW * len(among) <= len(self._ids):
            rows, cosines = nearest(part_of(self._index, among), question, k)
            return among[rows], cosines
        if among is None and gpu is None and (near := self._by_sketch(question, k)) is not None:
            return near
        mask = self._alive if among is None else np.isin(np.arange(len(self._ids)), among, assume_unique=True)
        return nearest(self._index, question, k, None if mask.all() else mask, gpu)

    def _by_sketch(self, question: Floats, k: int) -> tuple[Ids, Floats] | None:
        """Return rows that hold the k nearest, and their products, None without a sketch, or if it left too many.

        More are compared as long as one of the k nearest lies among the last that the sketch gave: then others may lie
        beyond, and of rows that are the same some were cut off.
        """
        if self._sketch is None or self.kind == "flat":
            return None
        asked = _DEPTH + _DEPTH_EACH * k
        while 2 * asked < len(self._ids):
            scores, rows = self._sketch.nearest(question, asked)
            last, alive = scores[-1], self._alive[rows]
            scores, rows = scores[alive], rows[alive]
            if len(rows) >= k:
                near = products(rows_of(self._index, rows), question)
                best = near >= np.partition(near, -k)[-k]
                if last < scores[best].min():
                    return rows[best], near[best]
            asked *= 4
        return None

    def _vectors(self, rows: Ids | slice) -> Floats:
        return vectors_of(self._index, rows)

    def _on_gpu(self) -> Any | None:
        if self._gpu is None and len(self._ids) >= _GPU_FROM:
            self._gpu = (copy_to_gpu(self._index),)
        return self._gpu[0] if self._gpu else None

    def compact(self) -> None:
        """Leave out what was removed, and become what fits the size; the same vectors give the same index."""
        if not self._alive.all():
            rows, old = np.flatnonzero(self._alive), self._index
            self._index = make_flat(self.width)
            for start in range(0, len(rows), _CHUNK):
                self._index.add(vectors_of(old, rows[start : start + _CHUNK]))
            self._ids, self._alive = self._ids[rows], np.ones(len(rows), bool)
        self._gpu, self._sketch, self._num_sketched = None, None, 0
        if self.outgrown:
            self._sketch, self._num_sketched = self._make_sketch(), len(self)
            _LOG.info("made a sketch of %d vectors", len(self))

    def _make_sketch(self) -> Sketch:
        rows = np.sort(np.random.default_rng(0).permutation(len(self._ids))[:_SAMPLE])
        parts = (self._vectors(slice(start, start + _CHUNK)) for start in range(0, len(self._ids), _CHUNK))
        return Sketch(self._vectors(rows), parts)
