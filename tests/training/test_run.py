from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from hicom_agent.errors import InputError, SetupError
from hicom_agent.llm import HIComModel
from hicom_agent.training import plan, train
from hicom_agent.training.config import TrainConfig
from hicom_agent.training.data import Talks
from hicom_agent.training.model import TrainableHICom
from hicom_agent.training.output import locked_output, read_lines
from tests.training.conftest import Made

VISION, TEXT = "model.vision_tower.vision_tower.vision_model.", "model.vision_tower.guide_encoder."
PROJECTOR = "model.mm_projector."


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {name: x for file in folder.glob("*.safetensors") for name, x in load_file(file).items()}


def moved(before: Path, after: Path) -> set[str]:
    """Return the names of tensors that are not bit for bit the same."""
    one, other = weights(before), weights(after)
    assert one.keys() == other.keys()
    return {n for n in one if one[n].dtype != other[n].dtype or not torch.equal(one[n], other[n])}


def settings(direct: Path, output: Path, **more: Any) -> TrainConfig:
    own = {"stage": "condition", "start": direct, "output": output, "batch": 4, "micro_batch": 2, "device": "cpu"}
    return TrainConfig(**{**own, "tensorboard": False, **more})


def test_conditioning_moves_the_projector_and_nothing_else(direct: Path, tmp_path: Path) -> None:
    config = settings(direct, tmp_path / "out", epochs=2, learning_rate=1e-2)
    report = train(config, Made(8))
    names = moved(direct, tmp_path / "out")
    # the query counts for nothing where both branches are guided directly
    assert names == {n for n in weights(direct) if n.startswith(PROJECTOR) and "global_compressor.query" not in n}
    assert (report.steps, report.samples, report.changes) == (4, 8, [])
    written = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (written["hicom_agent_stage"], written["num_frames"]) == ("condition", 32)
    assert not (tmp_path / "out" / "resume").exists()
    picture = cv2.imdecode(np.frombuffer((tmp_path / "out" / "loss.png").read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None and picture.std() > 0
    lines = read_lines(tmp_path / "out" / "log.jsonl")
    assert [line["step"] for line in lines] == [1, 2, 3, 4] and lines[-1]["loss"] < lines[0]["loss"]
    assert train(config, Made(8)) == report  # finished: nothing is done again


def test_tuning_moves_the_language_model_too_and_the_head_only_if_told(direct: Path, tmp_path: Path) -> None:
    for told in (False, True):
        config = settings(direct, tmp_path / str(told), stage="tune", train_head_and_text=told, learning_rate=1e-3)
        train(config, Made(4, pixels=True))
        names = moved(direct, config.output)
        head = {n for n in names if n.startswith((VISION, TEXT))}
        rest = {n for n in weights(direct) if not n.startswith("model.vision_tower.") and "compressor.query" not in n}
        assert names - head == rest
        assert bool(head) == told
        assert all(n.startswith((VISION + "head.mlp.", VISION + "head.layernorm.", TEXT)) for n in head)
        assert not told or {VISION + "head.mlp.fc1.weight", TEXT + "text_model.head.weight"} <= head


def test_each_part_has_its_rate(direct: Path, tmp_path: Path) -> None:
    coarse = "local43_guidedirect_global32_guidecoarse"
    made = plan(settings(direct, tmp_path / "out", projector=coarse), Made(8))
    assert made.rates == {"projector": 1e-4, "injector": 1e-3}
    assert (made.steps, made.batch, made.accumulation) == (2, 4, 2) and len(made.changes) == 6
    tune = settings(direct, tmp_path / "out", stage="tune", train_head_and_text=True)
    made = plan(tune, Made(8, pixels=True))
    assert made.rates == {"projector": 1e-5, "language_model": 1e-5, "head_and_text": 2e-6}
    every = sum(x.numel() for x in weights(direct).values())
    assert sum(made.parameters.values()) + made.frozen == every
    assert not (tmp_path / "out").exists()


def test_accumulation_is_the_same_step(direct: Path, tmp_path: Path) -> None:
    for micro in (4, 1):
        train(settings(direct, tmp_path / str(micro), micro_batch=micro, epochs=2), Made(4))
    one, other = weights(tmp_path / "4"), weights(tmp_path / "1")
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-3, atol=2e-6)


def test_bfloat16_and_checkpointing_leave_frozen_weights_as_they_were_stored(direct: Path, tmp_path: Path) -> None:
    config = settings(direct, tmp_path / "out", bf16=True, gradient_checkpointing=True, stage="tune")
    train(config, Made(4))
    assert not {n for n in moved(direct, config.output) if n.startswith("model.vision_tower.")}
    stored = weights(config.output)
    assert stored[f"{PROJECTOR}local_compressor.readout.0.weight"].dtype == torch.float32
    assert stored["lm_head.weight"].dtype == torch.bfloat16
    HIComModel.from_pretrained(config.output)


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from hicom_agent.training import train
from tests.training.test_run import Made, settings
def show(progress):
    if progress.done == 7:
        os.kill(os.getpid(), signal.SIGKILL)
train(settings(Path(sys.argv[1]), Path(sys.argv[2]), epochs=3, save_steps=2), Made(14), progress=show)
"""


def test_a_killed_run_ends_as_if_it_had_not_been(direct: Path, tmp_path: Path) -> None:
    killed, whole = (settings(direct, tmp_path / name, epochs=3, save_steps=2) for name in ("killed", "whole"))
    command = [sys.executable, "-c", KILLED, str(direct), str(killed.output)]
    assert subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True).returncode == -9
    points = sorted(point.name for point in (killed.output / "resume").iterdir())
    assert points == ["checkpoint-4", "checkpoint-6"]
    half = killed.output / "resume" / "checkpoint-8"  # of which the writer died
    half.mkdir()
    (half / "trained.safetensors").write_bytes(b"half")
    resumed, report = train(killed, Made(14)), train(whole, Made(14))
    assert resumed.resumed_from == 6 and resumed.steps == report.steps == 12
    assert (resumed.loss_start, resumed.loss_end) == (report.loss_start, report.loss_end)
    told = [[line["loss"] for line in read_lines(run.output / "log.jsonl")] for run in (killed, whole)]
    assert told[0] == told[1] and len(told[0]) == 12
    assert not moved(killed.output, whole.output)


def test_a_run_that_could_not_write_its_checkpoint_takes_no_step_too_many(
    direct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, whole = (settings(direct, tmp_path / name, max_steps=5, save_steps=1) for name in ("full", "whole"))
    with monkeypatch.context() as patch, pytest.raises(SetupError, match="disk full; the same command"):
        patch.setattr(TrainableHICom, "save", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        train(full, Made(6))
    resumed, report = train(full, Made(6)), train(whole, Made(6))
    assert resumed.resumed_from == 4 and resumed.steps == report.steps == 5
    assert not moved(full.output, whole.output)


def test_what_cannot_be_gone_on_with_is_told(direct: Path, tmp_path: Path) -> None:
    config = settings(direct, tmp_path / "out", max_steps=3, save_steps=1, logging_steps=2)
    report = train(config, Made(4))
    assert [line["step"] for line in read_lines(config.output / "log.jsonl")] == [1, 2, 3]
    assert report.loss_start > 0 and report.loss_end > 0
    (config.output / "report.json").unlink()
    with pytest.raises(InputError, match="a run on 4 samples, and now the data are 6; name another output"):
        train(config, Made(6))
    with locked_output(config), pytest.raises(InputError, match="another training writes"):
        train(config, Made(4))
    for name in ("report.json", "settings.json"):
        for text in ("{", "[]", '{"a": 1}')[: 3 if name == "report.json" else 2]:
            (config.output / name).write_text(text)
            with pytest.raises(InputError, match=f"{name} was not written by this version; name another output"):
                train(config, Made(4))
    diverged = config.model_copy(update={"learning_rate": 1e30, "logging_steps": 1})
    with pytest.raises(InputError, match="the loss is nan at step 2; lower learning_rate"):
        train(diverged, Made(4), resume=False)


def test_another_setting_is_not_resumed(direct: Path, tmp_path: Path) -> None:
    config = settings(direct, tmp_path / "out", max_steps=1)
    train(config, Made(4))
    other = config.model_copy(update={"learning_rate": 1e-2})
    with pytest.raises(InputError, match="a run with learning_rate=None, not 0.01; name another output"):
        train(other, Made(4))
    assert train(other, Made(4), resume=False).steps == 1


def test_nothing_of_somebody_else_is_overwritten(direct: Path, tmp_path: Path) -> None:
    before = weights(direct)
    for resume in (True, False):
        with pytest.raises(InputError, match="is also start, which training only reads"):
            train(settings(direct, direct), Made(4), resume=resume)
        with pytest.raises(InputError, match="is also start, which training only reads"):
            plan(settings(direct, direct), Made(4))
        with pytest.raises(InputError, match="holds files of which no training knows"):
            train(settings(direct, direct.parent), Made(4), resume=resume)
    assert (direct / "config.json").is_file() and weights(direct).keys() == before.keys()


def test_broken_samples_are_counted_and_the_others_learned_from(
    direct: Path, footage: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "bad.png").write_bytes(b"nothing")
    entry = json.loads((footage / "captions.json").read_text())[0]
    entries = [entry | {"image": str(footage / "0.png")}, entry | {"id": "bad"}, entry | {"id": "none", "image": "x"}]
    entries[1]["image"] = "bad.png"
    (tmp_path / "some.json").write_text(json.dumps(entries))
    config = settings(direct, tmp_path / "out", stage="align", data=tmp_path / "some.json", epochs=2, batch=1)
    report = train(config.model_copy(update={"micro_batch": 1}))
    assert report.samples == 2 and set(report.skipped) == {"some.json[1] bad", "some.json[2] none"}
    assert caplog.text.count("some.json[1] bad") == caplog.text.count("some.json[2] none") == 1
    assert report.steps == 4


def test_alignment_starts_from_two_models_that_never_met(
    parts: tuple[Path, Path], footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tower, words = parts
    config = TrainConfig(
        stage="align",
        vision_tower=Path(),  # whose own name is none, and the folder that is written needs one
        language_model=words,
        output=tmp_path / "aligned",
        data=footage / "captions.json",
        batch=1,
        device="cpu",
    )
    monkeypatch.chdir(tower)
    monkeypatch.setattr(Talks, "_pixels", lambda *_: torch.zeros(1, 3, 126, 126))
    report = train(config)
    assert set(report.parameters) == {"projector"} and all(line.startswith("added ") for line in report.changes)
    made = weights(tmp_path / "aligned")
    siglip, qwen = weights(tower), weights(words)
    for name, tensor in siglip.items():
        prefix = "vision_tower." if name.startswith("vision_model.") else "guide_encoder."
        assert torch.equal(made[f"model.vision_tower.{prefix}{name}"], tensor)
    assert all(torch.equal(made[name], tensor) for name, tensor in qwen.items())
    assert len(made) == len(siglip) + len(qwen) + len(report.changes)
    assert 0 < float(made[f"{PROJECTOR}local_compressor.readout.0.weight"].abs().max()) < 0.1
    loaded = HIComModel.from_pretrained(tmp_path / "aligned")
    assert (tmp_path / "aligned" / tower.name / "config.json").is_file()
    assert not loaded.config.guided and loaded.config.aspect == "square"
    next_one = plan(settings(tmp_path / "aligned", tmp_path / "next"), Made(4))
    assert next_one.changes == [] and next_one.rates == {"projector": 1e-4}


def test_a_disk_too_small_for_a_point_to_resume_from_is_one_line(
    direct: Path, small_disk: Callable[[int], Path]
) -> None:
    disk = small_disk(20_000)

    def fill(_: Any) -> None:
        """Once a point is whole, leave room for the weights of the next and for half of its optimizer."""
        for optimizer in (disk / "out" / "resume").glob("checkpoint-*/optimizer.pt"):
            sizes = [file.stat().st_size for file in optimizer.parent.glob("*.safetensors")]
            space = os.statvfs(disk)
            room = space.f_bavail * space.f_frsize - sum(sizes) - optimizer.stat().st_size // 2
            (disk / "filler").write_bytes(bytes(max(0, room)))

    with pytest.raises(SetupError, match="point to resume from cannot be written; make room"):
        train(settings(direct, disk / "out", stage="tune", max_steps=3, save_steps=1), Made(6), progress=fill)
