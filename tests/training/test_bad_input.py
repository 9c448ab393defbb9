"""What is wrong is said in one line, with what was expected, before anything is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hicom_agent.cli import main
from hicom_agent.testing import make_checkpoint
from hicom_agent.training import load_config


def complaint(capsys: pytest.CaptureFixture[str], config: Path, stage: str = "condition", code: int = 2) -> str:
    """Run a stage that must fail with one line, and return the line."""
    assert main(["train", "--stage", stage, "--config", str(config)]) == code
    seen = capsys.readouterr()
    assert seen.out == ""
    (line,) = [line for line in seen.err.splitlines() if line.startswith("hicom-agent:")]
    assert "Traceback" not in seen.err and not (config.parent / "out").exists()
    return line


def write(folder: Path, **values: Any) -> Path:
    file = folder / "config.yaml"
    file.write_text(json.dumps({"output": "out", "device": "cpu", **values}))
    return file


def test_an_unknown_key_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = complaint(capsys, write(tmp_path, start="x", learning_speed=1))
    assert "there is no key 'learning_speed'; there are: stage, output, start" in told
    told = complaint(capsys, write(tmp_path, start="x", data=[{"path": "a.json", "share": 1}]))
    assert "data: part 0: there is no key 'share'; there are: path, root" in told


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"batch": 0}, "batch: Input should be greater than or equal to 1"),
        ({"stage": "tune"}, "it is for the stage 'tune', not 'condition'"),
        ({"learning_rate": "inf"}, "learning_rate: Input should be a finite number"),
        ({"seed": 2**32}, "seed: Input should be less than 4294967296"),
        ({"start": "a\0b"}, "start: Value error, no path has a NUL in it"),
        ({"start": "x" * 5000}, "start: Value error, no name in a path is longer than 255 bytes"),
        ({"output": None}, "output is missing; expected: folder of the checkpoint"),
        ({"data": {"path": "a"}}, "data is {'path': 'a'}; expected: parts, a YAML list"),
        ({"data": [{"1": 2}]}, "data: part 0: path is missing"),
        ({"data": [{"path": "a", "ratio": "inf"}]}, "ratio: Input should be a finite number"),
        ({"train_head_and_text": True}, "train_head_and_text is for the stage tune"),
        ({}, "condition needs start: the folder that the stage align wrote"),
        ({"start": "nothing"}, "is no folder of a checkpoint: it has no config.json"),
    ],
)
def test_a_wrong_value_is_named(
    values: dict[str, Any], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert expected in complaint(capsys, write(tmp_path, **values))


def test_a_file_that_is_no_config_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in (
        "- a list",
        "a: [unclosed",
        "a: !!python/object:os.system {}",
        "a: 2001-99-99",
        "- &a [*a]",
        "[" * 3000,
    ):
        (tmp_path / "config.yaml").write_text(text)
        assert "config.yaml: " in complaint(capsys, tmp_path / "config.yaml")
    for text in ("= nothing", "a = " + "[" * 3000):
        (tmp_path / "config.toml").write_text(text)
        assert "config.toml: is no TOML" in complaint(capsys, tmp_path / "config.toml")
    assert "cannot read" in complaint(capsys, tmp_path / "none.yaml")


def test_a_toml_config_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        'output = "out"\nroots = ["films"]\nstart = "x"\nbatch = 8\n[[data]]\npath = "b.json"\nratio = 0.5\n'
    )
    made = load_config(tmp_path / "a.toml", stage="tune", roots=None)
    assert (
        made.output == tmp_path / "out"
        and made.roots == (tmp_path / "films",)
        and made.recipe.batch == 8
        and made.recipe.learning_rate == 1e-5
    )
    assert not isinstance(made.data, Path) and made.data[0].path == tmp_path / "b.json"


def test_the_wrong_start_is_told(
    direct: Path, parts: tuple[Path, Path], tmp_path: Path, footage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(footage / "clips.jsonl")
    told = complaint(capsys, write(tmp_path, start=str(parts[1]), data=data))
    assert "condition needs a HICom checkpoint" in told and "is a 'qwen2' model without a projector" in told
    other = make_checkpoint(tmp_path / "other", projector="local43_global32", width=48, hidden_size=32)
    tower = str(other / "siglip-so400m-patch14-384")
    told = complaint(capsys, write(tmp_path, start=str(direct), vision_tower=tower, data=data), code=3)
    assert "mm_hidden_size is 32, but the vision tower's is 48" in told
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "hicom_agent_stage": "align"}))
    told = complaint(capsys, write(tmp_path, start=str(other), data=data), "tune")
    assert "was only aligned; run --stage condition first, or set skip_condition: true" in told
    for given, expected in (
        ({"vision_tower": str(parts[0])}, "align needs vision_tower and language_model"),
        ({"vision_tower": str(parts[1]), "language_model": str(parts[1])}, "has no vision_config"),
        ({"vision_tower": str(parts[0]), "language_model": str(parts[0])}, "'siglip' model, expected 'qwen2'"),
        ({"vision_tower": tower, "language_model": str(parts[1])}, "folder of a SigLIP model with weights"),
        ({"start": str(direct), "language_model": str(parts[1])}, "not both"),
    ):
        assert expected in complaint(capsys, write(tmp_path, data=data, **given), "align")


def test_data_without_videos_are_told(
    direct: Path, tmp_path: Path, footage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = str(direct)
    pictures = str(footage / "captions.json")
    assert "condition needs videos" in complaint(capsys, write(tmp_path, start=start, data=pictures))
    assert "data: name JSON or JSONL files" in complaint(capsys, write(tmp_path, start=start))
    turns = [{"from": "human", "value": "Hello?"}, {"from": "gpt", "value": "Yes."}]
    (tmp_path / "words.json").write_text(json.dumps([{"conversations": turns}]))
    told = complaint(capsys, write(tmp_path, start=start, data="words.json"))
    assert "no conversation has a picture or a video" in told
    (tmp_path / "words.json").write_text('{"a": 1}')
    assert "need a list of conversations" in complaint(capsys, write(tmp_path, start=start, data="words.json"))
    assert "cannot read conversations" in complaint(capsys, write(tmp_path, start=start, data="none.jsonl"))


def test_a_batch_that_cannot_be_divided_is_told(
    direct: Path, tmp_path: Path, footage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"start": str(direct), "data": str(footage / "clips.jsonl"), "batch": 6, "micro_batch": 4}
    assert "batch 6 is no multiple of micro_batch 4 times 1 processes" in complaint(capsys, write(tmp_path, **values))
