"""Models from seeds: small ones in the layout of the release, weight by weight the same wherever they are made."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hicom_agent.types import Floats

Shapes = dict[str, tuple[int, ...]]

WORDS = (
    "what when where does the a car bottle dog cat person red blue green white black drive walk say hold open in on of "
    "and is are there show film street room water tree sky hand light road bus train book paper door window table"
)
CHAT_TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def make_array(seed: int, name: str, shape: Sequence[int], scale: float = 1.0, offset: float = 0.0) -> Floats:
    """Return an array that anyone can make again: normal numbers from a seed and a name, float32."""
    import numpy as np

    drawn = np.random.default_rng([seed, zlib.crc32(name.encode())]).standard_normal(tuple(shape)) * scale
    return (drawn + offset).astype(np.float32)


def weight_scale(name: str) -> tuple[float, float]:
    """Return spread and mean of a made weight: small, norms around 1, embeddings larger."""
    if name.endswith("_alpha"):
        return 0.3, 0.0
    if name.endswith(("embed_tokens.weight", "token_embedding.weight")):
        return 0.5, 0.0
    is_norm = name.endswith("weight") and "norm" in name.split(".")[-2]
    return 0.05, 1.0 if is_norm else 0.0


def make_weights(seed: int, shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Return tensors by name, made from a seed."""
    import torch

    return {n: torch.from_numpy(make_array(seed, n, shape, *weight_scale(n))) for n, shape in shapes.items()}


def make_checkpoint(
    folder: Path,
    seed: int = 0,
    *,
    projector: str = "local43_global32_guidecoarse",
    width: int = 128,
    hidden_size: int = 64,
    shards: int = 2,
) -> Path:
    """Write a small HICom checkpoint in the release's layout and return its folder; its answers are noise.

    SigLIP of `width` with 3 and 2 layers on 126-pixel pictures (9x9 patches), a 2-layer Qwen2 that knows bytes, both
    tokenizers. Needs the packages safetensors, tokenizers and sentencepiece.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tower = folder / "siglip-so400m-patch14-384"
    num_pieces = _write_siglip(tower, width)
    num_tokens = _write_tokenizer(folder)
    config = _config(projector, width, hidden_size, num_tokens)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    ends = {"eos_token_id": [num_tokens - 1, num_tokens - 3], "repetition_penalty": 1.05}
    (folder / "generation_config.json").write_text(json.dumps(ends))
    shapes = {**_siglip_shapes(width, num_pieces), **_projector_shapes(projector, width, hidden_size)}
    weights = make_weights(seed, {**shapes, **_qwen_shapes(hidden_size, num_tokens)})
    places = {
        name: f"model-{i * shards // len(weights) + 1:05d}-of-{shards:05d}.safetensors"
        for i, name in enumerate(weights)
    }
    for file in set(places.values()):
        save_file({name: weights[name] for name, place in places.items() if place == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


def _config(projector: str, width: int, hidden_size: int, num_tokens: int) -> dict[str, Any]:
    return {
        "model_type": "hicom_qwen2",
        "architectures": ["HIComQwen2ForCausalLM"],
        "mm_vision_tower": "playground/models/siglip-so400m-patch14-384",
        "mm_hidden_size": width,
        "mm_projector_type": projector,
        "use_guide": "direct",
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
        "image_aspect_ratio": "pad",
        "mm_patch_merge_type": "spatial_unpad",
        "mm_newline_position": "no_token",
        "num_frames": 32,
        "hidden_size": hidden_size,
        "intermediate_size": 2 * hidden_size,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32768,
        "rope_theta": 1000000.0,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
        "vocab_size": num_tokens,
        "eos_token_id": num_tokens - 1,
    }


def _write_tokenizer(folder: Path) -> int:
    """Write a tokenizer of bytes with Qwen's marks of turns; return the size of its vocabulary."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    letters = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(mark, special=True) for mark in SPECIAL])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": CHAT_TEMPLATE,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": 32768,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return len(letters) + len(SPECIAL)


def _write_siglip(folder: Path, width: int) -> int:
    """Write the config and a small SentencePiece model of the vision tower; return the number of pieces."""
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([WORDS, *WORDS.split(), "abcdefghijklmnopqrstuvwxyz 0123456789"] * 4),
        model_prefix=str(folder / "spiece"),
        vocab_size=160,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
        num_threads=1,
    )
    (folder / "spiece.vocab").unlink()
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model")).get_piece_size()
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    shared = {"hidden_size": width, "intermediate_size": 2 * width, "num_attention_heads": 4}
    config = {
        "architectures": ["SiglipModel"],
        "model_type": "siglip",
        "text_config": {**shared, "num_hidden_layers": 2, "vocab_size": pieces, "projection_size": width, **ends},
        "vision_config": {**shared, "num_hidden_layers": 3, "image_size": 126, "patch_size": 14},
    }
    (folder / "config.json").write_text(json.dumps(config))
    marks = {"eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"}
    text = {"tokenizer_class": "SiglipTokenizer", "model_max_length": 64, "do_lower_case": True, **marks}
    (folder / "tokenizer_config.json").write_text(json.dumps(text))
    return pieces


def _linear(name: str, rows: int, columns: int, *, bias: bool = True) -> Shapes:
    weight: Shapes = {f"{name}.weight": (rows, columns)}
    return {**weight, f"{name}.bias": (rows,)} if bias else weight


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _mlp(name: str, width_in: int, width_out: int) -> Shapes:
    return {**_linear(f"{name}.0", width_out, width_in), **_linear(f"{name}.2", width_out, width_out)}


def _siglip_shapes(width: int, num_pieces: int) -> Shapes:
    vision, text = "model.vision_tower.vision_tower.vision_model", "model.vision_tower.guide_encoder.text_model"
    head = f"{vision}.head"
    shapes: Shapes = {
        f"{vision}.embeddings.patch_embedding.weight": (width, 3, 14, 14),
        f"{vision}.embeddings.patch_embedding.bias": (width,),
        f"{vision}.embeddings.position_embedding.weight": (81, width),
        f"{head}.probe": (1, 1, width),
        f"{head}.attention.in_proj_weight": (3 * width, width),
        f"{head}.attention.in_proj_bias": (3 * width,),
        f"{text}.embeddings.token_embedding.weight": (num_pieces, width),
        f"{text}.embeddings.position_embedding.weight": (64, width),
        **_linear(f"{head}.attention.out_proj", width, width),
        **_norm(f"{head}.layernorm", width),
        **_linear(f"{head}.mlp.fc1", 2 * width, width),
        **_linear(f"{head}.mlp.fc2", width, 2 * width),
        **_norm(f"{vision}.post_layernorm", width),
        **_norm(f"{text}.final_layer_norm", width),
        **_linear(f"{text}.head", width, width),
    }
    for name in [f"{vision}.encoder.layers.{i}" for i in range(3)] + [f"{text}.encoder.layers.{i}" for i in range(2)]:
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= _linear(f"{name}.self_attn.{part}", width, width)
        shapes |= _norm(f"{name}.layer_norm1", width) | _norm(f"{name}.layer_norm2", width)
        shapes |= _linear(f"{name}.mlp.fc1", 2 * width, width) | _linear(f"{name}.mlp.fc2", width, 2 * width)
    return shapes


def _projector_shapes(code: str, width: int, hidden_size: int) -> Shapes:
    """Return the shapes of a projector with both branches, direct, or with a coarse global one."""
    local, whole = "model.mm_projector.local_compressor", "model.mm_projector.global_compressor"
    shapes = {f"{whole}.query": (32, width), **_mlp(f"{local}.readout", width, hidden_size)}
    shapes |= _mlp(f"{whole}.readout", width, hidden_size)
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
        shapes |= _linear(f"{whole}.attn_layer.{part}", width, width)
    if code.endswith("guidecoarse"):
        shapes |= _mlp(f"{whole}.guide_injector.coarse_proj", width, 2 * width)
        shapes |= _norm(f"{whole}.guide_injector.coarse_norm", width)
    return shapes


def _qwen_shapes(width: int, num_tokens: int) -> Shapes:
    shapes: Shapes = {"model.embed_tokens.weight": (num_tokens, width), "model.norm.weight": (width,)}
    for i in range(2):
        name = f"model.layers.{i}"
        shapes |= _linear(f"{name}.self_attn.q_proj", width, width)
        shapes |= _linear(f"{name}.self_attn.k_proj", width // 2, width)
        shapes |= _linear(f"{name}.self_attn.v_proj", width // 2, width)
        shapes |= _linear(f"{name}.self_attn.o_proj", width, width, bias=False)
        shapes |= _linear(f"{name}.mlp.gate_proj", 2 * width, width, bias=False)
        shapes |= _linear(f"{name}.mlp.up_proj", 2 * width, width, bias=False)
        shapes |= _linear(f"{name}.mlp.down_proj", width, 2 * width, bias=False)
        shapes |= {f"{name}.{norm}.weight": (width,) for norm in ("input_layernorm", "post_attention_layernorm")}
    return shapes | _linear("lm_head", num_tokens, width, bias=False)
