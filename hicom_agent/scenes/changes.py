"""Where a picture changes and stays changed, in footage without cuts: a slide, a thing put on a table, the light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from hicom_agent.scenes.cuts import LEAD_S, TAIL_S, stack_pictures
from hicom_agent.types import Glimpse

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEP_S = 0.4
SIDE = 10  # steps before and after, whose medians are compared: what passes in half of that leaves no trace
APART = 5  # steps between two changes; SIDE + APART steps are LEAD_S, so that a segment sees all it needs
SLACK = 0.1  # s or steps by which a glimpse may be late on the grid
BLOCKS = (16, 9)
LASTING = 14.0  # difference of a block's medians, of 255


def segment_changes(glimpses: Sequence[Glimpse], start_s: float, end_s: float) -> list[float]:
    """Return the times in [start_s, end_s) of lasting changes.

    The result is a function of the glimpses in [start_s - LEAD_S, end_s + TAIL_S); others are ignored.
    """
    near = [g for g in glimpses if start_s - LEAD_S <= g.time_s < end_s + TAIL_S]
    return [time_s for time_s in find_changes(near) if start_s <= time_s < end_s]


def find_changes(glimpses: Sequence[Glimpse]) -> list[float]:
    """Return the times, on a grid of STEP_S, at which some part of the picture begins to look different for seconds.

    Where the medians of the time before and after differ, the moment is where the means differ most. Cuts in between
    are changes too. Glimpses are in order of time.
    """
    grid = [g for g in glimpses if g.on_grid]
    if len(grid) < 2:
        return []
    times_s, blocks = _on_grid(grid)
    if len(times_s) <= 2 * SIDE or np.ptp(blocks, axis=0).max() < LASTING:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(blocks, SIDE, axis=0)  # [t - SIDE + 1, n, SIDE]
    lasting = _largest_difference(np.median(windows, axis=-1))
    sharp = _largest_difference(windows.mean(axis=-1))
    strength = np.where(lasting >= LASTING, sharp, 0.0)
    return [float(times_s[SIDE + i]) for i in _peaks(strength)]


def _on_grid(glimpses: Sequence[Glimpse]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return the times of the grid and the grey blocks [t, n] shown then; a picture stands until the next comes."""
    shown_s = np.array([g.time_s for g in glimpses])
    first, last = np.ceil(shown_s[[0, -1]] / STEP_S - SLACK)
    times_s = np.arange(first, last + 1) * STEP_S
    index = np.maximum(0, np.searchsorted(shown_s, times_s + SLACK, side="right") - 1)
    used, back = np.unique(index, return_inverse=True)
    pictures = stack_pictures([glimpses[i] for i in used])
    count, height, width = pictures.shape[:3]
    grey = cv2.cvtColor(pictures.reshape(count * height, width, 3), cv2.COLOR_BGR2GRAY).reshape(count, height, width)
    blocks = np.stack([cv2.resize(one, BLOCKS, interpolation=cv2.INTER_AREA).ravel() for one in grey])
    return times_s, blocks[back].astype(np.float32)


def _largest_difference(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return, for each step with SIDE steps around it, the largest difference of any block's level after and before."""
    difference: NDArray[np.float32] = np.abs(levels[SIDE:] - levels[:-SIDE]).max(axis=1)
    return difference


def _peaks(strength: NDArray[np.float32]) -> list[int]:
    """Return where the strength is above 0 and largest within APART steps; of equals the first."""
    padded = np.pad(strength, APART)
    near = np.lib.stride_tricks.sliding_window_view(padded, 2 * APART + 1)
    is_peak = (near.argmax(axis=1) == APART) & (strength > 0)
    return np.flatnonzero(is_peak).tolist()


assert min(LEAD_S, TAIL_S) + 1e-9 >= (SIDE + APART) * STEP_S
