"""What the claim starts from: a joint image-text encoder and a language model, small, made for the little world.

The encoder is a SigLIP that learns by contrast which phrases are true of a picture: first of crops around a thing, then
of whole frames. A picture agrees with a phrase as much as its best patch does, on the scale on which HICom attends, so
patches come to stand in the space of phrases. The language model is a Qwen2 that reads scenes told in words.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from claim_world import (
    CELL,
    CELLS,
    COLOURS,
    DIGITS,
    FRAMES,
    SHAPES,
    SIDE,
    TEXTURES,
    VOCABULARY,
    World,
    ask,
    describe,
)
from safetensors.torch import save_file
from torch import Tensor, nn

from hicom_agent.encode.siglip import SiglipTower

WIDTH, LAYERS, TEXT_LAYERS, TEXT_LENGTH = 64, 3, 2, 12
HIDDEN, LM_LAYERS = 64, 2
MARKS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "user", "assistant")
IDS = {word: i for i, word in enumerate((*MARKS, *VOCABULARY))}
GUIDE_IDS = {word: i + 2 for i, word in enumerate(VOCABULARY)}
END = 1  # of a guide, and its padding
CROP = 2  # cells a side

# a phrase, and which of colour, shape, texture and digit must hold; with how often it is said
PHRASES: tuple[tuple[str, tuple[int, ...], int], ...] = (
    ("{n}", (0, 1), 1),
    ("the {n}", (0, 1), 1),
    ("{t} {n}", (0, 1, 2), 4),
    ("{n} with digit {d}", (0, 1, 3), 5),
    ("{c} things", (0,), 1),
    ("{s} things", (1,), 1),
    ("what digit is on the {n}", (0, 1), 1),
    ("where is the {n} at the end", (0, 1), 1),
    ("what texture has the {n}", (0, 1), 1),
    ("when does the {n} appear", (0, 1), 1),
    ("describe the {n}", (0, 1), 1),
    ("{c} thing with digit {d}", (0, 3), 3),
    ("{t} {s} things", (1, 2), 2),
    ("how many {c} things are there", (0,), 1),
    ("how many {s} things are there", (1,), 1),
    ("{t} {n} with digit {d}", (0, 1, 2, 3), 3),
    ("thing with digit {d}", (3,), 3),
)
NAMES: tuple[tuple[str, ...], ...] = (tuple(COLOURS), SHAPES, TEXTURES, tuple(str(digit) for digit in DIGITS))
Say = Callable[[str], None]


def guide_ids(text: str) -> list[int]:
    """Return the ids [TEXT_LENGTH] of a phrase or question for the encoder's text half."""
    ids = [GUIDE_IDS[word] for word in text.split()][: TEXT_LENGTH - 1]
    return ids + [END] * (TEXT_LENGTH - len(ids))


def word_ids(text: str) -> list[int]:
    """Return the ids of words and marks for the language model."""
    return [IDS[word] for word in text.split()]


# ------------------------------------------------------------------ the encoder


class Pictures:
    """Frames of worlds as arrays, to draw batches from."""

    def __init__(self, worlds: Sequence[World], seed: int) -> None:
        self.frames = np.stack([world.frames for world in worlds])  # [n, t, side, side, 3]
        most = max(len(world.things) for world in worlds)
        self.facts = np.full((len(worlds), most, 5), -9)  # colour, shape, texture, digit, first frame
        self.paths = np.full((len(worlds), most, FRAMES, 2), -99)
        for i, world in enumerate(worlds):
            for j, thing in enumerate(world.things):
                own = (thing.colour, thing.shape, thing.texture, str(thing.digit))
                self.facts[i, j, :4] = [names.index(value) for names, value in zip(NAMES, own, strict=True)]
                self.facts[i, j, 4] = thing.first
                self.paths[i, j] = thing.path
        self._random = np.random.default_rng(seed)
        self._often = np.array([often for *_, often in PHRASES]) / sum(often for *_, often in PHRASES)

    def batch(self, count: int, num_phrases: int, *, whole: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return pixels [b, 3, ., .], the places of their patches [b or 1, p], phrases [n, l], and truth [b, n]."""
        random = self._random
        which, when = random.integers(len(self.frames), size=count), random.integers(FRAMES, size=count)
        facts = self.facts[which].copy()
        facts[facts[..., 4] > when[:, None]] = -9
        if whole:
            pixels, places = self.frames[which, when], np.arange(CELLS * CELLS)[None]
        else:
            pixels, places = self._crop(which, when, facts)
        phrases, wanted = self._phrases(facts, num_phrases)
        fits = ((facts[:, None, :, :4] == wanted[None, :, None]) | (wanted[None, :, None] < 0)).all(-1)
        truth = (fits & (facts[:, None, :, 0] >= 0)).any(-1)
        return to_pixels(pixels), torch.from_numpy(places), torch.tensor(phrases), torch.from_numpy(truth).float()

    def _crop(self, which: np.ndarray, when: np.ndarray, facts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return a crop around a thing of each frame, and forget in `facts` what is outside of it."""
        where = self.paths[which, :, when]  # [b, things, 2]
        pixels = np.empty((len(which), CROP * CELL, CROP * CELL, 3), np.uint8)
        places = np.empty((len(which), CROP * CROP), int)
        for b in range(len(which)):
            seen = np.flatnonzero(facts[b, :, 0] >= 0)
            middle = where[b, self._random.choice(seen)] if len(seen) else self._random.integers(CELLS, size=2)
            left, top = np.clip(middle - self._random.integers(CROP, size=2), 0, CELLS - CROP)
            inside = (where[b] >= (left, top)).all(-1) & (where[b] < (left + CROP, top + CROP)).all(-1)
            facts[b, ~inside] = -9
            rows, columns = slice(top * CELL, (top + CROP) * CELL), slice(left * CELL, (left + CROP) * CELL)
            pixels[b] = self.frames[which[b], when[b], rows, columns]
            places[b] = [(top + row) * CELLS + left + column for row in range(CROP) for column in range(CROP)]
        return pixels, places

    def _phrases(self, facts: np.ndarray, count: int) -> tuple[list[list[int]], np.ndarray]:
        """Return phrases about things that are seen, most with one fact made wrong, and what each asks for."""
        random, phrases, wanted = self._random, [], []
        seen = facts[facts[..., 0] >= 0]
        for _ in range(count):
            form, used, _ = PHRASES[random.choice(len(PHRASES), p=self._often)]
            own = list(seen[random.integers(len(seen)), :4])
            if random.random() < 0.6:
                changed = used[random.integers(len(used))]
                own[changed] = int(random.integers(len(NAMES[changed])))
            colour, shape, texture, digit = (names[i] for names, i in zip(NAMES, own, strict=True))
            phrases.append(guide_ids(form.format(n=f"{colour} {shape}", c=colour, s=shape, t=texture, d=digit)))
            wanted.append([own[i] if i in used else -1 for i in range(4)])
        return phrases, np.array(wanted)


def to_pixels(frames: np.ndarray) -> Tensor:
    """Return [b, 3, h, w] in -1 to 1 of RGB bytes [b, h, w, 3]."""
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1


def siglip_config() -> dict[str, Any]:
    """Return the config of the encoder as a SigLIP's config.json has it."""
    shared = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_attention_heads": 4}
    ends = {"bos_token_id": 0, "eos_token_id": END, "pad_token_id": END}
    text = {"vocab_size": len(GUIDE_IDS) + 2, "max_position_embeddings": TEXT_LENGTH, "projection_size": WIDTH}
    return {
        "architectures": ["SiglipModel"],
        "model_type": "siglip",
        "text_config": {**shared, **ends, **text, "num_hidden_layers": TEXT_LAYERS},
        "vision_config": {**shared, "num_hidden_layers": LAYERS, "image_size": SIDE, "patch_size": CELL},
    }


def train_encoder(worlds: Sequence[World], folder: Path, steps: int, seed: int, say: Say) -> SiglipTower:
    """Train the encoder and write it as a SigLIP's folder; three quarters of the steps see crops."""
    from transformers import SiglipConfig

    torch.manual_seed(seed)
    config = SiglipConfig(**siglip_config())
    tower = SiglipTower(config.vision_config, config.text_config)
    for module in tower.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.1)
    pictures, bias = Pictures(worlds, seed), nn.Parameter(torch.tensor(-6.0))
    parameters = [*tower.parameters(), bias]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.01, fused=True)
    began, total = time.monotonic(), 0.0
    for step in range(steps):
        _set_rate(optimizer, 3e-3, step, steps)
        whole = step >= 0.75 * steps
        pixels, places, phrases, truth = pictures.batch(*((16, 48) if whole else (96, 64)), whole=whole)
        patches, texts = _joint(tower, pixels, places), tower.guides(phrases)
        agreement = (patches.flatten(0, 1) @ texts.T).unflatten(0, patches.shape[:2]) * WIDTH**-0.5
        logits = torch.logsumexp(agreement, 1) + bias  # [b, n]
        loss = F.binary_cross_entropy_with_logits(logits, truth)
        _step(optimizer, loss, parameters)
        total += float(loss.detach())
        if step % 250 == 249:
            say(f"encoder: step {step + 1} of {steps}, loss {total / 250:.4f}, {time.monotonic() - began:.0f} s")
            total = 0.0
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(siglip_config()))
    halves = (("vision_model.", tower.vision_tower), ("text_model.", tower.guide_encoder))
    weights = {f"{start}{name}": tensor for start, half in halves for name, tensor in half.state_dict().items()}
    save_file({n: x.contiguous() for n, x in weights.items() if x.is_floating_point()}, folder / "model.safetensors")
    return tower.eval()


def _joint(tower: SiglipTower, pixels: Tensor, places: Tensor) -> Tensor:
    """Return E [b, p, d] of patches at some places of a picture."""
    model = tower.vision_tower
    x = model.embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2)
    x = x + model.embeddings.position_embedding(places)
    for layer in model.encoder.layers:
        x = layer(x, None)
    last = model.post_layernorm(x)
    made: Tensor = last + model.head.mlp(model.head.layernorm(last))
    return made


def pointing(tower: SiglipTower, worlds: Sequence[World]) -> float:
    """Return how often the patch nearest to a question about a thing is the one that shows it, in the last frame."""
    hits = count = 0
    with torch.no_grad():
        for world in worlds:
            patches = _joint(tower, to_pixels(world.frames[-1:]), torch.arange(CELLS * CELLS)[None])[0]
            for thing in world.things:
                guide = tower.guides(torch.tensor([guide_ids(f"what digit is on the {thing.name}")]))[0]
                column, row = thing.path[-1]
                hits += int((patches @ guide).argmax()) == row * CELLS + column
                count += 1
    return hits / count


# ------------------------------------------------------------------ the language model


def train_language_model(worlds: Sequence[World], folder: Path, steps: int, seed: int, say: Say) -> None:
    """Train the language model on scenes told in words, and write it as a Qwen2's folder."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=len(IDS),
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=LM_LAYERS,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        rope_theta=10000.0,
        tie_word_embeddings=False,
        use_sliding_window=False,
        eos_token_id=IDS["<|im_end|>"],
    )
    model = Qwen2ForCausalLM(config)
    for name, weight in model.named_parameters():
        if weight.ndim > 1:
            nn.init.normal_(weight, std=0.5 if "embed" in name else 0.7 * weight.shape[1] ** -0.5)
    random = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01, fused=True)
    began, total = time.monotonic(), 0.0
    for step in range(steps):
        _set_rate(optimizer, 3e-3, step, steps)
        ids, labels = _told(worlds, random, 64)
        logits = model(input_ids=ids).logits
        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        _step(optimizer, loss, list(model.parameters()))
        total += float(loss.detach())
        if step % 250 == 249:
            say(f"language model: step {step + 1} of {steps}, loss {total / 250:.3f}, {time.monotonic() - began:.0f} s")
            total = 0.0
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config.to_dict() | {"model_type": "qwen2"}))
    save_file({n: x.contiguous() for n, x in model.state_dict().items()}, folder / "model.safetensors")


def _told(worlds: Sequence[World], random: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
    """Return ids [b, n] of small scenes in words, a question each and its answer, and labels of the answers."""
    rows, asked = [], []
    while len(rows) < count:
        world = worlds[random.integers(len(worlds))]
        few = random.permutation(len(world.things))[: random.integers(1, 4)]
        small = World(tuple(world.things[i] for i in few), world.frames)
        found = ask(random, small, "describe" if random.random() < 0.3 else "")
        if found is None:
            continue
        scene = " , ".join(describe(thing) for thing in small.things)
        prompt = word_ids(f"<|im_start|> user {scene} , {found[0]} <|im_end|> <|im_start|> assistant")
        asked.append(len(prompt))
        rows.append(prompt + word_ids(f"{found[1]} <|im_end|>"))
    ids = torch.zeros(count, max(map(len, rows)), dtype=torch.long)
    labels = torch.full_like(ids, -100)
    for i, (row, start) in enumerate(zip(rows, asked, strict=True)):
        ids[i, : len(row)] = torch.tensor(row)
        labels[i, start : len(row)] = ids[i, start : len(row)]
    return ids, labels


def _set_rate(optimizer: torch.optim.Optimizer, rate: float, step: int, steps: int) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate * min(1, (step + 1) / 100) * max(0.02, float(np.cos(step / steps * np.pi / 2)))


def _step(optimizer: torch.optim.Optimizer, loss: Tensor, parameters: list[nn.Parameter]) -> None:
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
