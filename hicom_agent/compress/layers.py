"""HICom's layers with weights, plainly: what is computed, in the order of the paper. `kernels` computes it faster.

Tensors only: features V and joint-space patches E [t, h, w, d]; a pooled guide [d], or a token-level one [n, d].
Names of parameters are those of the released checkpoint.

Source: HICom (arXiv 2503.16036), released code: GuideInjector, LocalCompressor, GlobalCompressor.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F  # noqa: N812  # the field's name for it
from torch import Tensor, nn

from hicom_agent.compress.config import GlobalConfig, LocalConfig, Mode
from hicom_agent.compress.windows import Window, group_cells, window_starts

EPS = 1e-6  # of layer norms
HEAD_WIDTH = 128


def make_mlp(width_in: int, width_out: int) -> nn.Sequential:
    """Return two linear layers with an exact GELU between, [., width_in] to [., width_out]."""
    return nn.Sequential(nn.Linear(width_in, width_out), nn.GELU(), nn.Linear(width_out, width_out))


class Attention(nn.Module):
    """Multi-head attention with biases; the softmax is in float32."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_heads = max(1, width // HEAD_WIDTH)
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, query: Tensor, key: Tensor, scale: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """Return [n, d] for query [n, d] over keys that are also the values, [m, d].

        With `scale`, projected queries and keys become unit vectors of all d before heads are split.
        """
        q, k, v = self.q_proj(query), self.k_proj(key), self.v_proj(key)
        if scale is not None:
            q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        q, k, v = (x.unflatten(-1, (self.num_heads, -1)).transpose(-3, -2) for x in (q, k, v))  # [heads, ., width]
        logits = q @ k.transpose(-1, -2)
        logits = logits * q.shape[-1] ** -0.5 if scale is None else logits * scale.exp() + (0 if bias is None else bias)
        attended = torch.softmax(logits.float(), dim=-1).to(v.dtype) @ v
        out: Tensor = self.out_proj(attended.transpose(-3, -2).flatten(-2))
        return out


class GuideInjector(nn.Module):
    """Puts the guide into what will be the queries."""

    def __init__(self, width: int, mode: Mode, adapt: str) -> None:
        super().__init__()
        self.mode, self.adapt = mode, adapt
        if "g" in adapt and mode != "off":
            self.guide_proj, self.guide_norm = make_mlp(width, width), nn.LayerNorm(width, EPS)
            self.guide_alpha = nn.Parameter(torch.zeros(1))
        if mode == "coarse":
            self.coarse_proj, self.coarse_norm = make_mlp(width, 2 * width), nn.LayerNorm(width, EPS)
        if mode == "fine":
            self.fine_proj, self.fine_norm = Attention(width), nn.LayerNorm(width, EPS)

    def adapt_guide(self, guide: Tensor) -> Tensor:
        """Return the guide after its learned projection, if there is one."""
        if "g" not in self.adapt or self.mode == "off":
            return guide
        return mix(guide, self.guide_norm(self.guide_proj(guide)), self.guide_alpha)

    def forward(self, visual: Tensor, guide: Tensor | None) -> Tensor:
        """Return queries [n, d] from visual [n, d]; directly guided, each is the guide and `visual` is discarded."""
        if self.mode == "off" or guide is None:
            return visual
        guide = self.adapt_guide(guide)
        if self.mode == "direct":
            return guide.expand_as(visual)
        if self.mode == "coarse":
            scale, shift = self.coarse_proj(guide).chunk(2, dim=-1)
            return self.coarse_norm(visual * (1 + scale) + shift)  # type: ignore[no-any-return]
        return self.fine_norm(visual + self.fine_proj(visual, guide))  # type: ignore[no-any-return]


class LocalCompressor(nn.Module):
    """One token for each group of neighbouring patches."""

    def __init__(self, width: int, hidden_size: int, config: LocalConfig) -> None:
        super().__init__()
        self.config = config
        if "q" in config.adapt and config.mode != "direct":
            self.q_proj, self.q_norm = nn.Linear(width, width, bias=False), nn.LayerNorm(width, EPS)
            self.q_alpha = nn.Parameter(torch.zeros(1))
        if "k" in config.adapt:
            self.k_proj, self.k_norm = make_mlp(width, width), nn.LayerNorm(width, EPS)
            self.k_alpha = nn.Parameter(torch.zeros(1))
        if "v" in config.adapt:
            self.v_proj, self.v_norm = make_mlp(width, width), nn.LayerNorm(width, EPS)
            self.v_alpha = nn.Parameter(torch.zeros(1))
        self.guide_injector = GuideInjector(width, config.mode, config.adapt)
        self.readout = make_mlp(width, hidden_size)

    def window(self, num_frames: int, modal: str) -> Window:
        """Return the size of a group; of an image it has one frame."""
        frames, rows, columns = self.config.window
        return (1 if modal == "image" or num_frames == 1 else frames, rows, columns)

    def adapt_keys(self, keys: Tensor) -> Tensor:
        """Return keys after their learned projection, if there is one."""
        return mix(keys, self.k_norm(self.k_proj(keys)), self.k_alpha) if "k" in self.config.adapt else keys

    def adapt_values(self, values: Tensor) -> Tensor:
        """Return values after their learned projection, if there is one."""
        return mix(values, self.v_norm(self.v_proj(values)), self.v_alpha) if "v" in self.config.adapt else values

    def adapt_queries(self, base: Tensor) -> Tensor:
        """Return base queries after their learned projection, if there is one."""
        if "q" not in self.config.adapt or self.config.mode == "direct":
            return base
        return mix(base, self.q_norm(self.q_proj(base)), self.q_alpha)

    def forward(
        self,
        features: Tensor,
        keys: Tensor,
        guide: Tensor | None,
        modal: str,
        scale: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> Tensor:
        """Return tokens [gt, gh, gw, hidden_size]."""
        window = self.window(len(features), modal)
        base = resample(features, [len(window_starts(n, k)) for n, k in zip(features.shape[:3], window, strict=True)])
        if scale is not None:
            keys, guide = F.normalize(keys, dim=-1), None if guide is None else F.normalize(guide, dim=-1)
        grouped = group_cells(self.adapt_keys(keys), window)
        queries = self.guide_injector(self.adapt_queries(base).flatten(0, 2), guide).reshape(base.shape)
        logits = (grouped @ queries.unsqueeze(-1)).squeeze(-1)  # [gt, gh, gw, members]
        logits = (
            logits * keys.shape[-1] ** -0.5 if scale is None else logits * scale.exp() + (0 if bias is None else bias)
        )
        weights = torch.softmax(logits, dim=-1)
        pooled = (weights.unsqueeze(-2) @ group_cells(self.adapt_values(features), window)).squeeze(-2)
        tokens: Tensor = self.readout(pooled)
        return tokens


class GlobalCompressor(nn.Module):
    """A few tokens of the whole clip."""

    def __init__(self, width: int, hidden_size: int, config: GlobalConfig) -> None:
        super().__init__()
        self.config = config
        self.query = nn.Parameter(torch.zeros(config.num_tokens, width))
        self.guide_injector = GuideInjector(width, config.mode, config.adapt)
        self.attn_layer = Attention(width)
        self.readout = make_mlp(width, hidden_size)

    def forward(
        self, features: Tensor, guide: Tensor | None, scale: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor:
        """Return tokens [n, hidden_size]; directly guided they are all equal, and count all the same."""
        where = positions(features.shape[:3], features.shape[-1]).to(features)
        patches = (features + where).flatten(0, 2)
        queries = self.guide_injector(self.query, guide)
        tokens: Tensor = self.readout(queries + self.attn_layer(queries, patches, scale, bias))
        return tokens


def mix(x: Tensor, adapted: Tensor, alpha: Tensor) -> Tensor:
    """Return (1 - alpha) x + alpha adapted."""
    return (1 - alpha) * x + alpha * adapted


def resample(features: Tensor, grid: Sequence[int]) -> Tensor:
    """Return [gt, gh, gw, d]: features read at the middles of a coarser grid, half-pixel centres, not smoothed."""
    if tuple(features.shape[:3]) == tuple(grid):
        return features
    video = features.permute(3, 0, 1, 2)[None]
    return F.interpolate(video, list(grid), mode="trilinear", align_corners=False)[0].permute(1, 2, 3, 0)


@lru_cache(maxsize=16)
def axis_positions(length: int, width: int) -> Tensor:
    """Return [length, width], float32: sines at even places, cosines at odd ones, made in float64."""
    with torch.inference_mode(False):  # kept tables serve training as well
        return _make_axis_positions(length, width)


def _make_axis_positions(length: int, width: int) -> Tensor:
    places = torch.arange(width, dtype=torch.float64)
    rates = 10000.0 ** (-2 * torch.div(places, 2, rounding_mode="floor") / width)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * rates
    return torch.where(places.long() % 2 == 0, angles.sin(), angles.cos()).float()


def positions(shape: Sequence[int], width: int) -> Tensor:
    """Return the table [t, h, w, width], the sum of the three axes' sinusoids."""
    t, h, w = (axis_positions(length, width) for length in shape)
    return t[:, None, None] + h[None, :, None] + w[None, None]
