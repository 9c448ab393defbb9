"""One clip under one question: HICom's attention gives the tokens, and the moments and places that it looked at."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from hicom_agent.compress.direct import Attended, attend_groups, attend_whole
from hicom_agent.compress.windows import Window, ungroup_sum
from hicom_agent.types import ClipFeatures, CompressedClip

if TYPE_CHECKING:
    from hicom_agent.types import Floats

WINDOW: Window = (4, 3, 3)


@torch.inference_mode()
def compress(
    features: ClipFeatures,
    guide: Floats,
    window: Window = WINDOW,
    num_global: int = 1,
    temperature: float | None = 0.05,
) -> CompressedClip:
    """Return the clip's tokens under `guide` [e]: one for each group, then `num_global` for the whole.

    A relevance is the smooth maximum of g·K over the patches it speaks of, `temperature * log mean exp(g·K /
    temperature)`: between their mean and their maximum, in units of g·K. The score is the best group's, so a short
    event in a long clip counts in full. Patch attention is the softmax over all patches of the clip.

    V and E may be arrays, or tensors on a device; without a `temperature` it is the root of the keys' width.
    Raises ValueError where the guide's width is not the keys', or there are no frames.
    """
    keys, values = torch.as_tensor(features.frames.keys), torch.as_tensor(features.frames.values)
    if keys.ndim != 4 or not len(keys) or guide.shape != keys.shape[-1:]:
        raise ValueError(f"need keys [t, h, w, e] and a guide [e], got {tuple(keys.shape)} and {guide.shape}")
    query = torch.from_numpy(np.ascontiguousarray(guide)).to(keys.device)
    local = attend_groups(keys, values, query, window, temperature)
    tokens = torch.cat([local.tokens.flatten(0, 2), attend_whole(keys, values, query, num_global, temperature)])
    scale = temperature or keys.shape[-1] ** 0.5
    groups = scale * _log_mean_exp(local.logits)
    frames = scale * _log_mean_exp((keys.float() @ query.float() / scale).flatten(1))
    attended = attend_whole(keys.float(), keys.float(), query, 1, temperature)[0]
    return CompressedClip(
        clip=features.clip,
        times_s=features.times_s,
        tokens=tokens.float().cpu().numpy(),
        frame_relevance=frames.cpu().numpy(),
        patch_attention=_spread(local, (keys.shape[0], keys.shape[1], keys.shape[2]), window).cpu().numpy(),
        group_relevance=groups.cpu().numpy(),
        attended=torch.nn.functional.normalize(attended, dim=0).cpu().numpy(),
        score=float(groups.max()),
    )


def _log_mean_exp(logits: Tensor) -> Tensor:
    return torch.logsumexp(logits, dim=-1) - math.log(logits.shape[-1])


def _spread(local: Attended, shape: tuple[int, int, int], window: Window) -> Tensor:
    """Return [t, h, w]: attention inside each group times the group's share of the clip; sums to 1."""
    share = torch.softmax(torch.logsumexp(local.logits, dim=-1).flatten(), dim=0).reshape(local.logits.shape[:3])
    return ungroup_sum(local.weights * share.unsqueeze(-1), shape, window)
