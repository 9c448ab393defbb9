"""The embedded encoder: an ImageNet classifier sees, its class names say it, sentence vectors compare it.

A cell of the picture becomes the mean of the vectors of its likeliest class names (ConSE, arXiv 1312.5650),
so that patches (E), frames and questions lie in one space, MiniLM's. The values (V) are the likelihoods
of the classes themselves: tokens averaged from them can be put into words.
"""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from hicom_agent.encode.labels import NUM_CLASSES, Labels, load_labels, make_label_vectors
from hicom_agent.encode.lite0 import STRIDE_PX, load_lite0
from hicom_agent.encode.packing import MAX_CELLS, SparseGrids, make_sparse, pack_grids, unpack_grids
from hicom_agent.encode.sentences import SentenceModel
from hicom_agent.types import FrameFeatures

if TYPE_CHECKING:
    from hicom_agent.types import Floats, Picture

CODE_VERSION = 1  # raise when a change here alters vectors
BATCH = 8
CELL_TEMPERATURE = 3.0  # of the class likelihoods in E


class NanoEncoder:
    """Lite0 for pictures, MiniLM for words; built once, used for all videos. No method fetches anything."""

    name = "nano"

    def __init__(self, lite0: Path, minilm: Path, labels: Path, threads: int = 0) -> None:
        if threads:
            torch.set_num_threads(threads)
        self.version = (
            f"{CODE_VERSION}-{_checksum([lite0, minilm / 'model.safetensors', *sorted(labels.glob('*.txt'))])}"
        )
        self.labels: Labels = load_labels(labels)
        self._lite0_path = lite0
        self._lite0: torch.nn.Module | None = None  # loaded with the first picture: a question needs none
        self._sentences = SentenceModel(minilm)
        self._label_vectors = self._cached_vectors(labels)

    def encode_frames(self, pictures: Sequence[Picture]) -> FrameFeatures:
        """Return V [t, h, w, 1000], E [t, h, w, 384] and pooled [t, 384] of RGB pictures of any size."""
        if not pictures:
            raise ValueError("need at least one picture")
        if self._lite0 is None:
            self._lite0 = load_lite0(self._lite0_path)
        rows, columns = choose_grid(pictures[0].shape[1] / pictures[0].shape[0])
        size_px = (columns * STRIDE_PX, rows * STRIDE_PX)
        small = [cv2.resize(picture, size_px, interpolation=cv2.INTER_AREA) for picture in pictures]
        grids = [self._look(np.stack(small[i : i + BATCH])) for i in range(0, len(small), BATCH)]
        return self._make_features(_join(grids))

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Return unit vectors [n, 384]."""
        return self._sentences.encode(texts)

    def encode_guide(self, question: str) -> Floats:
        """Return the unit vector [384] of what the question looks for."""
        vector: Floats = self._sentences.encode([question])[0]
        return vector

    def pack(self, features: FrameFeatures) -> dict[str, np.ndarray]:
        """Return arrays of t rows from which `unpack` restores the features; about 3 kB a frame."""
        with np.errstate(divide="ignore"):
            return pack_grids(make_sparse(np.log(features.values)))

    def unpack(self, packed: Mapping[str, np.ndarray]) -> FrameFeatures:
        """Return the features that were packed, within 3 percent of each likelihood."""
        return self._make_features(unpack_grids(packed))

    @torch.inference_mode()
    def _look(self, pictures: np.ndarray) -> SparseGrids:
        assert self._lite0 is not None
        logits = self._lite0(torch.from_numpy(pictures))
        return make_sparse(torch.log_softmax(logits, dim=-1).numpy())

    def _make_features(self, grids: SparseGrids) -> FrameFeatures:
        rows, columns = (int(n) for n in grids.shapes[0])
        t, num_cells = len(grids.shapes), rows * columns
        classes = grids.classes[:, :num_cells].astype(np.int64)
        logs = grids.log_likelihoods[:, :num_cells]
        values = np.zeros((t, num_cells, NUM_CLASSES), np.float32)
        np.put_along_axis(values, classes, np.exp(logs), axis=2)
        flat = np.exp((logs - logs.max(axis=2, keepdims=True)) / CELL_TEMPERATURE)
        flat /= flat.sum(axis=2, keepdims=True)
        weights = np.zeros_like(values)
        np.put_along_axis(weights, classes, flat, axis=2)
        keys = weights @ self._label_vectors
        pooled = keys.mean(axis=1)
        pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
        return FrameFeatures(values.reshape(t, rows, columns, -1), keys.reshape(t, rows, columns, -1), pooled)

    def _cached_vectors(self, folder: Path) -> Floats:
        """Return the vectors of the class names, made once and kept beside them where that can be written."""
        path = folder / f"vectors-{self.version}.npy"
        try:
            return np.load(path, allow_pickle=False)  # type: ignore[no-any-return]
        except (OSError, ValueError):
            vectors = make_label_vectors(self.labels, self.encode_texts)
        try:
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
                np.save(file, vectors)
            os.replace(file.name, path)  # noqa: PTH105
        except OSError:
            pass  # a read-only cache costs a few seconds at each start
        return vectors


def choose_grid(aspect: float) -> tuple[int, int]:
    """Return rows and columns, at most `MAX_CELLS` cells, nearest to width / height = `aspect`.

    >>> choose_grid(16 / 9)
    (7, 12)
    """
    rows = max(1, min(MAX_CELLS, round((MAX_CELLS / aspect) ** 0.5)))
    return rows, max(1, min(MAX_CELLS // rows, round(rows * aspect)))


def _join(grids: Sequence[SparseGrids]) -> SparseGrids:
    return SparseGrids(
        np.concatenate([grid.shapes for grid in grids]),
        np.concatenate([grid.classes for grid in grids]),
        np.concatenate([grid.log_likelihoods for grid in grids]),
    )


def _checksum(paths: Sequence[Path]) -> str:
    """Return eight hex digits that tell one set of files from another; not for security."""
    total = 0
    for path in paths:
        total = zlib.crc32(path.read_bytes(), total)
    return f"{total:08x}"
