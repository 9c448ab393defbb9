"""One searchable collection of unit vectors, exact while that is fast enough, and in cells where it is not.

Measured on two cores with vectors of 384 numbers (benchmarks/index.py): looking at every vector takes 0.1 ms a
thousand, so it is done up to `FLAT_UNTIL`. Above, vectors lie in cells (IVF) and as many cells are asked as give the
neighbours of every kind of question. HNSW takes a third more memory, forgets nothing, took nine seconds instead of one
to build for 30,000, and found nine of ten neighbours of a random question where cells find 99 of 100.
Numbers are kept as float16, as generations hold them, so nothing of those is lost.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import NDArray

FLAT_UNTIL = 1 << 17
NUM_THREADS = 1  # of a search: on a busy machine waking another takes longer (5 to 10 ms) than it saves
RECALL, RECALL_AT = 0.99, 20  # what cells are made for; 0.98 is promised

_LOG = logging.getLogger(__name__)
_faiss: Any = faiss  # its types lack much of what it takes
_SPARE = 16  # candidates more than asked for, so that vectors that tie are seldom cut apart
_SLACK = 1e-5  # by how much ways to sum up a product may differ
_CHUNK = 1 << 14
_POINTS_PER_CELL = 32
_GROWTH = 1.5  # since the cells were made; then they are made again
_SAMPLE = 64
_GPU_FROM = 20_000
_GPU_MOST = 2048  # the most neighbours that FAISS finds on a GPU
_GPU_TEMP_BYTES = 1 << 26

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]


class VectorIndex:
    """Unit vectors [n, e] with ids that grow; what is removed is passed over until `compact`.

    Safe for many threads that search, unless there is a GPU, and for one that changes it.
    """

    def __init__(self, width: int, *, flat_until: int = FLAT_UNTIL) -> None:
        self.width = width
        self._flat_until = flat_until
        self._ids = np.zeros(0, np.int64)  # of each row, growing
        self._alive = np.zeros(0, bool)
        self._index = _flat(width)
        self._num_trained = 0  # vectors when the cells were made
        self._gpu: tuple[Any] | None = None  # a copy for searching (or None), made when first needed

    def __len__(self) -> int:
        return int(np.count_nonzero(self._alive))

    @property
    def kind(self) -> Literal["flat", "ivf"]:
        """Return whether all vectors are looked at, or those of some cells."""
        return "ivf" if isinstance(self._index, faiss.IndexIVF) else "flat"

    @property
    def num_bytes(self) -> int:
        """Return what it takes in memory, a copy on a GPU aside."""
        cells = self._index.nlist * self.width * 4 if self.kind == "ivf" else 0
        row = 2 * self.width + 8 + 1 + (16 if self.kind == "ivf" else 0)  # id and place of a row in the cells
        return len(self._ids) * row + cells

    @property
    def wasteful(self) -> bool:
        """Return whether more than a quarter of what is kept was removed: then `compact` pays."""
        return 4 * (len(self._ids) - len(self)) > len(self._ids)

    @property
    def outgrown(self) -> bool:
        """Return whether there are more vectors than this kind is for: then `compact` pays after some questions."""
        return len(self) > (_GROWTH * self._num_trained if self.kind == "ivf" else self._flat_until)

    def add(self, ids: Ids, vectors: Floats) -> None:
        """Add vectors [n, e]; raises ValueError unless their ids grow and are greater than all before."""
        ids = np.asarray(ids, np.int64)
        if vectors.shape != (len(ids), self.width):
            raise ValueError(f"need vectors [{len(ids)}, {self.width}], got {list(vectors.shape)}")
        known = np.concatenate([self._ids, ids])
        if (np.diff(known[max(0, len(self._ids) - 1) :]) <= 0).any():
            raise ValueError("ids must grow, and each be greater than those added before")
        self._index.add(np.ascontiguousarray(vectors, np.float32))
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
        with _threads(NUM_THREADS):
            rows = self._candidates(question, k, self._mask(only), self._cells_for(k, only))
            if not len(rows):
                return np.zeros(0, np.int64), np.zeros(0, np.float32)
            cosines = _products(self._index.reconstruct_batch(rows), question)
        order = np.lexsort((rows, -cosines))
        num = int(np.count_nonzero(cosines >= cosines[order[min(k, len(order)) - 1]])) if all_ties else k
        return self._ids[rows[order[:num]]], cosines[order[:num]]

    def _mask(self, only: Iterable[range] | None) -> NDArray[np.bool_] | None:
        """Return which rows may be found, None for all."""
        if only is None:
            return None if self._alive.all() else self._alive
        mask = np.zeros(len(self._ids), bool)
        ends = np.searchsorted(self._ids, np.array([(ids.start, ids.stop) for ids in only], np.int64).reshape(-1))
        for start, stop in ends.reshape(-1, 2):
            mask[start:stop] = True
        return mask & self._alive

    def _cells_for(self, k: int, only: Iterable[range] | None) -> int:
        """Return how many cells to ask; of what `only` leaves, few may lie in the near ones, so then all of them."""
        if self.kind == "flat":
            return 0
        enough = int(self._index.nprobe) * -(-k // RECALL_AT)
        return min(enough, int(self._index.nlist)) if only is None else int(self._index.nlist)

    def _candidates(self, question: Floats, k: int, mask: NDArray[np.bool_] | None, num_cells: int) -> Ids:
        """Return rows that hold the k nearest and all that tie with the last; products are summed up anew later."""
        most = len(self._ids) if mask is None else int(np.count_nonzero(mask))
        asked = min(k + _SPARE, most)
        while asked:
            near, rows = self._nearest(question, asked, mask, num_cells)
            if len(rows) < asked:
                num_cells = self._index.nlist
            elif asked == most or near[-1] < near[k - 1] - _SLACK:
                return rows
            else:
                asked = min(4 * asked, most)
        return np.zeros(0, np.int64)

    def _nearest(self, question: Floats, k: int, mask: NDArray[np.bool_] | None, num_cells: int) -> tuple[Floats, Ids]:
        gpu = self._on_gpu() if mask is None and max(k, num_cells) <= _GPU_MOST else None
        chosen = {} if mask is None else {"sel": _faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))}
        if gpu is not None:
            gpu.nprobe = num_cells  # means nothing to a flat one
            near, rows = gpu.search(question, k)
        elif num_cells:
            near, rows = self._index.search(question, k, params=_faiss.SearchParametersIVF(nprobe=num_cells, **chosen))
        else:
            near, rows = self._index.search(question, k, params=_faiss.SearchParameters(**chosen))
        found = rows[0] >= 0
        return near[0][found], rows[0][found]

    def _on_gpu(self) -> Any | None:
        if self._gpu is None and len(self._ids) >= _GPU_FROM:
            self._gpu = (copy_to_gpu(self._index),)
        return self._gpu[0] if self._gpu else None

    def compact(self) -> None:
        """Leave out what was removed, and become what fits the size; the same vectors give the same index."""
        rows, old = np.flatnonzero(self._alive), self._index
        large = len(rows) > self._flat_until
        train = large and (self.kind == "flat" or len(rows) > _GROWTH * self._num_trained)
        if train:
            new = _train(old, rows)
        elif large:
            new = _cells(faiss.clone_index(old.quantizer), old.nlist)  # the old one takes its own with it
            new.nprobe = old.nprobe
        else:
            new = _flat(self.width)
        for start in range(0, len(rows), _CHUNK):
            new.add(old.reconstruct_batch(rows[start : start + _CHUNK]))
        if train:
            new.nprobe = _enough_cells(new)
            _LOG.info("%d vectors in %d cells, %d asked", len(rows), new.nlist, new.nprobe)
        self._num_trained = len(rows) if train else self._num_trained * large
        self._index, self._gpu = new, None
        self._ids, self._alive = self._ids[rows], np.ones(len(rows), bool)

    def to_bytes(self) -> bytes:
        """Return all of it as bytes."""
        file = io.BytesIO()
        numbers = np.array([self.width, self._flat_until, self._num_trained], np.int64)
        index = faiss.serialize_index(self._index)
        np.savez(file, numbers=numbers, ids=self._ids, alive=self._alive, index=index)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> VectorIndex:
        """Return what `to_bytes` was called on; FAISS trusts what it reads, so give only what you know by its hash."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            width, flat_until, num_trained = (int(number) for number in arrays["numbers"])
            made = cls(width, flat_until=flat_until)
            made._ids, made._alive, made._num_trained = arrays["ids"], arrays["alive"], num_trained
            made._index = faiss.deserialize_index(arrays["index"])
        return made


def _flat(width: int) -> Any:
    return faiss.IndexScalarQuantizer(width, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def _cells(quantizer: Any, num_cells: int) -> Any:
    """Return an index in cells with nothing in it; float16 needs no training, so it is ready if the cells are."""
    fp16, width = faiss.ScalarQuantizer.QT_fp16, quantizer.d
    index = faiss.IndexIVFScalarQuantizer(quantizer, width, num_cells, fp16, faiss.METRIC_INNER_PRODUCT, False)
    index.is_trained = quantizer.ntotal == num_cells
    index.set_direct_map_type(_faiss.DirectMap.Array)
    return index


def _train(old: Any, rows: Ids) -> Any:
    """Return an empty index in cells for these rows of another; always the same for the same vectors."""
    num_cells = int(2 * len(rows) ** 0.5)
    index = _cells(faiss.IndexFlatIP(old.d), num_cells)
    index.cp.niter, index.cp.min_points_per_centroid = 6, 1
    index.cp.max_points_per_centroid = _POINTS_PER_CELL
    points = np.random.default_rng(0).permutation(rows)[: num_cells * _POINTS_PER_CELL]
    index.train(old.reconstruct_batch(points))
    return index


def _enough_cells(index: Any) -> int:
    """Return how many cells must be asked to be sure of `RECALL` with every kind of question.

    A question is not distributed as the vectors are (words about pictures lie far from all of them), so own vectors,
    own vectors half lost in noise, and noise alone are asked; the last needs by far the most cells.
    """
    rng = np.random.default_rng(1)
    own = index.reconstruct_batch(rng.permutation(index.ntotal)[:_SAMPLE])
    noise = rng.standard_normal(own.shape).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    cell_of = faiss.vector_to_array(index.direct_map.array) >> 32
    enough = [1]
    for asked in (own, own + noise, noise):
        everywhere = _faiss.SearchParametersIVF(nprobe=index.nlist)
        _, rows = index.search(asked, min(RECALL_AT, index.ntotal), params=everywhere)
        _, cells = index.quantizer.search(asked, index.nlist)  # nearest first: cells [b, nlist]
        place = np.argsort(cells, axis=1)  # of each cell among them
        needed = 1 + np.take_along_axis(place, cell_of[rows], axis=1)  # [b, k]
        reach = (needed <= np.arange(1, index.nlist + 1)[:, None, None]).mean(axis=2)  # [cells, b]
        sure = reach.mean(axis=1) - 2 * reach.std(axis=1) / len(asked) ** 0.5  # two standard errors below the mean
        enough.append(1 + int(np.argmax(sure >= RECALL)))
    return max(enough)


def _products(vectors: Floats, question: Floats) -> Floats:
    """Return the products [n] as a flat index of one video sums them up, to the last bit."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    products = np.empty(len(vectors), np.float32)
    near, rows = index.search(question, len(vectors))
    products[rows[0]] = near[0]
    return products


@contextmanager
def _threads(num: int) -> Iterator[None]:
    """Let FAISS use so many threads for what this thread does inside."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(num)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def copy_to_gpu(index: Any) -> Any | None:
    """Return a copy of an index on the first GPU, None where there is none or no room on it.

    FAISS has no flat float16 index there that keeps float32 questions, so a flat one is kept as float32.
    """
    if not hasattr(faiss, "StandardGpuResources") or not faiss.get_num_gpus():
        return None
    try:
        resources = faiss.StandardGpuResources()
        resources.setTempMemory(_GPU_TEMP_BYTES)
        if isinstance(index, faiss.IndexIVF):
            return faiss.index_cpu_to_gpu(resources, 0, index)
        copy = faiss.GpuIndexFlatIP(resources, index.d)
        for start in range(0, index.ntotal, _CHUNK):
            copy.add(index.reconstruct_n(start, min(_CHUNK, index.ntotal - start)))
        return copy
    except RuntimeError as error:
        _LOG.warning("vectors are searched on the CPU: %s", error)
        return None
