"""A rough copy of unit vectors, two bits a number: it is gone through quickly, and tells which ones to compare.

Each number is one of four levels of its own mean and spread (those of Lloyd and Max for a normal distribution), which
needs no training. Vectors in cells (IVF) were the way before: their questions cost two thirds of looking at every
vector, since words about pictures lie far from all cells, and to make cells took a minute for a million.
600,000 of 384 numbers take 10 ms on one core (benchmarks/archive.py), where looking at every float16 would take 60.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

LEVELS, BORDER = (-1.510, -0.4528, 0.4528, 1.510), 0.9816  # in spreads from the mean
_faiss: Any = faiss

Floats = NDArray[np.float32]


class Sketch:
    """Rows of vectors as two bits a number; a row is never taken out."""

    def __init__(self, sample: Floats, parts: Iterable[Floats]) -> None:
        """Make one of `parts` [., e], in order; the levels are those that suit `sample` [n, e]."""
        mean, spread = sample.mean(axis=0), sample.std(axis=0)
        width = sample.shape[1]
        if width % 2:
            raise ValueError(f"vectors have an even number of numbers, got {width}")
        made = faiss.IndexPQ(width, width // 2, 4, faiss.METRIC_INNER_PRODUCT)
        levels = mean[:, None] + spread[:, None] * np.array(LEVELS, np.float32)  # [e, 4]
        pair = np.arange(16)
        centroids = np.stack([levels[0::2, pair % 4], levels[1::2, pair // 4]], axis=-1)  # [e / 2, 16, 2]
        faiss.copy_array_to_vector(np.ascontiguousarray(centroids, np.float32).ravel(), made.pq.centroids)
        made.is_trained = True
        for part in parts:
            made.add_sa_codes(_codes(part, mean, BORDER * spread))
        self._index = _faiss.IndexPQFastScan(made)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def num_bytes(self) -> int:
        """Return what it takes in memory."""
        return len(self) * -(-int(self._index.d) // 4)

    def add(self, vectors: Floats) -> None:
        """Add rows [n, e]."""
        self._index.add(np.ascontiguousarray(vectors, np.float32))

    def nearest(self, question: Floats, num: int) -> tuple[Floats, NDArray[np.int64]]:
        """Return rough products and rows of the `num` nearest to a question [1, e], nearest first.

        Rows that are the same have the same rough product.
        """
        scores, rows = self._index.search(question, num)
        found = rows[0] >= 0
        return scores[0][found], rows[0][found]


def _codes(vectors: Floats, mean: Floats, border: Floats) -> NDArray[np.uint8]:
    """Return the levels of vectors [n, e] as FAISS packs them: four numbers in a byte, the first lowest."""
    away = vectors - mean
    level = (away > -border).view(np.uint8) + (away > 0).view(np.uint8) + (away > border).view(np.uint8)
    pairs = level[:, 0::2] | level[:, 1::2] << 2
    if pairs.shape[1] % 2:
        pairs = np.pad(pairs, ((0, 0), (0, 1)))
    return np.ascontiguousarray(pairs[:, 0::2] | pairs[:, 1::2] << 4)
