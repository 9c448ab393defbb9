"""The encoder of profile hicom-7b: SigLIP for pictures and guides, MiniLM for what is said and written.

Patches of the release take 3.4 MB a frame, so they are not kept: a frame's joint-space cells are, few and rounded, to
find clips by; the patches of the clips that a question needs are made again from the thumbnails.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor

from hicom_agent.encode.guide import guide_text
from hicom_agent.encode.siglip import GuideTokenizer, SiglipTower, prepare
from hicom_agent.errors import AnswerError, StoreCorrupt
from hicom_agent.types import FrameFeatures

if TYPE_CHECKING:
    from hicom_agent.encode.sentences import SentenceModel
    from hicom_agent.types import Floats, Picture

CELLS = 3  # per side, kept of a frame
NUM_KEPT = 128  # guides of texts: a question is read again for every film that may answer it
ROWS = 32  # frames whose patches are made at once
# the pair that this SigLIP was published with; the release tuned the head further, so presence is not calibrated
LOGIT_SCALE, LOGIT_BIAS = 112.0, -16.5


class HIComEncoder:
    """V and E stay on the model's device as tensors, in the place of arrays; pooled vectors are arrays."""

    name = "hicom-7b"
    reads = "1"  # raise when a change here alters what a question finds
    temperature: float | None = None  # of compression: the square root of the width, as trained

    def __init__(
        self, tower: SiglipTower, tokenizer: GuideTokenizer, sentences: SentenceModel, version: str, *, pad: bool = True
    ) -> None:
        self.tower, self.version = tower, version
        self.pads = pad  # pictures are made square by bars, which the grid covers too
        self._tokenizer, self._sentences = tokenizer, sentences
        weight = tower.vision_tower.post_layernorm.weight
        self._device, self._dtype = weight.device, weight.dtype
        self._encode_text = functools.lru_cache(NUM_KEPT)(self._encode_anew)

    def encode_frames(self, pictures: Sequence[Picture]) -> FrameFeatures:
        """Return V and E [t, h, w, d], and unit vectors [t, d] of RGB pictures of any size."""
        if not pictures:
            raise ValueError("need at least one picture")
        try:
            pixels = prepare(pictures, self.tower.side_px, device=self._device, pad=self.pads)
            features, patches = self.tower.encode_frames(pixels.to(self._dtype))
            keys = torch.cat([patches.rows(slice(i, i + ROWS)) for i in range(0, len(features), ROWS)])
        except torch.cuda.OutOfMemoryError as error:
            raise AnswerError(f"GPU out of memory for {len(pictures)} frames; use --profile nano") from error
        pooled = torch.nn.functional.normalize(keys.float().mean((1, 2)), dim=-1)
        values_on_device: Any = features
        keys_on_device: Any = keys
        return FrameFeatures(values_on_device, keys_on_device, pooled.cpu().numpy())

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Return unit vectors [n, 384] of what is said or written, or asked about it."""
        return self._sentences.encode(texts)

    def encode_guide(self, question: str) -> Floats:
        """Return the pooled guide [d] of the bare question, as the model was trained."""
        return self._encode_text(question).float().cpu().numpy()

    def scan(self, question: str, packed: Mapping[str, np.ndarray]) -> Floats:
        """Return for each packed frame how likely one of its cells shows what is asked for, [t] in 0 to 1."""
        text = torch.nn.functional.normalize(self._encode_text(guide_text(question)).float(), dim=-1).cpu().numpy()
        cosines = (packed["cells"].astype(np.float32) @ text) * packed["scales"].astype(np.float32)
        likeliest = cosines.max(axis=1, initial=-1.0)
        found: Floats = 1 / (1 + np.exp(-(LOGIT_SCALE * likeliest + LOGIT_BIAS)))
        return found

    def unread(self, question: str) -> list[str]:
        """Return no words: the language model says what it sees."""
        return []

    def describe(self, packed: Mapping[str, np.ndarray], limit: int) -> list[list[str]]:
        """Return no names: the language model says what it sees."""
        return [[] for _ in packed["cells"]]

    def pack(self, features: FrameFeatures) -> dict[str, np.ndarray]:
        """Return joint-space cells of t frames as unit vectors in bytes, [t, 9, d], and their scales [t, 9]."""
        keys: Tensor = torch.as_tensor(features.keys).float().permute(0, 3, 1, 2)
        small = torch.nn.functional.adaptive_avg_pool2d(keys, CELLS).flatten(2).transpose(1, 2)
        cells = torch.nn.functional.normalize(small, dim=-1).cpu().numpy()
        scales = np.maximum(np.abs(cells).max(axis=-1), 1e-9) / 127
        return {
            "cells": np.round(cells / scales[..., None]).astype(np.int8),
            "scales": scales.astype(np.float16),
        }

    def unpack(self, packed: Mapping[str, np.ndarray], thumbnails: Callable[[], Sequence[bytes]]) -> FrameFeatures:
        """Return the features of frames, made again from their thumbnails; frames that show the same are made once."""
        files = list(thumbnails())
        each = list(dict.fromkeys(files))
        made = self.encode_frames([_decode(file) for file in each])
        where = [each.index(file) for file in files]
        return FrameFeatures(made.values[where], made.keys[where], made.pooled[where])

    def _encode_anew(self, text: str) -> Tensor:
        return self.tower.encode_guides(self._tokenizer([text]).to(self._device))[0]


def _decode(file: bytes) -> Picture:
    picture = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise StoreCorrupt(f"a thumbnail of {len(file)} bytes is no picture; run: hicom-agent doctor --repair")
    upright: Picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return upright
