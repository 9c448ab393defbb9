"""The commands of the README's section "Train", on made data: three stages, one after the other."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hicom_agent.cli import main
from hicom_agent.encode.siglip import GuideTokenizer, prepare
from hicom_agent.llm import HIComModel
from hicom_agent.llm.reader import HIComReader
from hicom_agent.training.footage import read_footage

README = (Path(__file__).parents[2] / "README.md").read_text()
SECTION = README.partition("\n## Train\n")[2].partition("\n## ")[0]
CONFIGS = [block.partition("```")[0] for block in SECTION.split("```yaml\n")[1:]]
COMMANDS = [line for line in SECTION.partition("```console\n")[2].partition("```")[0].splitlines() if " train " in line]


def test_the_commands_of_the_readme_train_all_stages(
    parts: tuple[Path, Path],
    footage: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for folder, name in zip(parts, ("siglip-so400m-patch14-384", "Qwen2.5-7B-Instruct"), strict=True):
        shutil.copytree(folder, tmp_path / name)
    shutil.copytree(footage, tmp_path / "footage")
    for name in ("captions.json", "clips.jsonl", "0.png", "1.png", "2.png", "street.mp4", "harbour.mp4"):
        shutil.copy(footage / name, tmp_path / name)
    for text in CONFIGS:
        (tmp_path / text.splitlines()[0].removeprefix("# ")).write_text(text)
    assert len(CONFIGS) == 3 and len(COMMANDS) == 4
    told = []
    for line in COMMANDS:
        assert main(shlex.split(line)[2:]) == 0, capsys.readouterr().err
        told.append(capsys.readouterr())
    assert "added model.mm_projector.local_compressor.readout.0.weight" in told[0].out
    assert "written   " in told[1].out and "training" in told[1].err
    report = json.loads(told[3].out)
    assert report["stage"] == "tune" and set(report["parameters"]) == {"projector", "language_model", "head_and_text"}
    assert list((tmp_path / "tuned" / "tensorboard").glob("events*"))
    stages = [json.loads((tmp_path / name / "config.json").read_text()) for name in ("aligned", "conditioned", "tuned")]
    assert [each["hicom_agent_stage"] for each in stages] == ["align", "condition", "tune"]
    assert [each["use_guide"] for each in stages] == ["off", "direct", "direct"]
    aligned, conditioned, tuned = (
        load_file(tmp_path / name / "model-00001-of-00001.safetensors") for name in ("aligned", "conditioned", "tuned")
    )
    changed = {name for name in aligned if not torch.equal(aligned[name], conditioned[name])}
    assert changed == {name for name in aligned if name.startswith("model.mm_projector.") and "r.query" not in name}
    still = {name for name in aligned if torch.equal(conditioned[name], tuned[name])}
    assert still and all(
        name.startswith("model.vision_tower.vision_tower.") or name.endswith((".query", "k_proj.bias"))
        for name in still
    )
    assert answers(tmp_path / "tuned", footage / "street.mp4")


def answers(folder: Path, film: Path) -> bool:
    """Tell whether a checkpoint loads and says something about a film."""
    model = HIComModel.from_pretrained(folder)
    reader = HIComReader(model, GuideTokenizer(folder / "siglip-so400m-patch14-384"))
    pixels = prepare(read_footage(film, 4), model.tower.side_px)
    guide = model.encode_guide(reader.guides(["What is it?"]))
    tokens = model.visual_tokens(*model.encode_frames(pixels), guide)
    made = model.write(reader._prompt("What is it?", visual=True), tokens, 5)
    return tokens.shape == (9 + 32, 32) and len(made.ids) > 0 and all(p <= 0 for p in made.log_probs)
