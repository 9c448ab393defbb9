"""A batch on real footage: the same rows whatever happens, and what cannot be read named once."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hicom_agent.cli import main
from hicom_agent.testing import make_video

QUESTIONS: list[dict[str, Any]] = [
    {"id": "car", "question": "When does a car drive through?", "video": "car-detection.mp4"},
    {"id": "red", "question": "When do we see a red car?", "video": "car-detection"},
    {"id": "zebra", "question": "Is there a zebra?", "video": "car-detection.mp4"},
    {"id": "caps", "question": "When do we see blue bottle caps?", "video": "bottle-detection.mp4"},
    {
        "id": "which",
        "question": "What moves on the belt?",
        "video": "bottle-detection",
        "options": ["a dog", "bottles"],
    },
    {"id": "all", "question": "When does a car drive through?"},
    {"id": "any", "question": "Which of these is there?", "options": ["a red car", "a zebra"]},
]
QUICK = ("--no-speech", "--no-ocr")
Rows = dict[tuple[str, str], dict[str, Any]]


def ask(folder: Path, footage: Path, *more: str, questions: list[dict[str, Any]] = QUESTIONS) -> list[str]:
    """Return the command of a batch whose files are in `folder`."""
    folder.mkdir(exist_ok=True)
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    files = ("--questions", str(folder / "questions.jsonl"), "--out", str(folder / "answers.jsonl"))
    return ["batch", *files, "--store", str(folder / "store"), "--videos", str(footage), *QUICK, *more]


def rows(folder: Path) -> Rows:
    """Return the answers without what they cost."""
    found: Rows = {}
    for line in (folder / "answers.jsonl").read_text().splitlines():
        row = json.loads(line)
        del row["spend"]
        assert (row["id"], row["video"]) not in found, "an answer is there twice"
        found[row["id"], row["video"]] = row
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, footage: Path, nano: Path) -> Path:
    """Return the folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("plain")
    assert main(ask(folder, footage)) == 0
    return folder


def test_every_question_has_its_answer_with_times_of_its_video(plain: Path) -> None:
    found = {name: row for (name, _), row in rows(plain).items()}
    assert found.keys() == {"car", "red", "zebra", "caps", "which", "all", "any"}
    assert found["zebra"]["abstained"] and not found["car"]["abstained"]
    assert found["which"]["option"] == "bottles" and sum(found["which"]["likelihoods"].values()) == pytest.approx(
        1, abs=1e-3
    )
    assert found["any"]["option"] == "a red car" and found["any"]["likelihoods"]["a zebra"] < 0.5
    assert found["all"]["answer"].startswith("car-detection: ")
    assert {c["video_id"] for c in found["all"]["citations"]} == {c["video_id"] for c in found["car"]["citations"]}
    assert not (plain / "errors.jsonl").exists()
    assert list((plain / "store" / "shards").iterdir()) == []


def test_a_batch_answers_what_ask_answers(plain: Path, footage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("car", "caps"):
        [(key, row)] = [(key, row) for key, row in rows(plain).items() if key[0] == name]
        assert main(["ask", key[1], row["question"], "--store", str(plain / "store"), "--json"]) == 0
        alone = json.loads(capsys.readouterr().out)
        assert (alone["answer"], alone["citations"]) == (row["answer"], row["citations"])


def test_the_same_command_again_does_nothing(plain: Path, footage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (plain / "answers.jsonl").read_bytes()
    assert main(ask(plain, footage, "--json", "--format", "csv")) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["answered"], told["earlier"], told["failed"]) == (0, 7, 0)
    assert (plain / "answers.jsonl").read_bytes() == before
    assert len((plain / "answers.csv").read_text().splitlines()) == 8


def test_a_dry_run_says_what_is_to_do_and_leaves_nothing(
    tmp_path: Path, footage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(ask(tmp_path, footage, "--dry-run", "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["answers"], told["videos"], told["videos_to_watch"], told["faults"]) == (7, 2, 2, [])
    assert 60 < told["seconds_to_watch"] < 80
    assert sorted(path.name for path in tmp_path.iterdir()) == ["questions.jsonl"]


def test_a_limit_on_tokens_gives_the_same_rows_again(plain: Path, tmp_path: Path, footage: Path) -> None:
    found = []
    for name in ("once", "again"):
        command = ask(tmp_path / name, footage, "--max-visual-tokens", "32", questions=QUESTIONS[:3])
        command[command.index("--store") + 1] = str(plain / "store")
        assert main(command) == 0
        found.append(rows(tmp_path / name))
    assert found[0] == found[1]


@pytest.mark.parametrize(("out", "more"), [("questions.jsonl", ()), ("questions.x", ("--format", "csv"))])
def test_no_file_of_the_user_is_replaced(
    tmp_path: Path, footage: Path, out: str, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ask(tmp_path, footage, *more)
    (tmp_path / "questions.csv").write_text("id,question\n1,When?\n")
    command[command.index("--out") + 1] = str(tmp_path / out)
    if more:
        command[command.index("--questions") + 1] = str(tmp_path / "questions.csv")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert main(command) == 2
    assert "would replace" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_kills_at_any_moment_change_no_row(plain: Path, tmp_path: Path, footage: Path) -> None:
    chance = random.Random(5)
    command = [sys.executable, "-m", "hicom_agent.cli", *ask(tmp_path, footage)]
    for _ in range(3):
        process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(3.0, 10.0))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL) if chance.random() < 0.5 else process.kill()
        process.wait()
    assert subprocess.run(command, check=True, capture_output=True).stdout
    assert rows(tmp_path) == rows(plain)


def test_faults_of_every_kind_are_named_once_and_the_rest_completes(
    plain: Path, tmp_path: Path, footage: Path, small_disk: Callable[[int], Path]
) -> None:
    drop = shutil.which("setpriv")
    if drop is None:
        pytest.skip("no setpriv to do without the rights of root")
    films = tmp_path / "films"
    (films / "locked").mkdir(parents=True)
    shutil.copy(footage / "car-detection.mp4", films)
    shutil.copy(footage / "bottle-detection.mp4", films)
    (films / "corrupt.mp4").write_bytes(random.Random(1).randbytes(200_000))
    disk = small_disk(3000)
    store = disk / "store"
    assert main(["index", str(films / "car-detection.mp4"), "--store", str(store), *QUICK]) == 0
    with suppress(OSError), (disk / "filler").open("wb") as file:
        for _ in range(3000):
            file.write(b"x" * 1024)
            file.flush()
    (films / "locked").chmod(0)
    questions = [*QUESTIONS[:4], {"id": "c", "question": "What is there?", "video": "corrupt.mp4"}]
    questions.append({"id": "m", "question": "What is there?", "video": "missing.mp4"})
    command = ask(tmp_path / "job", films, questions=questions)
    command[command.index("--store") + 1] = str(store)
    with (tmp_path / "job" / "questions.jsonl").open("a") as file:
        file.write("no question at all\n")
    caps = "--bounding-set=-dac_override,-dac_read_search"
    told = subprocess.run(
        [drop, caps, sys.executable, "-m", "hicom_agent.cli", *command], capture_output=True, text=True
    )
    assert told.returncode == 6, told.stderr
    assert {name for name, _ in rows(tmp_path / "job")} == {"car", "red", "zebra"}
    alone = {key: row["citations"] for key, row in rows(plain).items()}
    assert all(row["citations"] == alone[key] for key, row in rows(tmp_path / "job").items())
    errors = [json.loads(line) for line in (tmp_path / "job" / "errors.jsonl").read_text().splitlines()]
    named = [Path(error["name"]).name for error in errors]
    assert sorted(named) == ["bottle-detection.mp4", "corrupt.mp4", "line 7", "locked", "missing.mp4"], errors
    disk = next(error for error in errors if "bottle" in error["name"])
    assert "disk" in disk["reason"] and disk["ids"] == ["caps"]


@pytest.mark.parametrize(
    ("more", "told", "code"),
    [
        (("--questions", "none.jsonl"), "cannot read the questions", 2),
        (("--out", "/proc/none/answers.jsonl"), "cannot write", 3),
        (("--videos", "/no/such/folder/*.mp4"), "no video to ask", 2),
    ],
)
def test_what_cannot_begin_exits_as_every_command(
    tmp_path: Path, more: tuple[str, str], told: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ask(tmp_path, tmp_path, questions=[{"id": "1", "question": "When?"}])
    command[command.index(more[0]) + 1] = more[1]
    assert main(command) == code
    assert told in capsys.readouterr().err


def test_what_cannot_be_read_stays_named_until_it_opens(
    nano: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    films = tmp_path / "films"
    films.mkdir()
    make_video(films / "good.mp4")
    (films / "empty.mp4").touch()
    shutil.copy(films / "good.mp4", films / "cut.mp4")
    os.truncate(films / "cut.mp4", 4000)
    command = ask(tmp_path / "job", films, "--workers", "1", questions=[{"id": "all", "question": "When is it blue?"}])
    errors = tmp_path / "job" / "errors.jsonl"
    for tries in (1, 2, 3):
        assert main(command) == 6
        told = [json.loads(line) for line in errors.read_text().splitlines()]
        assert [(Path(row["name"]).name, row["tries"]) for row in told] == [("cut.mp4", tries), ("empty.mp4", tries)]
        assert main([*command, "--dry-run"]) == 6
    make_video(films / "empty.mp4", seed=1)
    (films / "cut.mp4").unlink()
    capsys.readouterr()
    assert main([*command, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["videos_to_watch"] == 1
    assert main(command) == 0 and not errors.exists()
    assert main(["show", "empty.mp4", "--store", str(tmp_path / "job" / "store")]) == 0
