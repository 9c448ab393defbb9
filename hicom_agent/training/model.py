"""HICom as it is trained: the plain path from pixels and words to the loss, every part of it differentiable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from hicom_agent.compress.config import PREFIX
from hicom_agent.encode.siglip import CPU_FRAMES, GPU_FRAMES
from hicom_agent.llm.chat import IGNORED
from hicom_agent.llm.checkpoint import Checkpoint
from hicom_agent.llm.loading import NEWLINE, TEXT, VISION, Loader
from hicom_agent.training.config import Stage

PARTS = ("projector", "injector", "language_model", "head_and_text")
_NAMES = {  # own beginnings of names, and the release's
    "tower.vision_tower.": VISION,
    "tower.guide_encoder.": TEXT,
    "projector.": PREFIX,
    "qwen.": "",
}


class TrainableHICom(nn.Module):
    """A checkpoint in training. All parts are frozen until `train_parts` says which are not."""

    accepts_loss_kwargs = True  # Trainer then says how many labels a step has, over all its batches

    def __init__(self, loader: Loader) -> None:
        super().__init__()
        self.loader, self.hicom = loader, loader.config
        self.tower = loader.load_tower()
        self.projector, self.qwen, newline = loader.load_rest()
        self.newline = None if newline is None else nn.Parameter(newline, requires_grad=False)
        self.start = loader.checkpoint

    @classmethod
    def from_checkpoint(
        cls,
        start: Path | Checkpoint,
        changes: Mapping[str, Any] | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        vision_tower: Path | None = None,
    ) -> tuple[TrainableHICom, list[str]]:
        """Return the model of a HICom checkpoint under changes of its config.json, and what was added and dropped.

        Raises SetupError for a checkpoint that does not fit.
        """
        loader = Loader(start, vision_tower, device, dtype, changes=changes)
        model = cls(loader)
        return model, [*(f"added {name}" for name in loader.added), *(f"dropped {name}" for name in loader.dropped)]

    # ------------------------------------------------------------------ what is trained

    def train_parts(self, stage: Stage, *, head_and_text: bool = False) -> dict[str, list[str]]:
        """Let a stage's parts learn, in float32, and no others; return the names of parameters of each part.

        What has no effect on the result is not trained: SigLIP's probe and the attention of its head.
        """
        parts: dict[str, list[str]] = {part: [] for part in PARTS}
        for name, parameter in self.named_parameters():
            part = _part_of(name)
            trained = part in ("projector", "injector") or (stage == "tune" and part == "language_model")
            trained = trained or (part == "head_and_text" and head_and_text)
            parameter.requires_grad_(trained)
            if trained:
                parts[part].append(name)
        names = {release_name(name): name for names in parts.values() for name in names}
        self._refine(names)
        return {part: found for part, found in parts.items() if found}

    def _refine(self, names: Mapping[str, str]) -> None:
        """Give parameters that learn their stored precision, or what of it float32 has."""
        own = dict(self.named_parameters())
        coarse = [name for name, inside in names.items() if own[inside].dtype != torch.float32]
        stored = [name for name in coarse if name in self.start.entries]
        for name in set(coarse) - set(stored):
            own[names[name]].data = own[names[name]].data.float()
        for name, tensor in self.start.read(stored):
            parameter = own[names[name]]
            parameter.data = tensor.to(parameter.device, torch.float32)

    def keep_fewer_states(self) -> None:
        """Keep few states of the language model, and make the others again on the way back."""
        named = "activation_checkpointing_enable"  # the older name warns where there is the new one
        enable = getattr(self.qwen, named, None) or self.qwen.gradient_checkpointing_enable
        enable({"use_reentrant": False})

    def train(self, mode: bool = True) -> TrainableHICom:
        """Set the language model's mode; nothing else has one."""
        self.training = mode
        self.qwen.train(mode)
        return self

    # ------------------------------------------------------------------ the way to the loss

    def forward(
        self,
        input_ids: Tensor,
        labels: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **seen: Any,
    ) -> dict[str, Tensor]:
        """Return the loss, and the logits [m, vocabulary] from which the m labelled ids are told, row by row.

        The batch is as `collate` makes it. The loss is the sum over labels, by `num_items_in_batch` or by their number.
        Without labels there is no loss, and the logits are of all places, [b, n, vocabulary], padding included.
        """
        visual = self.visual_tokens(**{key: seen[key] for key in ("modals", "pixels", "features", "guide_ids")})
        lengths = seen["lengths"]
        words = self.qwen.get_input_embeddings()(input_ids.clamp(min=0))
        if not lengths:
            return self._nothing(words)
        places = [_sentinel(row, visual[i] is not None) for i, row in enumerate(input_ids.tolist())]
        rows, targets = [], []
        for i, (length, tokens, at) in enumerate(zip(lengths, visual, places, strict=True)):
            target = labels[i, :length] if labels is not None else input_ids[i, :length]
            if tokens is None:
                rows.append(words[i, :length])
            else:
                rows.append(torch.cat([words[i, :at], tokens.to(words.dtype), words[i, at + 1 : length]]))
                target = torch.cat([target[:at], target.new_full((len(tokens),), IGNORED), target[at + 1 :]])
            targets.append(target)
        hidden = self._read(rows)
        if labels is None:
            return {"logits": self.qwen.lm_head(hidden).float()}
        shifted = pad_sequence(targets, batch_first=True, padding_value=IGNORED)[:, 1:]
        kept = shifted != IGNORED
        logits = self.qwen.lm_head(hidden[:, :-1][kept]).float()
        loss = F.cross_entropy(logits, shifted[kept], reduction="sum")
        count = int(kept.sum()) if num_items_in_batch is None else num_items_in_batch
        loss = loss / (count.clamp(min=1) if isinstance(count, Tensor) else max(1, count))
        return {"loss": loss + self._idle(visual), "logits": logits}

    def visual_tokens(
        self,
        modals: Sequence[str],
        pixels: Sequence[Tensor | None],
        features: Sequence[tuple[Tensor, Tensor] | None],
        guide_ids: Sequence[Tensor | None],
    ) -> list[Tensor | None]:
        """Return the visual tokens [n, hidden] of each sample, None where nothing is seen.

        Samples of one shape and kind go through the projector together. Raises ValueError without a guide that is
        needed, or for features made before by a head that is being trained.
        """
        pairs = self._features(pixels, features)
        guides = self._guides([ids if pairs[i] is not None else None for i, ids in enumerate(guide_ids)])
        groups: dict[tuple[str, tuple[int, ...]], list[int]] = {}
        for i, pair in enumerate(pairs):
            if pair is not None:
                groups.setdefault((modals[i], tuple(pair[0].shape)), []).append(i)
        out: list[Tensor | None] = [None] * len(pairs)
        for (modal, _), members in groups.items():
            values = torch.stack([pairs[i][0] for i in members])  # type: ignore[index]
            keys = torch.stack([pairs[i][1] for i in members])  # type: ignore[index]
            chosen = None if guides is None else torch.stack([guides[i] for i in members])
            for i, tokens in zip(members, self.project(values, keys, chosen, modal), strict=True):
                out[i] = tokens
        return out

    def project(self, values: Tensor, keys: Tensor, guides: Tensor | None, modal: str) -> Tensor:
        """Return visual tokens [b, n, hidden] of V and E [b, t, h, w, d] under guides [b, d]."""

        def one(value: Tensor, key: Tensor, guide: Tensor | None) -> Tensor:
            made: Tensor = self.projector(value, key, guide, modal=modal, newline=self.newline, fast=False)
            return made

        if len(values) == 1:
            return one(values[0], keys[0], None if guides is None else guides[0])[None]
        made: Tensor = torch.vmap(one, in_dims=(0, 0, None if guides is None else 0))(values, keys, guides)
        return made

    def _features(
        self, pixels: Sequence[Tensor | None], features: Sequence[tuple[Tensor, Tensor] | None]
    ) -> list[tuple[Tensor, Tensor] | None]:
        head = self.tower.vision_tower.head
        learns = head.layernorm.weight.requires_grad
        weight = self.tower.vision_tower.embeddings.patch_embedding.weight
        pairs: list[tuple[Tensor, Tensor] | None] = []
        for picture, made in zip(pixels, features, strict=True):
            if made is not None:
                if learns:
                    raise ValueError("SigLIP's head is trained, so samples need pixels, not features made before")
                pairs.append(made)
            elif picture is None:
                pairs.append(None)
            else:
                step = GPU_FRAMES if picture.is_cuda else CPU_FRAMES
                with torch.no_grad():
                    parts = [self.tower.states(part.to(weight)) for part in torch.split(picture, step)]
                    values, last = (torch.cat([part[i] for part in parts]) for i in range(2))
                if not self.hicom.guided:
                    pairs.append((values, values))
                    continue
                with torch.set_grad_enabled(learns and torch.is_grad_enabled()):
                    pairs.append((values, last + head.mlp(head.layernorm(last))))
        return pairs

    def _guides(self, ids: Sequence[Tensor | None]) -> list[Tensor] | None:
        """Return the guides of samples in which something is seen; None where guidance is off."""
        wanted = [each for each in ids if each is not None]
        if not self.hicom.guided or not wanted:
            return None
        encoder = self.tower.guide_encoder
        assert encoder is not None
        with torch.set_grad_enabled(encoder.head.weight.requires_grad and torch.is_grad_enabled()):
            made = iter(self.tower.guides(torch.stack(wanted), tokens=self.hicom.use_guide == "fine"))
        none = torch.empty(0)
        return [none if each is None else next(made) for each in ids]

    def _read(self, rows: list[Tensor]) -> Tensor:
        """Return the language model's last states [b, n, hidden] of rows [n, hidden], padded behind."""
        embeds = pad_sequence(rows, batch_first=True)
        lengths = [len(row) for row in rows]
        mask = None
        if min(lengths) < max(lengths):
            places = torch.arange(embeds.shape[1], device=embeds.device)
            mask = (places < torch.tensor(lengths, device=embeds.device)[:, None]).long()
        hidden: Tensor = self.qwen.model(inputs_embeds=embeds, attention_mask=mask, use_cache=False).last_hidden_state
        return hidden

    def _idle(self, visual: Sequence[Tensor | None]) -> Tensor | float:
        """Return 0 that all weights beside the language model have a part in.

        A batch of words alone gives them no gradient: nothing could be differentiated where only they learn, and
        processes that train together would wait for each other.
        """
        if all(tokens is not None for tokens in visual) and not torch.distributed.is_initialized():
            return 0.0
        own = [p for name, p in self.named_parameters() if p.requires_grad and not name.startswith("qwen.")]
        return 0.0 * torch.stack([parameter.float().sum() for parameter in own]).sum() if own else 0.0

    def _nothing(self, words: Tensor) -> dict[str, Tensor]:
        """Return a loss of 0 for a batch of which every sample was broken."""
        parts = [parameter.float().sum() for parameter in self.parameters() if parameter.requires_grad]
        loss = 0.0 * torch.stack(parts).sum() if parts else words.sum() * 0.0
        return {"loss": loss, "logits": words.new_zeros(0, self.qwen.config.vocab_size)}

    # ------------------------------------------------------------------ the way to a file

    def save(self, folder: Path, state: Mapping[str, Tensor] | None = None, words: torch.dtype | None = None) -> None:
        """Write a checkpoint in the release's layout: what was not trained is copied as it was stored.

        `state` has the tensors where they are not all here; `words` is the type of a trained language model.
        """
        from hicom_agent.training.saving import save_checkpoint

        own = dict(self.named_parameters())
        learned = {name for name, parameter in own.items() if parameter.requires_grad}
        values = own if state is None else {name: state[name] for name in own}
        tensors = {
            release_name(name): tensor.detach().to(words if name.startswith("qwen.") else None)
            for name, tensor in values.items()
        }
        if self.hicom.depth == 1:
            tensors = {name.replace(f"{PREFIX}0.", PREFIX): tensor for name, tensor in tensors.items()}
        fixed = {release_name(name) for name in own if name not in learned} & set(self.start.entries)
        save_checkpoint(folder, self.loader, tensors, fixed)


def release_name(name: str) -> str:
    """Return the name that a parameter has in a released checkpoint.

    >>> release_name("projector.global_compressor.query")
    'model.mm_projector.global_compressor.query'
    """
    if name == "newline":
        return NEWLINE
    for own, release in _NAMES.items():
        if name.startswith(own):
            return release + name.removeprefix(own)
    raise ValueError(f"no parameter {name!r}")


def _part_of(name: str) -> str:
    if name.startswith("projector."):
        return "injector" if "guide_injector." in name else "projector"
    if name.startswith("qwen."):
        return "language_model"
    head = name.startswith(("tower.vision_tower.head.layernorm.", "tower.vision_tower.head.mlp."))
    return "head_and_text" if head or name.startswith("tower.guide_encoder.") else ""


def _sentinel(row: list[int], seen: bool) -> int:
    """Return where the sentinel stands, -1 where there is none."""
    at = next((i for i, each in enumerate(row) if each < 0), -1)
    if (at >= 0) != seen:
        raise ValueError("a sample has a sentinel and shows nothing, or the other way round")
    return at
