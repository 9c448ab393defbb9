"""HICom's layers computed with less work and little memory; the same results as `layers` up to rounding.

What is saved: the guide is not repeated, nothing is resampled that is not read, E need not exist where only its product
with the guide is wanted, the global branch folds its query into W_k (whose bias cancels in the softmax) and applies W_v
after averaging, positions are added per axis, and all goes window by window in time, so that an hour fits in memory.
Several questions share every pass over the patches.

Source: specification of HICom, section 15; the softmax over all patches is merged across chunks as in online softmax.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from hicom_agent.compress.layers import Attention, GlobalCompressor, LocalCompressor, axis_positions
from hicom_agent.compress.windows import Window, group_cells, window_starts

CPU_WINDOWS, GPU_WINDOWS = 1, 32  # windows in time worked at once: on a CPU one, so that it stays in the cache
ROWS = 4096  # of a readout at once


class PatchEmbeds(Protocol):
    """Joint-space patches E [t, h, w, d] that need not all exist at once."""

    def rows(self, frames: slice) -> Tensor:
        """Return E of some frames, [t, h, w, d]."""

    def dot(self, frames: slice, guides: Tensor) -> Tensor:
        """Return E·g up to a constant for each guide, [t, h, w, q], for guides [q, d]."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Patches that exist."""

    tensor: Tensor  # [t, h, w, d]

    def rows(self, frames: slice) -> Tensor:
        """Return patches of some frames."""
        return self.tensor[frames]

    def dot(self, frames: slice, guides: Tensor) -> Tensor:
        """Return the product with each guide."""
        return self.tensor[frames] @ guides.T.to(self.tensor)


# ------------------------------------------------------------------ local


def compress_local(
    layer: LocalCompressor,
    features: Tensor,
    keys: PatchEmbeds,
    guides: Tensor | None,
    modal: str,
    scale: Tensor | None = None,
) -> Tensor:
    """Return tokens [q, gt, gh, gw, hidden] for guides [q, d] or [q, n, d]; without a guide q is 1."""
    window = layer.window(len(features), modal)
    counts = [len(window_starts(n, k)) for n, k in zip(features.shape[:3], window, strict=True)]
    if scale is not None and guides is not None:
        guides = F.normalize(guides, dim=-1)
    direct = layer.config.mode == "direct"
    if direct:
        assert guides is not None
        weights = _direct_weights(layer, keys, features, guides, window, scale)
    base = None if direct else _BaseQueries(features, counts)
    pooled = features.new_empty(1 if guides is None else len(guides), *counts, features.shape[-1])
    done = 0
    for frames, num_windows in _split_windows(len(features), window[0], features.is_cuda):
        if base is None:
            shares = weights[:, done : done + num_windows]
        else:
            queries = _queries(layer, base.read(done, done + num_windows), guides)
            shares = torch.softmax(_grouped_logits(layer, keys, frames, queries, window, scale), dim=-1)
        values = layer.adapt_values(features[frames])
        pooled[:, done : done + num_windows] = _weigh(shares.to(values.dtype), values, window)
        done += num_windows
    return _read_out(layer.readout, pooled)


def _weigh(shares: Tensor, values: Tensor, window: Window) -> Tensor:
    """Return [q, gt, gh, gw, d]: of each group the sum of values [t, h, w, d] by shares [q, gt, gh, gw, members]."""
    sizes = [min(size, length) for size, length in zip(window, values.shape[:3], strict=True)]
    if any(length % size for size, length in zip(sizes, values.shape[:3], strict=True)):
        grouped = group_cells(values, window)  # [gt, gh, gw, members, d]
        return (shares.movedim(0, 3) @ grouped).movedim(3, 0)
    num_questions, gt, gh, gw, _ = shares.shape
    t, h, w = sizes
    # rows of groups lie in one piece: values stay where they are, and shares of other groups in the row are 0
    spread = shares.new_zeros(gt, t, gh, num_questions, gw, h, gw, w)
    spread.diagonal(dim1=4, dim2=6).copy_(
        shares.reshape(num_questions, gt, gh, gw, t, h, w).permute(1, 4, 2, 0, 5, 6, 3)
    )
    rows = spread.reshape(gt * t * gh, num_questions * gw, h * gw * w)
    sums = rows @ values.reshape(gt * t * gh, h * gw * w, -1)
    return sums.reshape(gt, t, gh, num_questions, gw, -1).sum(1).movedim(2, 0)


def _split_windows(length: int, size: int, on_gpu: bool) -> Iterator[tuple[slice, int]]:
    """Yield stretches of frames made of whole windows that follow each other without overlap, and their number."""
    size = min(size, length)
    starts, limit = window_starts(length, size), GPU_WINDOWS if on_gpu else CPU_WINDOWS
    first = 0
    while first < len(starts):
        last = first + 1
        while last < len(starts) and last - first < limit and starts[last] - starts[last - 1] == size:
            last += 1
        yield slice(starts[first], starts[last - 1] + size), last - first
        first = last


def _frames_at_once(features: Tensor) -> int:
    return 4 * (GPU_WINDOWS if features.is_cuda else CPU_WINDOWS)


def _scaled(logits: Tensor, width: int, scale: Tensor | None) -> Tensor:
    """Return logits as they enter the softmax; a bias would cancel there."""
    return logits * width**-0.5 if scale is None else logits * scale.exp()


def _direct_weights(
    layer: LocalCompressor,
    keys: PatchEmbeds,
    features: Tensor,
    guides: Tensor,
    window: Window,
    scale: Tensor | None,
) -> Tensor:
    """Return attention over the members of each group, [q, gt, gh, gw, members]."""
    guides = layer.guide_injector.adapt_guide(guides)
    step = _frames_at_once(features)
    parts = []
    for first in range(0, len(features), step):
        frames = slice(first, first + step)
        if scale is None and "k" not in layer.config.adapt:
            parts.append(keys.dot(frames, guides))
        else:
            rows = keys.rows(frames)
            parts.append(layer.adapt_keys(rows if scale is None else F.normalize(rows, dim=-1)) @ guides.T)
    grouped = group_cells(_scaled(torch.cat(parts), guides.shape[-1], scale), window)  # [gt, gh, gw, members, q]
    return torch.softmax(grouped.movedim(-1, 0).contiguous(), dim=-1)


def _grouped_logits(
    layer: LocalCompressor, keys: PatchEmbeds, frames: slice, queries: Tensor, window: Window, scale: Tensor | None
) -> Tensor:
    rows = keys.rows(frames)
    grouped = group_cells(layer.adapt_keys(rows if scale is None else F.normalize(rows, dim=-1)), window)
    logits = queries.movedim(0, 3) @ grouped.transpose(-1, -2)  # [gt, gh, gw, q, members]
    return _scaled(logits, rows.shape[-1], scale).movedim(3, 0)


def _queries(layer: LocalCompressor, base: Tensor, guides: Tensor | None) -> Tensor:
    """Return [q, gt, gh, gw, d]."""
    flat = layer.adapt_queries(base).flatten(0, 2)
    each = [None] if guides is None else list(guides)
    return torch.stack([layer.guide_injector(flat, guide).reshape(base.shape) for guide in each])


class _BaseQueries:
    """Features at the middles of groups, read where they are needed: trilinear, half-pixel centres."""

    def __init__(self, features: Tensor, counts: Sequence[int]) -> None:
        self.features = features
        self.axes = [_middles(n, g, features) for n, g in zip(features.shape[:3], counts, strict=True)]

    def read(self, first: int, last: int) -> Tensor:
        """Return [last - first, gh, gw, d] for windows `first` to `last` in time."""
        out = self.features
        for axis, (low, high, share, is_between) in enumerate(self.axes):
            if axis == 0:
                low, high, share = low[first:last], high[first:last], share[first:last]
            below = out.index_select(axis, low)
            if is_between:
                share = share.reshape([-1 if i == axis else 1 for i in range(4)])
                below = below * (1 - share) + out.index_select(axis, high) * share
            out = below
        return out


def _middles(length: int, count: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor, bool]:
    middles = ((torch.arange(count, dtype=torch.float64) + 0.5) * (length / count) - 0.5).clamp(min=0)
    low = middles.floor().long()
    share = middles - low
    high = (low + 1).clamp(max=length - 1)
    return low.to(like.device), high.to(like.device), share.to(like), bool((share > 0).any())


# ------------------------------------------------------------------ global


def compress_global(layer: GlobalCompressor, features: Tensor, guides: Tensor | None) -> Tensor:
    """Return tokens [q, n, hidden] for guides [q, d] or [q, m, d]; without a guide q is 1. Not for clip scale."""
    if layer.config.mode == "direct":
        assert guides is not None
        queries = layer.guide_injector.adapt_guide(guides)[:, None]  # one row: all n are equal
    elif guides is None:
        queries = layer.query[None]
    else:
        queries = torch.stack([layer.guide_injector(layer.query, guide) for guide in guides])
    attended = attend_everywhere(layer.attn_layer, queries.flatten(0, 1), features).reshape(queries.shape)
    tokens = _read_out(layer.readout, queries + attended)
    return tokens.expand(-1, layer.config.num_tokens, -1)


def attend_everywhere(layer: Attention, queries: Tensor, features: Tensor) -> Tensor:
    """Return [r, d]: multi-head attention of queries [r, d] over features [t, h, w, d] with their positions added."""
    width, heads = features.shape[-1], layer.num_heads
    asked = layer.q_proj(queries).reshape(len(queries), heads, -1) * (width // heads) ** -0.5  # [r, heads, c]
    key_weight, value_weight = (w.weight.reshape(heads, -1, width) for w in (layer.k_proj, layer.v_proj))
    folded = torch.einsum("rhc,hcd->rhd", asked, key_weight).flatten(0, 1)  # [r*heads, d]
    mean = _average(features, folded).to(features.dtype).reshape(len(queries), heads, width)
    values = torch.einsum("rhd,hcd->rhc", mean, value_weight).flatten(1) + layer.v_proj.bias
    out: Tensor = layer.out_proj(values)
    return out


def _average(features: Tensor, asking: Tensor) -> Tensor:
    """Return [r, d], float32: for each row asked, the mean of features plus positions under softmax of its products."""
    tables = [_positions_on(n, features.shape[-1], asking.device, asking.dtype) for n in features.shape[:3]]
    logits_t, logits_h, logits_w = (table @ asking.T for table in tables)  # [., r]
    table_t, table_h, table_w = (table.float() for table in tables)
    peak = torch.full((len(asking),), -torch.inf, device=asking.device)
    total = torch.zeros_like(peak)
    mean = torch.zeros(asking.shape, device=asking.device)
    step = _frames_at_once(features)
    for first in range(0, len(features), step):
        chunk = features[first : first + step]
        logits = (chunk @ asking.T.to(chunk)).float()
        logits += logits_t[first : first + step, None, None] + logits_h[:, None] + logits_w
        new_peak = torch.maximum(peak, logits.amax((0, 1, 2)))
        shares = (logits - new_peak).exp_()
        keep = (peak - new_peak).exp()
        total = total * keep + shares.sum((0, 1, 2))
        mean = mean * keep[:, None] + (shares.flatten(0, 2).T.to(chunk) @ chunk.flatten(0, 2)).float()
        mean += shares.sum((1, 2)).T @ table_t[first : first + step]
        mean += shares.sum((0, 2)).T @ table_h + shares.sum((0, 1)).T @ table_w
        peak = new_peak
    return mean / total[:, None]


@lru_cache(maxsize=16)
def _positions_on(length: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return a table of positions on a device; kept, for copying it there would stop the device each time."""
    with torch.inference_mode(False):
        return axis_positions(length, width).to(device, dtype)


def _read_out(layer: nn.Module, pooled: Tensor) -> Tensor:
    """Return the readout of every row, some thousand at once."""
    rows = pooled.reshape(-1, pooled.shape[-1])
    if len(rows) <= ROWS:
        return layer(pooled)  # type: ignore[no-any-return]
    parts = [layer(rows[i : i + ROWS]) for i in range(0, len(rows), ROWS)]
    return torch.cat(parts).reshape(*pooled.shape[:-1], -1)
