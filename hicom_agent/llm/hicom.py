"""The released HICom model: a SigLIP tower, the compressor, and a Qwen2 that reads its tokens among words.

Source: HICom (arXiv 2503.16036), released code; weight names and quirks as in the specification, sections 10 to 13.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hicom_agent.compress.config import Branch, Mode
from hicom_agent.compress.kernels import PatchEmbeds
from hicom_agent.encode.siglip import JointPatches
from hicom_agent.llm.checkpoint import read_json
from hicom_agent.llm.loading import Loader

VIDEO, IMAGE = -201, -200  # stand in prompt ids where the visual tokens go
MAX_NEW_TOKENS = 2048


@dataclass(frozen=True, slots=True)
class Generated:
    """What a language model wrote."""

    ids: list[int]  # with the end-of-turn token, if it came
    log_probs: list[float]  # of each, before any penalty


class HIComModel:
    """One checkpoint on one device. It keeps the states of the last prompt: what the next one shares is not redone."""

    def __init__(self, loader: Loader) -> None:
        """Read what the loader has not read yet."""
        folder = self.folder = loader.checkpoint.folder
        self.config, self.version = loader.config, loader.version
        self.tower = loader.load_tower()
        self.projector, self.qwen, self.newline = loader.load_rest()
        generation = folder / "generation_config.json"
        found = read_json(generation) if generation.is_file() else {}
        ends = found.get("eos_token_id", self.qwen.config.eos_token_id)
        self.end_ids = set(ends if isinstance(ends, list) else [ends]) - {None}
        self.penalty = float(found.get("repetition_penalty") or 1.0)
        self._cache: Any = None  # states of the prompt `_seen`, [n, hidden]
        self._seen: Tensor | None = None
        self._forget()

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path,
        vision_tower: str | Path | None = None,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        modes: Mapping[Branch, Mode] | None = None,
    ) -> HIComModel:
        """Load a checkpoint's folder; `vision_tower` is the folder with SigLIP's own config and tokenizer.

        By default on CUDA in bfloat16 if there is a device, else on the CPU in float32. Each tensor goes straight to
        its place. Raises SetupError, which names a tensor that is missing, unexpected, damaged or of another shape,
        before any is read.
        """
        return cls(Loader(path, vision_tower, device, dtype, modes))

    @property
    def device(self) -> torch.device:
        """Return where the model is."""
        return next(self.projector.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Return the type in which it computes."""
        return next(self.projector.parameters()).dtype

    # ------------------------------------------------------------------ pictures and guides

    def encode_frames(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return V and E, both [t, h, w, d], of pixels [t, 3, side, side] in -1..1."""
        features, joint = self.encode_lazily(pixels)
        return features, joint.rows(slice(None))

    def encode_lazily(self, pixels: Tensor) -> tuple[Tensor, JointPatches]:
        """Return V and what makes E where it is read: for one question that costs half."""
        return self.tower.encode_frames(pixels.to(self.device, self.dtype))

    def encode_guide(self, guide_ids: Tensor | Sequence[int]) -> Tensor:
        """Return the guide of ids [64] or [1, 64], or guides of ids [b, 64]; of each token where the mode is fine."""
        ids = torch.as_tensor(guide_ids, device=self.device)
        rows = ids if ids.ndim == 2 else ids[None]
        guides = self.tower.encode_guides(rows, tokens=self.config.use_guide == "fine")
        return guides[0] if len(rows) == 1 else guides

    @torch.inference_mode()
    def visual_tokens(
        self, features: Tensor, patch_embeds: Tensor | PatchEmbeds | None, guide: Tensor | None, modal: str = "video"
    ) -> Tensor:
        """Return the visual tokens [n, hidden], or [q, n, hidden] for several guides."""
        guide = None if guide is None else guide.to(self.device, self.dtype)
        out: Tensor = self.projector(features, patch_embeds, guide, modal=modal, newline=self.newline)
        return out

    @torch.inference_mode()
    def clip_tokens(self, clips: Sequence[tuple[Any, Any]], guide: Tensor) -> Tensor:
        """Return the visual tokens [n, hidden] of several clips (V, E) that are shown as one video."""
        return self.projector.compress_clips(
            [(v.to(self.device, self.dtype), e.to(self.device, self.dtype)) for v, e in clips],
            guide.to(self.device, self.dtype),
            self.newline,
        )

    # ------------------------------------------------------------------ words

    def splice(self, prompt_ids: Tensor | Sequence[int], visual_tokens: Tensor | None) -> Tensor:
        """Return what enters the language model, [n, hidden]: words, and visual tokens in place of the sentinel.

        Raises ValueError unless there is one sentinel for visual tokens, and none without them.
        """
        ids = torch.as_tensor(prompt_ids, device=self.device).flatten()
        at = [i for i, each in enumerate(ids.tolist()) if each in (VIDEO, IMAGE)]
        if len(at) != (visual_tokens is not None):
            raise ValueError(f"need one sentinel ({VIDEO} or {IMAGE}) where visual tokens go, got {len(at)}")
        embed = self.qwen.get_input_embeddings()
        if visual_tokens is None:
            return embed(ids)  # type: ignore[no-any-return]
        return torch.cat([embed(ids[: at[0]]), visual_tokens.to(self.device, self.dtype), embed(ids[at[0] + 1 :])])

    @torch.inference_mode()
    def logits(self, prompt_ids: Tensor | Sequence[int], visual_tokens: Tensor | None = None) -> Tensor:
        """Return the logits [vocabulary] of the token after the prompt."""
        return self._read(self.splice(prompt_ids, visual_tokens))

    def generate(
        self,
        prompt_ids: Tensor | Sequence[int],
        visual_tokens: Tensor | None = None,
        max_new_tokens: int = MAX_NEW_TOKENS,
        **sampling: Any,
    ) -> list[int]:
        """Return the ids that the model adds; greedy, or sampled as `write` says."""
        return self.write(prompt_ids, visual_tokens, max_new_tokens, **sampling).ids

    @torch.inference_mode()
    def write(
        self,
        prompt_ids: Tensor | Sequence[int],
        visual_tokens: Tensor | None = None,
        max_new_tokens: int = MAX_NEW_TOKENS,
        *,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int | None = None,
    ) -> Generated:
        """Return the ids that the model adds and how likely each was; a temperature above 0 samples.

        The checkpoint's repetition penalty, if it has one, counts over what was written.
        """
        with self._states():
            logits = self._read(self.splice(prompt_ids, visual_tokens))
            random = None if seed is None else torch.Generator(self.device).manual_seed(seed)
            ids: list[int] = []
            log_probs: list[float] = []
            while len(ids) < max_new_tokens:
                chosen = _pick(_penalise(logits, ids, self.penalty), temperature, top_p, random)
                log_probs.append(float(torch.log_softmax(logits, -1)[chosen]))
                ids.append(chosen)
                if chosen in self.end_ids or len(ids) == max_new_tokens:
                    break
                logits = self._forward(self.qwen.get_input_embeddings()(torch.tensor([chosen], device=self.device)))[-1]
        return Generated(ids, log_probs)

    @torch.inference_mode()
    def score(
        self,
        prompt_ids: Tensor | Sequence[int],
        visual_tokens: Tensor | None,
        options: Sequence[Sequence[int]],
    ) -> list[float]:
        """Return for each option, a list of ids, the sum of the log-likelihoods of its tokens after the prompt.

        The prompt is read once for all. Raises ValueError for an option without ids.
        """
        if not all(options):
            raise ValueError("an option needs at least one token")
        scores = []
        with self._states():
            first = torch.log_softmax(self._read(self.splice(prompt_ids, visual_tokens)), -1)
            for option in options:
                total = float(first[option[0]])
                if len(option) > 1:
                    ids = torch.tensor(list(option), device=self.device)
                    logs = torch.log_softmax(self._forward(self.qwen.get_input_embeddings()(ids[:-1])), -1)
                    total += float(logs.gather(1, ids[1:, None]).sum())
                    self._rewind()
                scores.append(total)
        return scores

    @contextmanager
    def _states(self) -> Iterator[None]:
        """Leave the states of the prompt behind, or none: after a fault some layers may know more than others."""
        try:
            yield
        except BaseException:
            self._forget()
            raise
        self._rewind()

    def _read(self, embeds: Tensor) -> Tensor:
        """Return the logits after a prompt; what it shares with the one before is not read again."""
        shared = 0
        if self._seen is not None:
            length = min(len(self._seen), len(embeds) - 1)
            same = (self._seen[:length] == embeds[:length]).all(-1)
            shared = int(same.long().cumprod(0).sum())
        if shared:
            self._cut(shared)
        else:
            self._forget()
        self._seen = None  # until the states are whole: running out of memory may come in between
        logits = self._forward(embeds[shared:], last_only=True)[-1]
        self._seen = embeds
        return logits

    def _forward(self, embeds: Tensor, *, last_only: bool = False) -> Tensor:
        out = self.qwen(
            inputs_embeds=embeds[None],
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1 if last_only else 0,
        )
        return out.logits[0].float()  # type: ignore[no-any-return]

    def _rewind(self) -> None:
        """Forget what came after the prompt."""
        assert self._seen is not None
        self._cut(len(self._seen))

    def _cut(self, length: int) -> None:
        extra = self._cache.get_seq_length() - length
        if extra:
            self._cache.crop(-extra)

    def _forget(self) -> None:
        from transformers import DynamicCache

        self._cache, self._seen = DynamicCache(config=self.qwen.config), None


def _penalise(logits: Tensor, ids: Sequence[int], penalty: float) -> Tensor:
    if penalty == 1.0 or not ids:
        return logits
    seen = torch.tensor(sorted(set(ids)), device=logits.device)
    picked = logits[seen]
    return logits.index_copy(0, seen, torch.where(picked < 0, picked * penalty, picked / penalty))


def _pick(logits: Tensor, temperature: float, top_p: float, random: torch.Generator | None) -> int:
    if temperature <= 0:
        return int(logits.argmax())
    shares, order = torch.softmax(logits / temperature, -1).sort(descending=True)
    if top_p < 1:
        shares[1:][(shares.cumsum(0) - shares)[1:] >= top_p] = 0  # the likeliest always stays
    return int(order[torch.multinomial(shares, 1, generator=random)])
