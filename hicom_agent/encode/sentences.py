"""Sentence vectors: MiniLM, mean over tokens, unit length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from hicom_agent.types import Floats

WIDTH = 384
BATCH = 64
MAX_TOKENS = 256  # what the model was trained with


class SentenceModel:
    """MiniLM read from a folder; nothing is fetched."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer, BertModel
        from transformers.utils import logging

        logging.disable_progress_bar()
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._model = BertModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return unit vectors [n, 384]; texts of like length are batched together."""
        vectors = np.zeros((len(texts), WIDTH), np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            vectors[chosen] = self._encode_batch([texts[i] for i in chosen])
        return vectors

    @torch.inference_mode()
    def _encode_batch(self, texts: list[str]) -> Floats:
        batch = self._tokenizer(texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        states = self._model(**batch).last_hidden_state  # [n, tokens, d]
        mask = batch["attention_mask"].unsqueeze(-1)
        means = (states * mask).sum(1) / mask.sum(1)
        vectors: Floats = torch.nn.functional.normalize(means, dim=-1).numpy()
        return vectors
