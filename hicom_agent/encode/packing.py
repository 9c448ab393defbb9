"""Grids kept small: of each cell the likeliest classes, a byte each for how likely, and half a byte for each colour.

A grid has at most `MAX_CELLS` cells; shorter ones are filled up with cells in which nothing is likely, so that the
frames of a video stand in one array even if its pictures change shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_CELLS = 60
TOP = 12  # classes kept of a cell; from 1000 down to 12 recall at 5 % false alarms stays the same, at 6 it falls
STEP = 0.05  # nats of log-likelihood in one unit of a byte; the last unit means never
LEVELS = 15  # of a colour's share
FLATTEN = 3.0  # temperature of likelihoods that are averaged: a cell says more than its likeliest class


@dataclass(frozen=True, slots=True)
class SparseGrids:
    """The likeliest classes and the colours of each cell of t frames."""

    shapes: NDArray[np.uint8]  # [t, 2] rows and columns
    classes: NDArray[np.uint16]  # [t, cells, k]
    log_likelihoods: NDArray[np.float32]  # [t, cells, k]; -inf where nothing
    colours: NDArray[np.float32]  # [t, cells, 11] shares

    @property
    def num_cells(self) -> NDArray[np.int64]:
        """Return how many cells of each frame are real, [t]."""
        counts: NDArray[np.int64] = self.shapes.astype(np.int64).prod(axis=1)
        return counts


def make_sparse(log_likelihoods: NDArray[np.float32], colours: NDArray[np.float32]) -> SparseGrids:
    """Keep the `TOP` classes of each cell of [t, h, w, classes], and all colours of [t, h, w, 11]."""
    t, h, w, _ = log_likelihoods.shape
    cells = log_likelihoods.reshape(t, h * w, -1)
    chosen = np.argpartition(cells, -TOP, axis=2)[:, :, -TOP:]
    values = np.take_along_axis(cells, chosen, axis=2)
    filler = [(0, 0), (0, MAX_CELLS - h * w), (0, 0)]
    return SparseGrids(
        np.tile(np.array([[h, w]], np.uint8), (t, 1)),
        np.pad(chosen.astype(np.uint16), filler),
        np.pad(values.astype(np.float32), filler, constant_values=-np.inf),
        np.pad(colours.reshape(t, h * w, -1), filler),
    )


def flatten(grids: SparseGrids) -> NDArray[np.float32]:
    """Return the likelihoods at temperature `FLATTEN`, [t, cells, k], of a real cell summing to 1."""
    flat = np.exp(grids.log_likelihoods / np.float32(FLATTEN))
    shares: NDArray[np.float32] = flat / np.maximum(flat.sum(axis=2, keepdims=True), np.float32(1e-9))
    return shares


def join_grids(grids: Sequence[SparseGrids]) -> SparseGrids:
    """Return the frames of all `grids`, in order."""
    return SparseGrids(
        np.concatenate([grid.shapes for grid in grids]),
        np.concatenate([grid.classes for grid in grids]),
        np.concatenate([grid.log_likelihoods for grid in grids]),
        np.concatenate([grid.colours for grid in grids]),
    )


def pack_grids(grids: SparseGrids) -> dict[str, np.ndarray]:
    """Return arrays whose first axis is the frame: 2.5 kB each. Lost is half a unit of each number."""
    units = np.clip(np.round(-grids.log_likelihoods / STEP), 0, 255).astype(np.uint8)
    shares = np.round(grids.colours * LEVELS).astype(np.uint8)
    shares = np.pad(shares, [(0, 0), (0, 0), (0, shares.shape[2] % 2)])
    halves = shares[:, :, 0::2] << 4 | shares[:, :, 1::2]
    return {"shapes": grids.shapes, "classes": grids.classes, "likelihoods": units, "colours": halves}


def unpack_grids(packed: Mapping[str, np.ndarray], num_colours: int) -> SparseGrids:
    """Return what `pack_grids` was given."""
    units, halves = packed["likelihoods"], packed["colours"]
    values = np.where(units == 255, -np.inf, -STEP * units.astype(np.float32))
    shares = np.stack([halves >> 4, halves & 15], axis=3).reshape(*halves.shape[:2], -1)[:, :, :num_colours]
    colours: NDArray[np.float32] = (shares / LEVELS).astype(np.float32)
    return SparseGrids(packed["shapes"], packed["classes"], values.astype(np.float32), colours)
