from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hicom_agent.llm import HIComModel
from tests.compress.golden import GOLDEN, error, make_weights, read_cases

CASES, OUTPUTS = read_cases("checkpoint")
TOWER = GOLDEN / "siglip-so400m-patch14-384"
DIRECT, COARSE = CASES


def write_checkpoint(folder: Path, case: dict[str, Any], *, shards: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(case["config"]))
    weights = make_weights(case)
    if shards == 1:
        save_file(weights, folder / "model.safetensors")
        return folder
    places = {name: f"model-{i % shards + 1:05d}-of-{shards:05d}.safetensors" for i, name in enumerate(weights)}
    for file in set(places.values()):
        save_file({name: weights[name] for name, place in places.items() if place == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {case["name"]: write_checkpoint(root / case["name"], case, shards=i + 1) for i, case in enumerate(CASES)}


@pytest.fixture(scope="module")
def models(folders: dict[str, Path]) -> dict[str, HIComModel]:
    return {name: HIComModel.from_pretrained(folder, vision_tower=TOWER) for name, folder in folders.items()}


def make_pixels(case: dict[str, Any]) -> torch.Tensor:
    drawn = np.random.default_rng(case["seed"]).integers(0, 256, (8, 3, 126, 126))
    return torch.from_numpy(drawn.astype(np.float32) / 127.5 - 1)


def see(model: HIComModel, case: dict[str, Any]) -> torch.Tensor:
    features, patches = model.encode_frames(make_pixels(case))
    return model.visual_tokens(features, patches, model.encode_guide(case["guide_ids"]))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_whole_model_gives_the_numbers_of_the_original(case: dict[str, Any], models: dict[str, HIComModel]) -> None:
    model, name = models[case["name"]], case["name"]
    tokens = see(model, case)
    assert error(model.splice(case["prompt_ids"], tokens), OUTPUTS[f"{name}.embeds"]) < 1e-5
    assert error(model.logits(case["prompt_ids"], tokens), OUTPUTS[f"{name}.logits"].reshape(-1)) < 1e-5
    assert model.generate(case["prompt_ids"], tokens, 12) == OUTPUTS[f"{name}.ids"].reshape(-1).tolist()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_patches_that_are_never_made_give_the_same_tokens(case: dict[str, Any], models: dict[str, HIComModel]) -> None:
    model = models[case["name"]]
    features, lazy = model.encode_lazily(make_pixels(case))
    tokens = model.visual_tokens(features, lazy, model.encode_guide(case["guide_ids"]))
    torch.testing.assert_close(tokens, see(model, case), rtol=1e-4, atol=1e-5)
