"""Groups of neighbouring cells: which cells a window holds, a grid cut into groups, and groups put back on the grid.

Tensors only, on a grid [t, h, w, c] of any size from 1.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

Window = tuple[int, int, int]  # frames, rows, columns of a group


def window_starts(length: int, size: int) -> list[int]:
    """Return where windows of `size` cells start, so that together they cover `length` cells.

    An axis shorter than the window has one window with all its cells. When `size` does not divide `length`,
    the last windows take up the last cell of the window before: padding instead would let attention look at
    cells that are not there. Some lengths (9 by 4) are too short for that and spread their windows evenly.

    Raises ValueError unless both are at least 1.
    Source: released code, LocalCompressor.balance_divide_feature; the even spread is ours, the original raises.

    >>> window_starts(10, 4), window_starts(9, 4)
    ([0, 3, 6], [0, 2, 5])
    """
    if length < 1 or size < 1:
        raise ValueError(f"need length and size of at least 1, got {length=} and {size=}")
    size = min(size, length)
    count = -(-length // size)
    if length % size == 0:
        return [i * size for i in range(count)]
    if length <= (size - 1) * count:
        return [round(i * (length - size) / (count - 1)) for i in range(count)]
    num_fresh = length % count  # never 0 here
    return [i * size - max(0, i - num_fresh + 1) for i in range(count)]


def make_window_cells(length: int, size: int) -> Tensor:
    """Return the cells of each window, [windows, min(size, length)], int64."""
    starts = torch.tensor(window_starts(length, size))
    return starts[:, None] + torch.arange(min(size, length))


def group_cells(x: Tensor, window: Window) -> Tensor:
    """Return the members of each group, [gt, gh, gw, members, c], of x [t, h, w, c]; both in (t, h, w) order."""
    sizes = [min(size, length) for size, length in zip(window, x.shape[:3], strict=True)]
    if all(length % size == 0 for size, length in zip(sizes, x.shape[:3], strict=True)):
        counts = [length // size for size, length in zip(sizes, x.shape[:3], strict=True)]
        parts = x.reshape(counts[0], sizes[0], counts[1], sizes[1], counts[2], sizes[2], -1)  # the hot path: a view
        return parts.permute(0, 2, 4, 1, 3, 5, 6).flatten(3, 5)
    cells = _grouped((x.shape[0], x.shape[1], x.shape[2]), window).to(x.device)
    if x.requires_grad:
        return x.flatten(0, 2)[cells]  # its gradient on a GPU is the same each time; that of the quicker way is not
    return x.flatten(0, 2).index_select(0, cells.flatten()).reshape(*cells.shape, -1)


@functools.lru_cache(64)  # clips of one video have few shapes, and to make it takes half as long as its use
@torch.inference_mode(mode=False)  # what is kept may be used in training
def _grouped(shape: tuple[int, int, int], window: Window) -> Tensor:
    """Return which cells of a grid are the members of each group, [gt, gh, gw, members], int64."""
    t, h, w = (make_window_cells(length, min(size, length)) for size, length in zip(window, shape, strict=True))
    rows = t[:, None, None, :, None, None] * shape[1] + h[None, :, None, None, :, None]
    return (rows * shape[2] + w[None, None, :, None, None, :]).flatten(3, 5)


def ungroup_sum(members: Tensor, shape: tuple[int, int, int], window: Window) -> Tensor:
    """Return [t, h, w]: of each cell the sum of its entries in `members` [gt, gh, gw, members]."""
    cells = torch.arange(shape[0] * shape[1] * shape[2], device=members.device).reshape(*shape, 1)
    where = group_cells(cells, window).flatten()
    total = torch.zeros(cells.numel(), dtype=members.dtype, device=members.device)
    return total.index_add_(0, where, members.flatten()).reshape(shape)
