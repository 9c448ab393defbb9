from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hicom_agent.errors import SetupError
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


def test_weights_load_with_and_without_coarse_keys_and_an_override_leaves_them_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    quiet = json.loads(json.dumps(COARSE))
    quiet["config"]["mm_projector_type"] = "local43_global32_coarse"  # the code says direct, the weights say coarse
    folder = write_checkpoint(tmp_path / "quiet", quiet)
    with caplog.at_level(logging.WARNING, "hicom_agent"):
        model = HIComModel.from_pretrained(folder, vision_tower=TOWER)
    assert len(caplog.records) == 1
    assert error(model.splice(quiet["prompt_ids"], see(model, quiet)), OUTPUTS["given_coarse.embeds"]) < 1e-5
    direct = HIComModel.from_pretrained(folder, vision_tower=TOWER, modes={"global": "direct"})
    tokens = see(direct, quiet)
    assert (tokens[-32:] == tokens[-1]).all()


Damage = Callable[[dict[str, torch.Tensor]], object]
WRONG: list[tuple[Damage, str]] = [
    (lambda w: w.pop("model.norm.weight"), "missing model.norm.weight"),
    (
        lambda w: w.pop("model.mm_projector.global_compressor.query"),
        "missing model.mm_projector.global_compressor.query",
    ),
    (lambda w: w.update({"model.mystery": torch.zeros(1)}), "unexpected model.mystery"),
    (
        lambda w: w.update({"model.layers.0.mlp.up_proj.weight": w.pop("model.layers.0.mlp.gate_proj.weight")}),
        "missing model.layers.0.mlp.gate_proj.weight",
    ),
    (lambda w: w.update({"lm_head.weight": torch.zeros(600, 63)}), r"lm_head.weight is \[600, 63\], not \[600, 64\]"),
]


@pytest.mark.parametrize(("damage", "told"), WRONG, ids=[told for _, told in WRONG])
def test_a_checkpoint_that_does_not_fit_is_told_by_a_tensor_before_any_is_read(
    damage: Damage, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = make_weights(DIRECT)
    damage(weights)
    (tmp_path / "config.json").write_text(json.dumps(DIRECT["config"]))
    save_file(weights, tmp_path / "model.safetensors")
    monkeypatch.setattr("hicom_agent.llm.checkpoint.safe_open", None)  # reading a tensor would fail otherwise
    with pytest.raises(SetupError, match=told) as caught:
        HIComModel.from_pretrained(tmp_path, vision_tower=TOWER)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_cut_or_damaged_or_missing_is_told_in_one_line(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "whole", DIRECT, shards=2)
    shard = folder / "model-00002-of-00002.safetensors"
    whole = shard.read_bytes()
    for data, told in (
        (whole[: len(whole) // 2], "cut short: model"),
        (whole[:4], "damaged"),
        (b"\xff" * 64, "damaged"),
        (whole[:8] + b"[" + whole[9:], "damaged"),
        (b"", "damaged"),
    ):
        shard.write_bytes(data)
        with pytest.raises(SetupError, match=told) as caught:
            HIComModel.from_pretrained(folder, vision_tower=TOWER)
        assert "\n" not in str(caught.value) and shard.name in str(caught.value)
    shard.unlink()
    with pytest.raises(SetupError, match=r"missing, which holds model\.layers"):
        HIComModel.from_pretrained(folder, vision_tower=TOWER)


def test_what_is_not_a_checkpoint_is_told_in_one_line(tmp_path: Path, folders: dict[str, Path]) -> None:
    for name, text, told in (("a", None, "config.json"), ("b", "{", "config.json"), ("c", "{}", "safetensors")):
        (tmp_path / name).mkdir()
        if text is not None:
            (tmp_path / name / "config.json").write_text(text)
        with pytest.raises(SetupError, match=told):
            HIComModel.from_pretrained(tmp_path / name, vision_tower=TOWER)
    with pytest.raises(SetupError, match="vision-tower"):
        HIComModel.from_pretrained(folders["given_direct"])
    with pytest.raises(SetupError, match="vision-tower"):
        HIComModel.from_pretrained(folders["given_direct"], vision_tower=tmp_path)


def test_the_vision_tower_is_found_beside_the_checkpoint(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", DIRECT)
    (tmp_path / TOWER.name).symlink_to(TOWER)
    assert HIComModel.from_pretrained(folder).tower.grid == 9


def test_a_prompt_that_shares_its_head_is_read_on_from_there(models: dict[str, HIComModel]) -> None:
    model, tokens = models["given_direct"], see(models["given_direct"], DIRECT)
    prompt = DIRECT["prompt_ids"]
    read: list[int] = []
    forward = model.qwen.forward

    def watch(**given: Any) -> Any:
        read.append(given["inputs_embeds"].shape[1])
        return forward(**given)

    model.qwen.forward = watch
    try:
        fresh = model.logits([*prompt, 7, 8, 9], tokens)
        model.logits([*prompt, 5], tokens)
        again = model.logits([*prompt, 7, 8, 9], tokens)
    finally:
        model.qwen.forward = forward
    assert read[1:] == [1, 3]
    torch.testing.assert_close(again, fresh, rtol=1e-4, atol=1e-5)


def test_options_are_scored_as_if_each_were_read_in_full(models: dict[str, HIComModel]) -> None:
    model, tokens = models["given_direct"], see(models["given_direct"], DIRECT)
    prompt, options = DIRECT["prompt_ids"], [[3], [5, 6, 7], [5, 9]]
    scores = model.score(prompt, tokens, options)
    for score, option in zip(scores, options, strict=True):
        alone = 0.0
        for i, token in enumerate(option):
            alone += float(torch.log_softmax(model.logits([*prompt, *option[:i]], tokens), -1)[token])
        assert score == pytest.approx(alone, abs=1e-4)
    with pytest.raises(ValueError, match="at least one token"):
        model.score(prompt, tokens, [[]])


def test_sampling_repeats_with_its_seed_and_a_narrow_top_p_is_greedy(models: dict[str, HIComModel]) -> None:
    model, tokens = models["given_direct"], see(models["given_direct"], DIRECT)
    prompt = DIRECT["prompt_ids"]
    greedy = model.write(prompt, tokens, 8)
    assert model.generate(prompt, tokens, 8, temperature=1.0, top_p=1e-6, seed=1) == greedy.ids
    once = model.generate(prompt, tokens, 8, temperature=5.0, seed=1)
    assert once == model.generate(prompt, tokens, 8, temperature=5.0, seed=1) != greedy.ids
    assert len(greedy.log_probs) == len(greedy.ids) and all(log <= 0 for log in greedy.log_probs)


def test_a_repetition_penalty_of_the_checkpoint_counts(models: dict[str, HIComModel]) -> None:
    model, tokens = models["given_direct"], see(models["given_direct"], DIRECT)
    model.penalty = 1e6
    try:
        ids = model.generate(DIRECT["prompt_ids"], tokens, 12)
    finally:
        model.penalty = 1.0
    assert ids[0] == OUTPUTS["given_direct.ids"].reshape(-1)[0]


def test_a_prompt_needs_its_one_sentinel(models: dict[str, HIComModel]) -> None:
    model = models["given_direct"]
    tokens = torch.zeros(3, 64)
    for prompt in ([1, 2], [1, -201, 2, -201]):
        with pytest.raises(ValueError, match="sentinel"):
            model.splice(prompt, tokens)
    assert model.splice([1, -200, 2], tokens).shape == (5, 64)
    with pytest.raises(ValueError, match="sentinel"):
        model.splice([1, -201], None)


def test_bfloat16_stays_close_to_float32(folders: dict[str, Path], models: dict[str, HIComModel]) -> None:
    exact = models["given_coarse"]
    half = HIComModel.from_pretrained(folders["given_coarse"], vision_tower=TOWER, dtype=torch.bfloat16)
    (features, patches), guide = exact.encode_frames(make_pixels(COARSE)), exact.encode_guide(COARSE["guide_ids"])
    rounded = half.visual_tokens(features.bfloat16(), patches.bfloat16(), guide.bfloat16()).float()
    wanted = exact.visual_tokens(features, patches, guide)
    assert float(torch.cosine_similarity(wanted, rounded, dim=-1).min()) > 0.999
    whole = torch.cosine_similarity(see(exact, COARSE), see(half, COARSE).float(), dim=-1)
    assert float(whole.mean()) > 0.999 and float(whole.min()) > 0.995
