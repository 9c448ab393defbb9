"""Grids of class likelihoods, kept small: of each cell the likeliest classes, a byte each for how likely.

A grid has at most `MAX_CELLS` cells; shorter ones are filled up with cells in which nothing is likely,
so that the frames of a video stand in one array even if its pictures change shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_CELLS = 84
TOP = 12  # classes kept of a cell
STEP = 0.05  # nats of log-likelihood in one unit of a byte; the last unit means never


@dataclass(frozen=True, slots=True)
class SparseGrids:
    """The likeliest classes of each cell of t frames."""

    shapes: NDArray[np.uint8]  # [t, 2] rows and columns
    classes: NDArray[np.uint16]  # [t, cells, k]
    log_likelihoods: NDArray[np.float32]  # [t, cells, k]; -inf where nothing


def make_sparse(log_likelihoods: NDArray[np.float32]) -> SparseGrids:
    """Keep the `TOP` classes of each cell of [t, h, w, classes]."""
    t, h, w, _ = log_likelihoods.shape
    cells = log_likelihoods.reshape(t, h * w, -1)
    chosen = np.argpartition(cells, -TOP, axis=2)[:, :, -TOP:]
    values = np.take_along_axis(cells, chosen, axis=2)
    filler = [(0, 0), (0, MAX_CELLS - h * w), (0, 0)]
    return SparseGrids(
        np.tile(np.array([[h, w]], np.uint8), (t, 1)),
        np.pad(chosen.astype(np.uint16), filler),
        np.pad(values.astype(np.float32), filler, constant_values=-np.inf),
    )


def pack_grids(grids: SparseGrids) -> dict[str, np.ndarray]:
    """Return arrays whose first axis is the frame; what is lost is half a `STEP` per likelihood."""
    units = np.clip(np.round(-grids.log_likelihoods / STEP), 0, 255).astype(np.uint8)
    return {"shapes": grids.shapes, "classes": grids.classes, "likelihoods": units}


def unpack_grids(packed: Mapping[str, np.ndarray]) -> SparseGrids:
    """Return what `pack_grids` was given."""
    units = packed["likelihoods"]
    values = np.where(units == 255, -np.inf, -STEP * units.astype(np.float32))
    return SparseGrids(packed["shapes"], packed["classes"], values.astype(np.float32))
