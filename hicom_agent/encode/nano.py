"""The embedded encoder: an ImageNet classifier sees, its class names say it, sentence vectors compare it.

A cell of the picture becomes the mean of the vectors of its likeliest class names (ConSE, arXiv 1312.5650), so that
patches (E), frames and questions lie in one space, MiniLM's. The values (V) are the likelihoods of the 1000 classes
and the shares of eleven colours: tokens averaged from them can be put into words.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from hicom_agent.encode.colours import COLOURS, share_colours
from hicom_agent.encode.guide import guide_text
from hicom_agent.encode.labels import NUM_CLASSES, load_labels, make_label_vectors
from hicom_agent.encode.lite0 import STRIDE_PX, load_lite0
from hicom_agent.encode.packing import (
    MAX_CELLS,
    SparseGrids,
    flatten,
    join_grids,
    make_sparse,
    pack_grids,
    unpack_grids,
)
from hicom_agent.encode.presence import Groups, find_presence, locate, make_groups, rank_things
from hicom_agent.encode.sentences import SentenceModel
from hicom_agent.encode.things import Thing, Vocabulary
from hicom_agent.encode.version import checksum, nano_version
from hicom_agent.types import FrameFeatures

if TYPE_CHECKING:
    from hicom_agent.types import Floats, Picture

READING_VERSION = 2  # raise when a change here, in presence.py or things.py alters what a question finds
BATCH = 4  # pictures at once; more fall out of the cache
# mean AUC of 25 queries by pooled vectors: 0.93 with it; 0.91 without, and with the question as it is
PROMPT = "a photo of"
ALIKE = 0.5  # cosine from which a class name is taken for what a question means
THINGS = Path(__file__).with_name("things.txt")


class NanoEncoder:
    """Lite0 for pictures, MiniLM for words; built once, used for all videos. No method fetches anything."""

    name = "nano"
    temperature: float | None = 0.05  # of compression: cosines of sentence vectors

    def __init__(self, lite0: Path, minilm: Path, labels: Path, threads: int = 0) -> None:
        self._threads = threads or torch.get_num_threads()
        self.version = nano_version(lite0, minilm, labels)
        self.reads = f"{READING_VERSION}-{checksum([THINGS])}"
        self.labels = load_labels(labels)
        self._vocabulary = Vocabulary(THINGS, self.labels)
        self._lite0_path = lite0
        self._lite0: torch.nn.Module | None = None  # loaded with the first picture: a question needs none
        self._sentences = SentenceModel(minilm)
        self._label_vectors = self._cached_vectors(labels)

    def encode_frames(self, pictures: Sequence[Picture]) -> FrameFeatures:
        """Return V [t, h, w, 1011], E [t, h, w, 384] and pooled [t, 384] of RGB pictures of any size.

        All are seen on the grid that suits the first.
        """
        if not pictures:
            raise ValueError("need at least one picture")
        rows, columns = choose_grid(pictures[0].shape[1] / pictures[0].shape[0])
        size_px = (columns * STRIDE_PX, rows * STRIDE_PX)
        small = [cv2.resize(picture, size_px, interpolation=cv2.INTER_AREA) for picture in pictures]
        batches = [np.stack(small[i : i + BATCH]) for i in range(0, len(small), BATCH)]
        return self._make_features(join_grids(self._look_at_all(batches)))

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Return unit vectors [n, 384]."""
        return self._sentences.encode(texts)

    def encode_guide(self, question: str) -> Floats:
        """Return the unit vector [384] of what the question looks for."""
        vector: Floats = self._sentences.encode([f"{PROMPT} {guide_text(question)}"])[0]
        return vector

    def presence(self, question: str, features: FrameFeatures) -> Floats:
        """Return for each frame how likely it shows what the question looks for, [t] in 0 to 1."""
        return find_presence(self.find_things(question), _sparsen(features))

    def scan(self, question: str, packed: Mapping[str, np.ndarray]) -> Floats:
        """Return `presence` of packed frames without unpacking them: an hour of video in a fraction of a second."""
        return find_presence(self.find_things(question), unpack_grids(packed, len(COLOURS)))

    def locate(self, question: str, packed: Mapping[str, np.ndarray]) -> list[Floats]:
        """Return for each packed frame the places [h, w] of the evidence that `scan` sums up, from 0 to what it gives.

        The grid covers the whole picture. It is coarse: a tenth of the width, and what is said there is also of around.
        """
        return locate(self.find_things(question), unpack_grids(packed, len(COLOURS)))

    def find_things(self, question: str) -> list[Thing]:
        """Return what the question looks for; where it names nothing known, what its words are closest to, doubted."""
        text = guide_text(question)
        things = self._vocabulary.find(text)
        if things:
            return things
        likeness = self._label_vectors @ self._sentences.encode([text])[0]
        closest = tuple(int(number) for number in np.flatnonzero(likeness >= ALIKE))
        return [Thing(text, closest, "main", guessed=True)] if closest else []

    def unread(self, question: str) -> list[str]:
        """Return the words of a question that ask for what this encoder cannot tell: what happens, or how it is."""
        return self._vocabulary.left_over(guide_text(question))

    def describe(self, packed: Mapping[str, np.ndarray], limit: int) -> list[list[str]]:
        """Return for each packed frame up to `limit` everyday names of what it likely shows, likeliest first."""
        names = list(self._vocabulary.everyday)
        ranked = rank_things(self._everyday, unpack_grids(packed, len(COLOURS)), limit)
        return [[names[number] for number in numbers] for numbers in ranked]

    @cached_property
    def _everyday(self) -> Groups:
        """Return the classes of everyday things."""
        return make_groups(list(self._vocabulary.everyday.values()))

    def pack(self, features: FrameFeatures) -> dict[str, np.ndarray]:
        """Return arrays of t rows from which `unpack` restores the features; 2.5 kB a frame."""
        return pack_grids(_sparsen(features))

    def unpack(
        self, packed: Mapping[str, np.ndarray], thumbnails: Callable[[], Sequence[bytes]] | None = None
    ) -> FrameFeatures:
        """Return the features that were packed, to 3 percent of each likelihood and 1/30 of each colour's share."""
        return self._make_features(unpack_grids(packed, len(COLOURS)))

    def _look_at_all(self, batches: Sequence[np.ndarray]) -> list[SparseGrids]:
        """Look at several batches at a time, each with one thread.

        Several threads on one batch wait for each other in a loop: with a decoder beside them on two cores that
        took ten times as long.
        """
        if self._lite0 is None:
            self._lite0 = load_lite0(self._lite0_path)
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with ThreadPoolExecutor(min(self._threads, len(batches))) as pool:
                return list(pool.map(self._look, batches))
        finally:
            torch.set_num_threads(before)

    @torch.inference_mode()
    def _look(self, pictures: np.ndarray) -> SparseGrids:
        assert self._lite0 is not None
        logits = self._lite0(torch.from_numpy(pictures))
        colours = share_colours(pictures, *logits.shape[1:3])
        return make_sparse(torch.log_softmax(logits, dim=-1).numpy(), colours)

    def _make_features(self, grids: SparseGrids) -> FrameFeatures:
        rows, columns = (int(n) for n in grids.shapes[0])
        t, num_cells = len(grids.shapes), rows * columns
        classes = grids.classes[:, :num_cells].astype(np.int64)
        values = np.zeros((t, num_cells, NUM_CLASSES + len(COLOURS)), np.float32)
        np.put_along_axis(values, classes, np.exp(grids.log_likelihoods[:, :num_cells]), axis=2)
        values[..., NUM_CLASSES:] = grids.colours[:, :num_cells]
        keys = self._mean_labels(classes, flatten(grids)[:, :num_cells])
        pooled = keys.mean(axis=1)
        pooled /= np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-9)
        return FrameFeatures(values.reshape(t, rows, columns, -1), keys.reshape(t, rows, columns, -1), pooled)

    def _mean_labels(self, classes: np.ndarray, shares: Floats) -> Floats:
        """Return the vectors of the classes [t, cells, k] averaged by their shares, [t, cells, 384]."""
        bags, weights = (torch.from_numpy(array.reshape(-1, array.shape[-1])) for array in (classes, shares))
        labels = torch.from_numpy(self._label_vectors)
        means = torch.nn.functional.embedding_bag(bags, labels, per_sample_weights=weights, mode="sum")
        return means.numpy().reshape(*classes.shape[:2], -1)

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


def _sparsen(features: FrameFeatures) -> SparseGrids:
    with np.errstate(divide="ignore"):
        logs = np.log(features.values[..., :NUM_CLASSES])
    return make_sparse(logs, features.values[..., NUM_CLASSES:])


def choose_grid(aspect: float) -> tuple[int, int]:
    """Return rows and columns, at most `MAX_CELLS` cells, nearest to width / height = `aspect`.

    >>> choose_grid(16 / 9)
    (6, 10)
    """
    rows = max(1, min(MAX_CELLS, round((MAX_CELLS / aspect) ** 0.5)))
    return rows, max(1, min(MAX_CELLS // rows, round(rows * aspect)))
