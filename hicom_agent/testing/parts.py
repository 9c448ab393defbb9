"""A made checkpoint taken apart: the SigLIP and the Qwen2 that it could have come from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from hicom_agent.testing.checkpoints import make_checkpoint

_VISION, _TEXT = "model.vision_tower.vision_tower.", "model.vision_tower.guide_encoder."
_OF_QWEN = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
    "rope_theta",
    "rms_norm_eps",
    "tie_word_embeddings",
    "vocab_size",
    "eos_token_id",
)


def make_parts(folder: Path, seed: int = 0, *, width: int = 32, hidden_size: int = 32) -> tuple[Path, Path]:
    """Write a small SigLIP and a small Qwen2, both as Hugging Face has them, and return their folders."""
    from safetensors.torch import load_file, save_file

    whole = make_checkpoint(
        folder / "whole", seed, projector="local43_global32", width=width, hidden_size=hidden_size, shards=1
    )
    weights = load_file(whole / "model-00001-of-00001.safetensors")
    tower, words = folder / "siglip", folder / "qwen"
    shutil.move(whole / "siglip-so400m-patch14-384", tower)
    words.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.move(whole / name, words / name)
    config = json.loads((whole / "config.json").read_text())
    own = {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], **{key: config[key] for key in _OF_QWEN}}
    (words / "config.json").write_text(json.dumps(own))
    seen = {name.removeprefix(start): x for start in (_VISION, _TEXT) for name, x in weights.items() if start in name}
    save_file(seen, tower / "model.safetensors")
    read = {name: x for name, x in weights.items() if not name.startswith(("model.vision_tower.", "model.mm_"))}
    save_file(read, words / "model.safetensors")
    shutil.rmtree(whole)
    return tower, words
