"""Flat indexes of unit vectors as float16: all are looked at, quickly, also where some of them are meant."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

SLACK = 1e-5  # by how much ways to sum up a product may differ
_SPARE = 16  # candidates more than asked for, so that vectors that tie are seldom cut apart
_CHUNK = 1 << 13
_GPU_MOST = 2048  # the most neighbours that FAISS finds on a GPU
_GPU_TEMP_BYTES = 1 << 26
_FLOAT16 = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)  # every one there is

_LOG = logging.getLogger(__name__)
_faiss: Any = faiss  # its types lack much of what it takes
Floats = NDArray[np.float32]
Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """The vectors of one video, to be searched."""

    entries: NDArray[np.int32]  # the frame, utterance, text or clip of each row
    index: Any  # flat


def make_flat(width: int) -> Any:
    """Return an empty flat index."""
    return faiss.IndexScalarQuantizer(width, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def flat_of(rows: NDArray[np.float16]) -> Any:
    """Return a flat index of rows [n, e]."""
    made = make_flat(rows.shape[1])
    add_rows(made, rows)
    return made


def add_rows(index: Any, rows: NDArray[np.float16]) -> None:
    """Add rows [n, e] to a flat index."""
    index.add_sa_codes(np.ascontiguousarray(rows).view(np.uint8))


def nearest(
    index: Any, question: Floats, k: int, mask: NDArray[np.bool_] | None = None, gpu: Any = None
) -> tuple[Ids, Floats]:
    """Return rows of a flat index, and their products, that hold the k nearest and all that tie with the last.

    `gpu` is a copy of it, which sums up in another way: its products are not returned.
    """
    most = index.ntotal if mask is None else int(np.count_nonzero(mask))
    asked = min(k + _SPARE, most)
    while asked:
        by_gpu = gpu is not None and asked <= _GPU_MOST
        if by_gpu:
            near, rows = gpu.search(question, asked)
        else:
            chosen = {} if mask is None else {"sel": _faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))}
            near, rows = index.search(question, asked, params=_faiss.SearchParameters(**chosen))
        if asked == most or near[0, -1] < near[0, k - 1] - SLACK:
            return rows[0], products(rows_of(index, rows[0]), question) if by_gpu else near[0]
        asked = min(4 * asked, most)
    return np.zeros(0, np.int64), np.zeros(0, np.float32)


def part_of(index: Any, rows: Ids | slice) -> Any:
    """Return a flat index of some rows of another."""
    return flat_of(rows_of(index, rows))


def vectors_of(index: Any, rows: Ids | slice) -> Floats:
    """Return rows of a flat index, [n, e]."""
    return as_float32(rows_of(index, rows))


def as_float32(rows: NDArray[np.float16]) -> Floats:
    """Return the same numbers. FAISS takes 8 ns for each, NumPy 18; to look it up takes one or two."""
    return _FLOAT16.take(rows.view(np.uint16))


def rows_of(index: Any, rows: Ids | slice) -> NDArray[np.float16]:
    """Return rows of a flat index as it holds them, [n, e]; a slice lasts until something is added to it."""
    codes = _faiss.rev_swig_ptr(index.codes.data(), index.ntotal * index.code_size)
    found: NDArray[np.float16] = codes.view(np.float16).reshape(-1, index.d)[rows]
    return found


def products(rows: NDArray[np.float16], question: Floats) -> Floats:
    """Return the products [n] of rows with a question [1, e], to the last bit as any flat index on the CPU has them."""
    found = np.empty(len(rows), np.float32)
    if len(rows):
        near, places = flat_of(rows).search(question, len(rows))
        found[places[0]] = near[0]
    return found


@contextmanager
def threads(num: int) -> Iterator[None]:
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
        copy = faiss.GpuIndexFlatIP(resources, index.d)
        for start in range(0, index.ntotal, _CHUNK):
            copy.add(vectors_of(index, slice(start, start + _CHUNK)))
        return copy
    except RuntimeError as error:
        _LOG.warning("vectors are searched on the CPU: %s", error)
        return None
