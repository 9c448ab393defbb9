"""The command itself, in each mode: the small model on made benchmarks, the agent and the server on real footage."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from hicom_agent.build import Workspace
from hicom_agent.cli import main
from hicom_agent.errors import SetupError
from hicom_agent.evaluation.asking import Reply, within
from hicom_agent.evaluation.by_model import ByModel
from hicom_agent.evaluation.by_server import ByServer
from hicom_agent.evaluation.questions import Question
from hicom_agent.settings import load_settings
from hicom_agent.types import Progress
from tests.evaluation.made import MAKERS, make_videomme, videomme_row

QUICK = ("--no-speech", "--no-ocr")


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert main(["eval", *arguments, "--json"]) == code, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main([*arguments]) == 2
    out, told = capsys.readouterr()
    lines = [line for line in told.splitlines() if line.startswith("hicom-agent:")]
    assert not out and len(lines) == 1
    return lines[0]


def logged(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(out.glob("log*.jsonl")) for line in file.read_text().splitlines()]


# ---------------------------------------------------------------------- the model alone


def by_model(name: str, data: Path, out: Path, weights: Path) -> list[str]:
    where = ["--benchmark", name, "--data", str(data), "--out", str(out)]
    return [*where, "--mode", "model", "--profile", "hicom-7b"]


@pytest.fixture
def checkpoint(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HICOM_AGENT_CHECKPOINT", str(weights))
    monkeypatch.setenv("HICOM_AGENT_DEVICE", "cpu")
    return weights


@pytest.mark.parametrize("name", MAKERS)
def test_the_model_answers_every_question_whose_video_is_here(
    benchmarks: dict[str, Path],
    tmp_path: Path,
    checkpoint: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    found = run(capsys, *by_model(name, benchmarks[name], tmp_path, checkpoint), "--num-frames", "8")
    rows, coverage = logged(tmp_path), found["coverage"]
    assert coverage["answered"] == len(rows) > 0 and coverage["failed"] == coverage["left"] == 0
    assert coverage["answered"] + coverage["missing"] == coverage["questions"] and coverage["missing"] > 0
    for row in rows:
        assert sum(row["likelihoods"]) == pytest.approx(1, abs=1e-3) and row["likeliest"] is not None
        assert row["letter"] in range(len(row["likelihoods"])) and row["visual_tokens"] == 2 * 9 + 32
        assert row["frames"] == 8 and row["seconds"] > 0 and not row["reason"]
    assert found["overall"]["by_likelihood"]["low"] <= found["overall"]["by_likelihood"]["percent"]
    assert found["settings"]["num_frames"] == 8 and found["settings"]["model"].startswith("hicom-")
    assert json.loads((tmp_path / "model-card.json").read_text())["model-index"]
    assert (tmp_path / "submission.json").exists() == (name == "egoschema")


def test_subtitles_make_the_prompt_longer_and_their_want_is_noted(
    benchmarks: dict[str, Path], tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = by_model("videomme", benchmarks["videomme"], tmp_path, checkpoint)
    run(capsys, *command, "--num-frames", "2", "--limit", "3", "--subtitles")
    rows = logged(tmp_path)
    assert [row["note"] for row in rows] == ["", "", "no subtitles"]
    words = [row["llm_tokens"] - len(row["answer"]) for row in rows]  # of questions that are worded alike
    assert words[0] == pytest.approx(words[1], abs=5) and words[0] > words[2] + 50


def test_a_limit_on_visual_tokens_holds_and_is_recorded(
    benchmarks: dict[str, Path], tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = by_model("lvbench", benchmarks["lvbench"], tmp_path / "a", checkpoint)
    found = run(capsys, *command, "--max-visual-tokens", "100")
    assert found["settings"]["max_visual_tokens"] == 100 and found["settings"]["num_frames"] == 4 * 7
    assert found["cost"]["most_visual_tokens"] == 7 * 9 + 32
    command = by_model("lvbench", benchmarks["lvbench"], tmp_path / "b", checkpoint)
    assert run(capsys, *command, "--max-visual-tokens", "2000", "--num-frames", "12")["cost"]["frames"] == 12
    command = by_model("lvbench", benchmarks["lvbench"], tmp_path / "c", checkpoint)
    told = fails(capsys, "eval", *command, "--max-visual-tokens", "40")
    assert "--max-visual-tokens 40 is too few: this model makes 41 of 4 frames" in told


def test_asking_again_changes_nothing_and_other_settings_data_and_wishes_are_one_line(
    benchmarks: dict[str, Path], tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = benchmarks["lvbench"]
    command = by_model("lvbench", data, tmp_path / "out", checkpoint)
    found = run(capsys, *command, "--num-frames", "4")
    before = (tmp_path / "out" / "log.jsonl").read_bytes()
    assert run(capsys, *command, "--num-frames", "4") == run(capsys, *command, "--merge") == found
    assert (tmp_path / "out" / "log.jsonl").read_bytes() == before
    assert "num_frames was 4 and is 8; give another --out" in fails(capsys, "eval", *command, "--num-frames", "8")
    other = by_model("mlvu", benchmarks["mlvu"], tmp_path / "out", checkpoint)
    assert "holds answers to other questions (lvbench)" in fails(capsys, "eval", *other, "--merge")
    nothing = by_model("lvbench", data, tmp_path / "none", checkpoint)
    assert "holds no evaluation" in fails(capsys, "eval", *nothing, "--merge")
    assert "LVBench has no subtitles" in fails(capsys, "eval", *command, "--subtitles")
    wrong = ["--benchmark", "lvbench", "--data", str(data), "--out", str(tmp_path / "none")]
    assert "--num-frames is for --mode model" in fails(capsys, "eval", *wrong, "--mode", "agent", "--num-frames", "4")
    told = fails(capsys, "eval", *wrong, "--mode", "model", "--profile", "nano")
    assert "--mode model asks the model of profile hicom-7b; this is nano (asked for)" in told
    assert not (tmp_path / "none").exists()


def test_a_dry_run_says_what_would_be_asked_and_leaves_nothing(
    benchmarks: dict[str, Path], tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = by_model("videomme", benchmarks["videomme"], tmp_path / "out", checkpoint)
    told = run(capsys, *command, "--dry-run", "--shard", "2/2")
    assert told == {"questions": 5, "left": 2, "earlier": 0, "videos": 1, "missing": ["gone"]}
    assert not (tmp_path / "out").exists()


def test_parts_of_several_machines_make_one_table_and_a_torn_video_is_one_line_of_it(
    benchmarks: dict[str, Path], tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = benchmarks["videomme"] / "data" / "vidA.mp4"
    data = make_videomme(tmp_path / "data", film)
    (data / "data" / "vidB.mkv").unlink()
    (data / "data" / "vidB.mkv").write_bytes(b"\x1aE\xdf\xa3" * 100)
    command = [*by_model("videomme", data, tmp_path / "out", checkpoint), "--num-frames", "4"]
    first = run(capsys, *command, "--shard", "1/2")
    assert (first["coverage"]["answered"], first["coverage"]["left"]) == (2, 2)
    second = run(capsys, *command, "--shard", "2/2", code=6)
    assert (second["coverage"]["answered"], second["coverage"]["failed"], second["coverage"]["left"]) == (2, 2, 0)
    (lost,) = second["lost"]
    assert lost["video"] == "vidB" and lost["questions"] == 2 and "vidB.mkv" in lost["reason"]
    assert run(capsys, *command, "--shard", "2/2", code=6)["coverage"] == second["coverage"]
    assert main(["eval", *command, "--merge"]) == 0
    assert "failed     vidB (2 questions)" in capsys.readouterr().out


KILLER = """
import os, signal, sys
from hicom_agent.cli import main
from hicom_agent.evaluation.by_model import ByModel
answers, real = [], ByModel.ask
def ask(self, question):
    answers.append(real(self, question))
    if len(answers) == 3:
        os.kill(os.getpid(), signal.SIGKILL)  # when it is answered, and before that is written
    return answers[-1]
ByModel.ask = ask
main(sys.argv[1:])
"""


def test_a_killed_evaluation_goes_on_without_asking_a_question_twice(
    benchmarks: dict[str, Path],
    tmp_path: Path,
    checkpoint: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = [*by_model("videomme", benchmarks["videomme"], tmp_path / "out", checkpoint), "--num-frames", "4"]
    killed = subprocess.run([sys.executable, "-c", KILLER, "eval", *command], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-500:]
    assert [row["id"] for row in logged(tmp_path / "out")] == ["000-1", "001-1"]
    asked, real = [], ByModel.ask

    def ask(self: ByModel, question: Question) -> Reply:
        asked.append(question.id)
        return real(self, question)

    monkeypatch.setattr(ByModel, "ask", ask)
    found = run(capsys, *command)
    assert asked == ["002-1", "003-1"]
    assert [row["id"] for row in logged(tmp_path / "out")] == ["000-1", "001-1", "002-1", "003-1"]
    whole = run(capsys, *by_model("videomme", benchmarks["videomme"], tmp_path / "b", checkpoint), "--num-frames", "4")
    for part in ("overall", "groups", "coverage", "settings"):
        assert found[part] == whole[part]


# ---------------------------------------------------------------------- the agent and the server


@pytest.fixture(scope="module")
def filmed(footage: Path, nano: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return Video-MME in small: two questions about real footage."""
    options = ["A. A zebra.", "B. An aeroplane.", "C. A guitar.", "D. A car."]
    rows = [
        videomme_row(1, "cars", question="What drives on the road?", options=options, answer="D"),
        videomme_row(2, "cars", "long", question="Is there a zebra?", options=["Yes", "No"], answer="B"),
    ]
    folder = tmp_path_factory.mktemp("filmed")
    (folder / "data").mkdir()
    (folder / "data" / "cars.mp4").symlink_to(footage / "car-detection.mp4")  # as on another disk
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "test-00000-of-00001.parquet")
    return folder


@pytest.fixture(scope="module")
def by_agent(filmed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an evaluation of the agent under profile nano."""
    out = tmp_path_factory.mktemp("agent")
    where = ["--benchmark", "videomme", "--data", str(filmed), "--out", str(out), "--profile", "nano"]
    assert main(["eval", *where, "--mode", "agent", *QUICK]) == 0
    return out


def test_the_agent_watches_a_film_once_and_weighs_the_options(by_agent: Path) -> None:
    rows = logged(by_agent)
    assert [row["id"] for row in rows] == ["001-1", "002-1"]
    assert rows[0]["watch_s"] > 10 * rows[1]["watch_s"] and (by_agent / "store").is_dir()
    assert all(sum(row["likelihoods"]) == pytest.approx(1, abs=1e-3) for row in rows)
    assert rows[0]["likeliest"] == 3 and rows[0]["visual_tokens"] > 0
    found = json.loads((by_agent / "result.json").read_text())
    assert found["settings"]["mode"] == "agent" and found["settings"]["profile"] == "nano"


def test_the_real_server_is_asked(
    by_agent: Path, filmed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--benchmark", "videomme", "--data", str(filmed), "--out", str(tmp_path / "out"), "--profile", "nano"]
    store = ["--store", str(by_agent / "store"), "--max-visual-tokens", "400"]
    found = run(capsys, *where, *store, "--mode", "mcp", *QUICK)
    rows = logged(tmp_path / "out")
    assert len(rows) == 2 and all(row["answer"] and not row["reason"] for row in rows)
    assert all(row["likelihoods"] == [] and row["likeliest"] is None for row in rows)
    assert found["overall"]["by_likelihood"] is None and found["overall"]["by_letter"]["right"] >= 0
    assert found["settings"]["max_visual_tokens"] == 400 and found["settings"]["mode"] == "mcp"
    assert 0 < found["cost"]["most_visual_tokens"] <= 400


def test_a_limit_that_the_agent_overruns_is_kept_to_by_asking_again() -> None:
    given = []

    def ask(budget: int | None) -> Reply:
        given.append(budget)
        clips = -(-(budget or 10_000) // 74)  # ends with the clip that reaches the budget
        return Reply("", visual_tokens=74 * clips)

    assert within(400, 1, ask).visual_tokens == 370 and given == [400, 356]
    assert within(None, 1, ask).visual_tokens > 400
    too_much = within(40, 32, ask)
    assert too_much.visual_tokens == 74 and "more visual tokens than the limit" in too_much.note


STUB = """
import os
from typing import Any
from mcp.server import MCPServer
server = MCPServer("stub")
job = {"job_id": "1", "stage": "watching", "percent": 50.0, "video_id": "v", "error": ""}
@server.tool()
def index_video(path: str) -> dict[str, Any]:
    return {**job, "state": "running"}
@server.tool()
def job_status(job_id: str) -> dict[str, Any]:
    return {**job, "state": "done"}
@server.tool()
def ask_video(video: str, question: str, max_seconds: float) -> dict[str, Any]:
    if "last" in question:
        os._exit(1)
    given = " ".join(os.environ[f"HICOM_AGENT_{name}"] for name in ("SPEECH", "OCR", "PROFILE", "LLM"))
    return {"answer": given, "spend": {"visual_tokens": 1, "llm_tokens": 2}, "abstained": False}
server.run("stdio")
"""


def test_a_server_has_the_settings_of_this_process_tells_how_far_it_is_and_may_die(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stub.py").write_text(STUB)
    (tmp_path / "python").write_text(f"#!/bin/sh\nexec {sys.executable} {tmp_path / 'stub.py'}\n")
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "film.mp4").touch()
    for name, value in (("SPEECH", "false"), ("OCR", "false"), ("LLM", "none")):  # flags beat them
        monkeypatch.setenv(f"HICOM_AGENT_{name}", value)
    told: list[Progress] = []
    given = {"store": tmp_path / "store", "profile": "nano", "speech": True, "llm": ""}
    work = Workspace(load_settings(given), told.append)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    question = Question("1", "film", tmp_path / "film.mp4", "What?", ("a", "b"), 0)
    server = ByServer(work, [question], tmp_path / "films", tmp_path / "server.log", None)
    with pytest.raises(SetupError, match="run the same command to go on"), server:
        server.watch(question)
        assert [(each.stage, each.done, each.total) for each in told] == [("watching", 50.0, 100.0)]
        assert server.ask(question).text == "True False nano "
        server.ask(replace(question, text="The last?"))
