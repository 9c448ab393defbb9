"""SigLIP as HICom uses it: penultimate features V, joint-space patches E, and the guide, from transformers' modules.

Only two hidden states are kept of all layers, the pooling head's attention is skipped, frames go through in chunks.

Source: HICom (arXiv 2503.16036), released code, SiglipVisionTower and its guide encoder.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from hicom_agent.errors import SetupError

if TYPE_CHECKING:
    from hicom_agent.types import Picture

LOG = logging.getLogger(__name__)

GREY = 127  # of the bars that make a picture square
CPU_FRAMES, GPU_FRAMES = 4, 64  # at once
GUIDE_TOKENS = 64


@dataclass(frozen=True, slots=True)
class JointPatches:
    """Patches in the space of guides, E = Y + MLP(LN(Y)), made only where they are read."""

    last: Tensor  # Y [t, h, w, d], after the last layer and its norm
    norm: nn.LayerNorm
    mlp: Any  # transformers' SiglipMLP

    @torch.inference_mode()
    def rows(self, frames: slice) -> Tensor:
        """Return E of some frames, [t, h, w, d]."""
        last = self.last[frames]
        made: Tensor = last + self.mlp(self.norm(last))
        return made

    @torch.inference_mode()
    def dot(self, frames: slice, guides: Tensor) -> Tensor:
        """Return E·g up to a constant, [t, h, w, q]: the MLP's second product is folded into the guides."""
        last, guides = self.last[frames], guides.to(self.last)
        hidden = self.mlp.activation_fn(self.mlp.fc1(self.norm(last)))
        dots: Tensor = last @ guides.T + hidden @ (guides @ self.mlp.fc2.weight).T
        return dots

    def __getitem__(self, frames: slice) -> JointPatches:
        return JointPatches(self.last[frames], self.norm, self.mlp)


class SiglipTower(nn.Module):
    """The two halves of SigLIP; without guidance there is no text half."""

    def __init__(self, vision: Any, text: Any | None, select_layer: int = -2) -> None:
        """Make the modules from transformers' SiglipVisionConfig and SiglipTextConfig, weights as they come."""
        from transformers.models.siglip.modeling_siglip import SiglipTextModel, SiglipVisionModel

        super().__init__()
        self.vision_tower = SiglipVisionModel(vision)
        self.guide_encoder = SiglipTextModel(text) if text is not None else None
        self.side_px = int(vision.image_size)
        self.grid = self.side_px // int(vision.patch_size)
        layers = len(self.vision_tower.encoder.layers)
        self.select = select_layer % (layers + 1)  # as an index into hidden states, of which 0 is the embedding

    @torch.inference_mode()
    def encode_frames(self, pixels: Tensor, frames_at_once: int = 0) -> tuple[Tensor, JointPatches]:
        """Return V [t, h, w, d] and E of pixels [t, 3, side, side], scaled to -1..1; several frames at a time.

        Where the GPU's memory does not suffice, fewer at a time, down to one.
        """
        step = frames_at_once or (GPU_FRAMES if pixels.is_cuda else CPU_FRAMES)
        while True:
            try:
                parts = [self.states(pixels[i : i + step]) for i in range(0, len(pixels), step)]
                break
            except torch.cuda.OutOfMemoryError:
                if step == 1:
                    raise
                step = max(1, step // 2)
                LOG.warning("GPU out of memory: frames are encoded %d at a time", step)
                torch.cuda.empty_cache()
        features, last = (torch.cat([part[i] for part in parts]) for i in range(2))
        head = self.vision_tower.head
        return features, JointPatches(last, head.layernorm, head.mlp)

    def states(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return V and Y, both [t, h, w, d], of pixels [t, 3, side, side], all at once; can be differentiated."""
        model = self.vision_tower
        x = model.embeddings(pixels)
        kept = x
        for number, layer in enumerate(model.encoder.layers, 1):
            x = layer(x, None)
            if number == self.select:
                kept = x
        shape = (len(pixels), self.grid, self.grid, -1)
        return kept.reshape(shape), model.post_layernorm(x).reshape(shape)

    @torch.inference_mode()
    def encode_guides(self, ids: Tensor, *, tokens: bool = False) -> Tensor:
        """Return pooled guides [b, d] of ids [b, 64], or one for each token, [b, 64, d]; padding is attended to."""
        return self.guides(ids, tokens=tokens)

    def guides(self, ids: Tensor, *, tokens: bool = False) -> Tensor:
        """Return what `encode_guides` does; can be differentiated."""
        if self.guide_encoder is None:
            raise ValueError("this checkpoint was trained without guidance and has no guide encoder")
        states: Tensor = self.guide_encoder(input_ids=ids).last_hidden_state
        out: Tensor = self.guide_encoder.head(states if tokens else states[:, -1])
        return out


def prepare(
    pictures: Sequence[Picture], side_px: int, *, device: str | torch.device = "cpu", pad: bool = True
) -> Tensor:
    """Return pixels [t, 3, side, side] in -1..1 of RGB pictures, made square by grey bars if `pad`, else squashed.

    Differs from a resize by Pillow by one of 255 levels at most, by two where a small picture of noise is enlarged.
    """
    if not pictures:
        return torch.empty(0, 3, side_px, side_px, device=device)
    if len({picture.shape for picture in pictures}) > 1:
        return torch.cat([prepare([picture], side_px, device=device, pad=pad) for picture in pictures])
    frames = torch.from_numpy(np.stack(pictures)).to(device).permute(0, 3, 1, 2)
    height, width = frames.shape[-2:]
    if pad and height != width:
        side = max(height, width)
        left, top = (side - width) // 2, (side - height) // 2
        frames = F.pad(frames, (left, side - width - left, top, side - height - top), value=GREY)
    if frames.shape[-2:] != (side_px, side_px):
        if frames.is_cuda:  # no antialiased resize of bytes there
            frames = F.interpolate(frames.float(), (side_px, side_px), mode="bicubic", antialias=True)
            frames = frames.round().clamp(0, 255)
        else:
            frames = F.interpolate(frames, (side_px, side_px), mode="bicubic", antialias=True)
    return frames.float() / 255 * 2 - 1


def load_siglip_configs(folder: Path) -> tuple[Any, Any]:
    """Return transformers' vision and text config of the folder of a SigLIP model; raises SetupError."""
    from transformers import SiglipConfig

    try:
        config = SiglipConfig.from_json_file(str(folder / "config.json"))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SetupError(f"no SigLIP config in {folder}: {error}; name its folder with --vision-tower") from error
    return config.vision_config, config.text_config


class GuideTokenizer:
    """SentencePiece as SigLIP was trained: lower case, no punctuation, padded to 64 with the end token."""

    def __init__(self, folder: Path) -> None:
        try:
            from transformers.models.siglip.tokenization_siglip import SiglipTokenizer
        except ImportError as error:
            raise SetupError(f"{error}; run: pip install 'hicom-agent[hicom]'") from error
        path = folder / "spiece.model"
        if not path.is_file():
            raise SetupError(f"no tokenizer {path}; name the folder of the SigLIP model with --vision-tower")
        self._tokenizer = SiglipTokenizer.from_pretrained(str(folder), local_files_only=True)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Return ids [b, 64]."""
        made = self._tokenizer(
            list(texts), padding="max_length", max_length=GUIDE_TOKENS, truncation=True, return_tensors="pt"
        )
        ids: Tensor = made["input_ids"]
        return ids
