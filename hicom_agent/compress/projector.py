"""HICom's projector: features of a video and a question into the tokens that a language model reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from hicom_agent.compress import kernels
from hicom_agent.compress.config import PREFIX, HIComConfig
from hicom_agent.compress.kernels import PatchEmbeds, Rows
from hicom_agent.compress.layers import GlobalCompressor, LocalCompressor
from hicom_agent.errors import SetupError

BASELINE_SIDE = 14  # cells per side to which the uncompressed baseline resamples a frame


class HIComProjector(nn.Module):
    """One compressor, with the weight names that a checkpoint has under `model.mm_projector.`."""

    local_logit_scale: Tensor | None
    local_logit_bias: Tensor | None
    global_logit_scale: Tensor | None
    global_logit_bias: Tensor | None

    def __init__(self, config: HIComConfig) -> None:
        super().__init__()
        self.config = config
        width, hidden = config.width, config.hidden_size
        if config.local is not None:
            self.local_compressor = LocalCompressor(width, hidden, config.local)
            self._add_scale("local", config.local.clip_scale)
        if config.whole is not None:
            self.global_compressor = GlobalCompressor(width, hidden, config.whole)
            self._add_scale("global", config.whole.clip_scale)
        for i in range(config.depth):  # named 0, 2, 4 as in a sequence with activations; a lone layer has no number
            layer = nn.Linear(width if i == 0 else hidden, hidden)
            self.add_module(str(2 * i), layer)
        self.reset_parameters()

    def _add_scale(self, branch: str, wanted: bool) -> None:
        for name in ("scale", "bias"):
            value = nn.Parameter(torch.zeros(1)) if wanted else None
            self.register_parameter(f"{branch}_logit_{name}", value)

    def reset_parameters(self) -> None:
        """Draw weights as training starts: linear layers from a truncated normal of 0.02, all the rest 0 or 1."""
        for module in self.modules():
            if isinstance(module, nn.Linear) and not module.weight.is_meta:
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def load_checkpoint(self, state: Mapping[str, Tensor]) -> None:
        """Take all weights from `state`, names with or without `model.mm_projector.`; each is cast once.

        Raises SetupError, which names the tensors that are missing, unexpected, or of another shape.
        """
        given = {name.removeprefix(PREFIX): tensor for name, tensor in state.items()}
        given = {name: tensor for name, tensor in given.items() if not name.startswith(self.config.ignored or ("\0",))}
        if self.config.depth == 1:
            given = {f"0.{name}" if name in ("weight", "bias") else name: x for name, x in given.items()}
        own = dict(self.named_parameters())
        check_names({name: tuple(x.shape) for name, x in own.items()}, {n: tuple(x.shape) for n, x in given.items()})
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(given[name])

    def forward(
        self,
        features: Tensor,
        patch_embeds: Tensor | PatchEmbeds | None = None,
        guide: Tensor | None = None,
        modal: str = "video",
        newline: Tensor | None = None,
        *,
        fast: bool = True,
    ) -> Tensor:
        """Return tokens [n, hidden]: local ones in order (t, h, w) with newlines, then global ones.

        `features` V and `patch_embeds` E are [t, h, w, d] of any size; `guide` is [d], or [m, d] for a fine model.
        Several guides, [q, d] or [q, m, d], give [q, n, hidden]. `modal` is "video" or "image"; `newline` [hidden].
        Raises ValueError where shapes or guidance do not fit.
        """
        guides, single = self._check(features, patch_embeds, guide)
        if not self.config.guided:
            keys: PatchEmbeds = Rows(features)
        else:
            keys = Rows(patch_embeds) if isinstance(patch_embeds, Tensor) else patch_embeds  # type: ignore[assignment]
        if self.config.depth:
            tokens = self._baseline(features, modal)[None]
        elif fast:
            tokens = self._fast(features, keys, guides, modal, newline)
        else:
            every = [None] if guides is None else list(guides)
            whole = keys.rows(slice(None))
            tokens = torch.stack([self._plain(features, whole, one, modal, newline) for one in every])
        return tokens[0] if single else tokens

    def _check(
        self, features: Tensor, keys: Tensor | PatchEmbeds | None, guide: Tensor | None
    ) -> tuple[Tensor | None, bool]:
        """Return the guides in a batch, and whether there was only one, unbatched."""
        if features.ndim != 4 or features.shape[-1] != self.config.width or not features.numel():
            raise ValueError(f"need features [t, h, w, {self.config.width}], got {list(features.shape)}")
        if not self.config.guided:
            return None, True
        if keys is None or (isinstance(keys, Tensor) and keys.shape != features.shape):
            found = list(keys.shape) if isinstance(keys, Tensor) else None
            raise ValueError(f"need patch_embeds of shape {list(features.shape)}, got {found}")
        level = 2 if self.config.use_guide == "fine" else 1
        if guide is None or guide.ndim not in (level, level + 1) or guide.shape[-1] != self.config.width:
            kind = "[tokens, d] of each token" if level == 2 else "[d]"
            raise ValueError(
                f"need a guide {kind}, d = {self.config.width}, or several of them, "
                f"got {None if guide is None else list(guide.shape)}"
            )
        return (guide[None], True) if guide.ndim == level else (guide, False)

    def _plain(
        self, features: Tensor, keys: Tensor, guide: Tensor | None, modal: str, newline: Tensor | None
    ) -> Tensor:
        local = whole = None
        if self.config.local is not None:
            scale = self.local_logit_scale, self.local_logit_bias
            local = self.local_compressor(features, keys, guide, modal, *scale)[None]
        if self.config.whole is not None:
            scale = self.global_logit_scale, self.global_logit_bias
            whole = self.global_compressor(features, guide, *scale)[None]
        return self.assemble(local, whole, modal, newline)[0]

    def _fast(
        self, features: Tensor, keys: PatchEmbeds, guides: Tensor | None, modal: str, newline: Tensor | None
    ) -> Tensor:
        local, whole = self._local(features, keys, guides, modal), self._whole(features, guides)
        return self.assemble(local, whole, modal, newline, 1 if guides is None else len(guides))

    def _local(self, features: Tensor, keys: PatchEmbeds, guides: Tensor | None, modal: str) -> Tensor | None:
        if self.config.local is None:
            return None
        own = None if self.config.local.mode == "off" else guides
        return kernels.compress_local(self.local_compressor, features, keys, own, modal, self.local_logit_scale)

    def _whole(self, features: Tensor, guides: Tensor | None) -> Tensor | None:
        if self.config.whole is None:
            return None
        own = None if self.config.whole.mode == "off" else guides
        if not self.config.whole.clip_scale:
            return kernels.compress_global(self.global_compressor, features, own)
        pair = self.global_logit_scale, self.global_logit_bias  # keys must be made to be normalised: nothing to fold
        each = [None] if own is None else list(own)
        return torch.stack([self.global_compressor(features, guide, *pair) for guide in each])

    def compress_clips(
        self,
        clips: Sequence[tuple[Tensor, Tensor | PatchEmbeds]],
        guide: Tensor | None,
        newline: Tensor | None = None,
    ) -> Tensor:
        """Return tokens [n, hidden] of clips (V, E) as one video: each locally for itself, all together globally.

        A group never spans two clips. Raises ValueError without clips, or where shapes do not fit.
        """
        if not clips:
            raise ValueError("need at least one clip")
        if self.config.depth:
            return torch.cat([self._baseline(features, "video") for features, _ in clips])
        policy = self._policy("video", newline)
        parts = []
        for features, patches in clips:
            guides, _ = self._check(features, patches, guide)
            keys = Rows(patches) if isinstance(patches, Tensor) else patches
            local = self._local(features, keys if self.config.guided else Rows(features), guides, "video")
            inside = "no_token" if policy == "one_token" else policy
            parts += [] if local is None else [_add_newlines(local, inside, newline)[0]]
        if newline is not None and policy == "one_token" and parts:
            parts.append(newline.to(parts[0])[None])
        whole = self._whole(torch.cat([features for features, _ in clips]), guides)
        return torch.cat([*parts, *([] if whole is None else [whole[0]])])

    def assemble(
        self,
        local: Tensor | None,
        whole: Tensor | None,
        modal: str,
        newline: Tensor | None,
        num_questions: int = 1,
    ) -> Tensor:
        """Return [q, n, hidden] of local tokens [q, gt, gh, gw, hidden] and global ones [q, n, hidden].

        Without a newline vector there are no newlines, whatever the policy.
        """
        parts = []
        if local is not None:
            parts.append(_add_newlines(local, self._policy(modal, newline), newline))
        if whole is not None:
            parts.append(whole)
        return torch.cat([part.expand(num_questions, -1, -1) for part in parts], dim=1)

    def _policy(self, modal: str, newline: Tensor | None) -> str:
        if newline is None or not self.config.merge.startswith("spatial"):
            return "no_token"
        return self.config.newline if modal == "video" else "one_token"

    def _baseline(self, features: Tensor, modal: str) -> Tensor:
        x = features
        for i in range(self.config.depth):
            x = self.get_submodule(str(2 * i))(x if i == 0 else F.gelu(x))
        if modal == "video":
            size = (BASELINE_SIDE, BASELINE_SIDE)
            x = F.interpolate(x.permute(0, 3, 1, 2), size, mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
        return x.flatten(0, 2)


def _add_newlines(local: Tensor, policy: str, newline: Tensor | None) -> Tensor:
    """Return [q, n, hidden]: tokens in order, with the newline after all, after each slot in time, or each row."""
    if policy == "no_token" or newline is None:
        return local.flatten(1, 3)
    lines = {"one_token": local.flatten(1, 3)[:, None], "frame": local.flatten(2, 3), "grid": local.flatten(1, 2)}[
        policy
    ]
    ends = newline.to(lines).expand(*lines.shape[:2], 1, -1)
    return torch.cat([lines, ends], dim=2).flatten(1, 2)


def check_names(
    expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]], prefix: str = ""
) -> None:
    """Compare names and shapes of tensors; raise SetupError that names the first of each kind of difference."""
    missing = [name for name in expected if name not in found]
    extra = [name for name in found if name not in expected]
    wrong = [name for name in expected if name in found and expected[name] != found[name]]
    told = [
        f"{word} {prefix}{names[0]}{_more(names)}"
        for word, names in (("missing", missing), ("unexpected", extra))
        if names
    ]
    told += (
        [f"{prefix}{wrong[0]} is {list(found[wrong[0]])}, not {list(expected[wrong[0]])}{_more(wrong)}"]
        if wrong
        else []
    )
    if told:
        raise SetupError(f"the weights do not fit the config: {'; '.join(told)}")


def _more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""
