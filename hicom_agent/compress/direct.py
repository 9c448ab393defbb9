"""HICom's guided compression, the parameter-free direct form: the question attends, patches are averaged.

Local: the grid is cut into groups of a few frames by a few cells, and each group becomes one token, the mean of its
values weighted by how well its keys answer to the guide. Global: the same over all patches at once.
Tensors only: keys K [t, h, w, e], values V [t, h, w, d], guide g [e]; any t, h, w from 1.

Source: HICom (arXiv 2503.16036), LocalCompressor and GlobalCompressor with direct guidance and no learned parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hicom_agent.compress.windows import Window, group_cells


@dataclass(frozen=True, slots=True)
class Attended:
    """What a guide makes of one grid; logits are g·K divided by the temperature."""

    tokens: Tensor  # [..., d], means of values
    weights: Tensor  # [..., members], sum to 1 in each group
    logits: Tensor  # [..., members]


def attend(keys: Tensor, values: Tensor, guide: Tensor, temperature: float | None = None) -> Attended:
    """Return the mean of values [..., members, d] weighted by softmax of g·K / temperature, in float32.

    The release divides by the square root of the width, which is what None means; its vectors are long.
    Vectors of unit length need a temperature of a few hundredths, or all members weigh the same.
    """
    logits = (keys.float() @ guide.float()) / (temperature or keys.shape[-1] ** 0.5)
    weights = torch.softmax(logits, dim=-1)
    tokens = (weights.to(values.dtype).unsqueeze(-2) @ values).squeeze(-2)
    return Attended(tokens, weights, logits)


def attend_groups(
    keys: Tensor, values: Tensor, guide: Tensor, window: Window, temperature: float | None = None
) -> Attended:
    """Return one token for each group of `window` frames by rows by columns: tokens [gt, gh, gw, d]."""
    return attend(group_cells(keys, window), group_cells(values, window), guide, temperature)


def attend_whole(
    keys: Tensor, values: Tensor, guide: Tensor, num_tokens: int, temperature: float | None = None
) -> Tensor:
    """Return `num_tokens` tokens [n, d] for the whole clip; guided directly they are all equal, as in the release.

    Positions are not added: without learned projections they mean nothing.
    """
    return attend(keys.flatten(0, 2), values.flatten(0, 2), guide, temperature).tokens.expand(num_tokens, -1)
