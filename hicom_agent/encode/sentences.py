"""Sentence vectors: MiniLM (a BERT), mean over tokens, unit length.

Built from torch's own transformer layers: importing transformers for it took half of a cold question.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from hicom_agent.errors import ModelMissing

if TYPE_CHECKING:
    from hicom_agent.types import Floats

BATCH = 64
MAX_TOKENS = 256  # what the model was trained with
_NUM_KEPT = 128  # vectors of single texts: a question is read again for every film that may answer it
_ATTENTION = "attention.self.{}.{}"
_PARTS = {  # ours in a layer: the file's
    "self_attn.out_proj": "attention.output.dense",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm1": "attention.output.LayerNorm",
    "norm2": "output.LayerNorm",
}


class SentenceModel:
    """MiniLM read from a folder; nothing is fetched."""

    def __init__(self, folder: Path) -> None:
        try:
            config = json.loads((folder / "config.json").read_text())
            weights = load_file(folder / "model.safetensors")
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except OSError as error:
            raise ModelMissing(f"no sentence model in {folder}: {error}; pull it: hicom-agent models pull") from error
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()
        self._model = Bert(config).eval()
        self._model.load_state_dict(_rename(weights, config["num_hidden_layers"]), assign=True)
        self._model.requires_grad_(False)
        self.width = int(config["hidden_size"])
        self._encode_one = functools.lru_cache(_NUM_KEPT)(lambda text: self._encode_batch([text]))

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return unit vectors [n, 384]; texts of like length are batched together."""
        if len(texts) == 1:
            return self._encode_one(texts[0]).copy()
        vectors = np.zeros((len(texts), self.width), np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            vectors[chosen] = self._encode_batch([texts[i] for i in chosen])
        return vectors

    @torch.inference_mode()
    def _encode_batch(self, texts: list[str]) -> Floats:
        read = self._tokenizer.encode_batch(texts)
        tokens = torch.tensor([each.ids for each in read])
        mask = torch.tensor([each.attention_mask for each in read])
        states = self._model(tokens, mask == 0)  # [n, tokens, d]
        means = (states * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
        vectors: Floats = nn.functional.normalize(means, dim=-1).numpy()
        return vectors


class Bert(nn.Module):
    """BERT without the pooling layer, for single texts."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width, eps = config["hidden_size"], config["layer_norm_eps"]
        self.words = nn.Embedding(config["vocab_size"], width)
        self.positions = nn.Embedding(config["max_position_embeddings"], width)
        self.kinds = nn.Embedding(config["type_vocab_size"], width)
        self.norm = nn.LayerNorm(width, eps)
        layer = nn.TransformerEncoderLayer(
            width, config["num_attention_heads"], config["intermediate_size"], 0.0, "gelu", eps, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, config["num_hidden_layers"], enable_nested_tensor=False)

    def forward(self, tokens: Tensor, padded: Tensor) -> Tensor:
        """Return the last states [n, tokens, d] of token numbers [n, tokens]; `padded` is true where there is none."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        states = self.norm(self.words(tokens) + self.positions(places) + self.kinds.weight[0])
        last: Tensor = self.encoder(states, src_key_padding_mask=padded)
        return last


def _rename(weights: dict[str, Tensor], num_layers: int) -> dict[str, Tensor]:
    """Return the file's weights under our names; query, key and value are one matrix."""
    named = {
        "words.weight": weights["embeddings.word_embeddings.weight"],
        "positions.weight": weights["embeddings.position_embeddings.weight"],
        "kinds.weight": weights["embeddings.token_type_embeddings.weight"],
        "norm.weight": weights["embeddings.LayerNorm.weight"],
        "norm.bias": weights["embeddings.LayerNorm.bias"],
    }
    for i in range(num_layers):
        theirs, ours = f"encoder.layer.{i}.", f"encoder.layers.{i}."
        for kind in ("weight", "bias"):
            parts = [weights[theirs + _ATTENTION.format(name, kind)] for name in ("query", "key", "value")]
            named[f"{ours}self_attn.in_proj_{kind}"] = torch.cat(parts)
            named |= {f"{ours}{a}.{kind}": weights[f"{theirs}{b}.{kind}"] for a, b in _PARTS.items()}
    return named
