"""The same job under profile hicom-7b with a made checkpoint: answers are noise, all the rest must be right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hicom_agent import profiles
from hicom_agent.agent import Budget
from hicom_agent.build import Workspace
from hicom_agent.cli import main
from hicom_agent.errors import InputError, SetupError
from hicom_agent.profiles import choose_profile
from hicom_agent.settings import load_settings
from hicom_agent.testing import make_checkpoint

QUESTION = "What colour are the bottle caps?"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("weights"), 5)


@pytest.fixture(scope="module")
def store(footage: Path, nano: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("memory")
    path = footage / "bottle-detection.mp4"
    assert main([*options(weights, folder), "index", str(path), "--no-speech", "--no-ocr", "--json"]) == 0
    return folder


def options(weights: Path, store: Path) -> list[str]:
    return ["--profile", "hicom-7b", "--checkpoint", str(weights), "--store", str(store)]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_question_is_answered_by_looking_at_compressed_clips(
    store: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run(capsys, *options(weights, store), "ask", "bottle", QUESTION)
    spend, total_s = answer["spend"], answer["coverage"]["total_s"]
    assert answer["profile"].startswith("hicom-") and answer["index_version"] == "gen-000001"
    windows = (spend["visual_tokens"] - 32) / 9
    assert windows == int(windows) and 40 / 4 <= windows <= 40 / 4 + spend["clips_compressed"]
    assert spend["llm_tokens"] > 50 and spend["llm_s"] > 0 and not spend["note"]
    assert answer["citations"] and answer["coverage"]["looked_at_s"] == pytest.approx(total_s, abs=0.1)
    for cited in answer["citations"]:
        assert 0 <= cited["start_s"] <= cited["end_s"] <= total_s and cited["modality"] == "visual"
    again = run(capsys, *options(weights, store), "ask", "bottle", QUESTION)
    assert again["spend"]["visual_tokens"] == 0 and again["spend"]["clips_recalled"] == spend["clips_compressed"]
    assert [again[name] for name in ("answer", "citations", "coverage")] == [
        answer[name] for name in ("answer", "citations", "coverage")
    ]


def test_what_a_film_is_about_is_told_from_clips_all_over_it(
    store: Path, weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hicom_agent.agent.view.HELD_FROM", 0.0)  # what made weights judge is noise
    answer = run(capsys, *options(weights, store), "ask", "bottle", "What happens in this video?")
    assert answer["spend"]["visual_tokens"] > 0 and not answer["abstained"]
    total_s, shown = answer["coverage"]["total_s"], answer["citations"]
    assert len(shown) > 1 and shown[0]["start_s"] < total_s / 4 and shown[-1]["end_s"] > 3 * total_s / 4
    assert all(cited["frame_id"] for cited in shown)
    given = {"profile": "hicom-7b", "checkpoint": weights, "store": store}
    work = Workspace(load_settings(given))
    with work.store() as opened:
        spent = work.agent(opened).ask(answer["citations"][0]["video_id"], "Summarize it", Budget(max_visual_tokens=0))
    assert spent.abstained and spent.reason == "out of budget", "no clip is left to look at, and nothing was said"


def test_a_budget_of_visual_tokens_is_kept_to(
    store: Path, weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HICOM_AGENT_MAX_VISUAL_TOKENS", "128")
    answer = run(capsys, *options(weights, store), "ask", "bottle", QUESTION)
    assert 0 < answer["spend"]["visual_tokens"] <= 128


def test_search_and_show_run_and_a_video_indexed_again_is_a_no_op(
    store: Path, weights: Path, footage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(run(capsys, *options(weights, store), "search", "bottle"), list)
    assert run(capsys, *options(weights, store), "show", "bottle")["clips"]
    path = str(footage / "bottle-detection.mp4")
    assert run(capsys, *options(weights, store), "index", path, "--no-speech", "--no-ocr")["state"] == "unchanged"


def test_vectors_of_different_models_never_meet(
    store: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_checkpoint(tmp_path / "other", 6)
    for given in (["--profile", "nano", "--store", str(store)], options(other, store)):
        capsys.readouterr()
        assert main([*given, "ask", "bottle", QUESTION]) == InputError.exit_code
        told = capsys.readouterr().err.strip().splitlines()[-1]
        assert "was indexed with hicom-" in told and "--again" in told
        assert run(capsys, *given, "search", "bottle") == []
        assert run(capsys, *given, "show", "bottle")["clips"]


def test_a_damaged_checkpoint_is_one_line_and_exit_code_3(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = make_checkpoint(tmp_path / "broken", 5)
    shard = broken / "model-00002-of-00002.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1000])
    capsys.readouterr()
    assert main([*options(broken, store), "ask", "bottle", QUESTION]) == SetupError.exit_code
    out, told = capsys.readouterr()
    assert not out and "cut short: " in told and len(told.strip().splitlines()) == 1
    assert main([*options(tmp_path, store), "ask", "bottle", QUESTION]) == SetupError.exit_code
    assert "no config.json" in capsys.readouterr().err


def test_auto_takes_what_the_machine_can_run_and_says_why(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = load_settings({"cache": tmp_path}, {})
    with_weights = load_settings({"cache": tmp_path, "checkpoint": weights}, {})
    monkeypatch.setattr(profiles, "gpu_bytes", lambda device: 0)
    assert choose_profile(bare) == profiles.Choice("nano", "no weights of hicom-7b here")
    assert choose_profile(with_weights) == profiles.Choice("nano", "no GPU")
    monkeypatch.setattr(profiles, "gpu_bytes", lambda device: 2 * 2**30)
    assert choose_profile(with_weights).why == "the GPU has 2 GB free, hicom-7b needs 4"
    monkeypatch.setattr(profiles, "gpu_bytes", lambda device: 80 * 2**30)
    assert choose_profile(with_weights).name == "hicom-7b"
    assert choose_profile(load_settings({"profile": "nano", "checkpoint": weights}, {})).name == "nano"
