from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hicom_agent.llm import HIComModel
from hicom_agent.llm.hicom import VIDEO
from hicom_agent.testing import make_checkpoint
from hicom_agent.training.model import TrainableHICom
from hicom_agent.training.samples import Broken, Sample, collate
from tests.training.conftest import WIDTH, Made


@pytest.fixture(scope="module")
def model(direct: Path) -> TrainableHICom:
    made, changed = TrainableHICom.from_checkpoint(direct)
    assert not changed
    return made


CODES = ["local43_global32", "local43_guidedirect_global32_guidecoarse", "local43_guideoff_global32"]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [(4, 9, 9), (6, 10, 10)])
def test_a_batch_together_is_the_samples_one_by_one(code: str, shape: tuple[int, ...], direct: Path) -> None:
    model, _ = TrainableHICom.from_checkpoint(direct, {"mm_projector_type": code})
    model.train_parts("align")
    values, keys = torch.randn(2, 3, *shape, WIDTH, generator=torch.Generator().manual_seed(1))
    guides = torch.randn(3, WIDTH, generator=torch.Generator().manual_seed(2))
    gradients = []
    results = []
    for together in (True, False):
        model.zero_grad()
        parts = [slice(0, 3)] if together else [slice(i, i + 1) for i in range(3)]
        tokens = torch.cat([model.project(values[part], keys[part], guides[part], "video") for part in parts])
        torch.autograd.backward(tokens.square().sum())
        results.append(tokens.detach())
        gradients.append([p.grad for p in model.projector.parameters() if p.grad is not None])
    torch.testing.assert_close(results[0], results[1])
    assert len(gradients[0]) == len(gradients[1]) > 10
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_the_loss_is_the_unlikelihood_that_the_loaded_model_gives(direct: Path, model: TrainableHICom) -> None:
    sample = Made(1, pixels=True)[0]
    assert sample.pixels is not None and sample.guide_ids is not None
    read = HIComModel.from_pretrained(direct)
    tokens = read.visual_tokens(*read.encode_frames(sample.pixels), read.encode_guide(sample.guide_ids))
    (score,) = read.score(sample.input_ids[:3], tokens, [sample.input_ids[3:]])
    out = model(**collate([sample]))
    assert float(out["loss"]) * 3 == pytest.approx(-score, rel=1e-4)
    assert out["logits"].shape == (3, model.qwen.config.vocab_size)


def test_padding_and_company_change_nothing(model: TrainableHICom) -> None:
    whole = [Made(5)[i] for i in range(3)]
    pixels = Made(1, pixels=True)[0]
    words = Sample([60, 61, 70], [-100, -100, 70], None, "image", None)
    longer = Made(1, words=[70, 71, 72, 73, 74, 75])[0]
    mixed = [*whole, words, pixels, longer]
    together = model(**collate([*mixed[:2], Broken("one", "is broken"), *mixed[2:]]))
    alone = torch.cat([model(**collate([each]))["logits"] for each in mixed])
    torch.testing.assert_close(together["logits"], alone, rtol=1e-4, atol=1e-5)
    counted = model(**collate(mixed), num_items_in_batch=torch.tensor(8))
    assert float(counted["loss"]) == pytest.approx(float(together["loss"]) * len(alone) / 8, rel=1e-5)


def test_words_alone_and_broken_batches_leave_the_projector_a_gradient_of_nothing(direct: Path) -> None:
    model, _ = TrainableHICom.from_checkpoint(direct)
    model.train_parts("condition")
    for samples in ([Sample([60, 61, 70], [-100, -100, 70], None, "image", None)], [Broken("one", "is broken")]):
        model(**collate(samples))["loss"].backward()
        assert all(p.grad is not None and not p.grad.any() for p in model.projector.parameters())


def test_only_the_parts_of_a_stage_learn(direct: Path) -> None:
    model, _ = TrainableHICom.from_checkpoint(direct, dtype=torch.bfloat16)
    assert set(model.train_parts("align")) == set(model.train_parts("condition")) == {"projector"}
    assert set(model.train_parts("tune")) == {"projector", "language_model"}
    parts = model.train_parts("tune", head_and_text=True)
    assert set(parts) == {"projector", "language_model", "head_and_text"}
    learned = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert learned == {name for names in parts.values() for name in names}
    assert not any(
        "head.probe" in name or "head.attention" in name or ".encoder.layers" in name
        for name in learned
        if name.startswith("tower.vision_tower")
    )
    assert all(p.dtype == (torch.float32 if n in learned else torch.bfloat16) for n, p in model.named_parameters())
    with torch.autocast("cpu", torch.bfloat16):
        model(**collate([Made(1, pixels=True)[0]]))["loss"].backward()
    named = dict(model.named_parameters())
    assert all(named[name].grad is not None for name in parts["head_and_text"])
    with pytest.raises(ValueError, match="need pixels"):
        model(**collate([Made(1)[0]]))


def test_weights_that_a_change_of_modes_adds_and_drops_are_listed(direct: Path, tmp_path: Path) -> None:
    coarse = "local43_guidedirect_global32_guidecoarse"
    model, changed = TrainableHICom.from_checkpoint(direct, {"mm_projector_type": coarse})
    start = "added model.mm_projector.global_compressor.guide_injector."
    assert sorted(changed) == sorted(
        [f"{start}coarse_{part}.{kind}" for part in ("proj.0", "proj.2", "norm") for kind in ("weight", "bias")]
    )
    assert set(model.train_parts("condition")) == {"projector", "injector"}
    model.save(tmp_path / "coarse")
    assert HIComModel.from_pretrained(tmp_path / "coarse").config.whole.mode == "coarse"  # type: ignore[union-attr]
    _, back = TrainableHICom.from_checkpoint(tmp_path / "coarse", {"mm_projector_type": "local43_global32"})
    assert back == [line.replace("added", "dropped") for line in back] and len(back) == 6


def test_a_start_may_be_a_coarse_checkpoint(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "made", 1, width=WIDTH, hidden_size=WIDTH)
    model, changed = TrainableHICom.from_checkpoint(folder, {"use_guide": "direct", "num_frames": 8})
    assert not changed and model.hicom.whole is not None and model.hicom.whole.mode == "coarse"


def test_a_sample_has_a_sentinel_where_it_shows_something() -> None:
    with pytest.raises(ValueError, match="one sentinel"):
        Sample([60, VIDEO], [-100, -100], None, "video", None)
