"""The command line: what a person or a program sees, and what bad input gives."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hicom_agent.cli import main
from hicom_agent.testing import make_video

COMMANDS = [
    "index",
    "ask",
    "search",
    "list",
    "show",
    "frames",
    "forget",
    "models",
    "store",
    "batch",
    "data",
    "train",
    "eval",
    "doctor",
]
FOLDERS = {"models": "pull", "data": "build"}  # commands with commands below them, and one of these


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.mark.parametrize(
    "command",
    [*([name] for name in COMMANDS if name not in ("models", "store", "data")), ["models", "pull"], ["data", "build"]],
)
def test_every_help_text_has_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == 0
    assert f"Example: hicom-agent {' '.join(command)}" in capsys.readouterr().out


def test_the_readme_names_every_command() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert all(f"`hicom-agent {name}" in readme for name in COMMANDS)


@pytest.mark.parametrize("script", ["quality_table.py", "scale_table.py", "claim_table.py"])
def test_documents_say_what_was_measured(script: str) -> None:
    command = [sys.executable, str(Path(__file__).parents[1] / "benchmarks" / script), "--check"]
    assert subprocess.run(command).returncode == 0, f"run benchmarks/{script}"


def test_the_examples_of_the_readme_are_options_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    section = readme.partition("## An archive")[2].partition("```console\n")[2].partition("```")[0]
    assert "ask --archive" in section and "search" in section
    for line in section.splitlines():
        _, _, command, *rest = shlex.split(line)
        assert main([command, "--help"]) == 0
        shown = capsys.readouterr().out
        assert all(word in shown for word in rest if word.startswith("--"))


def test_an_unknown_option_is_the_users_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--colour"]) == 2
    assert "--colour" in capsys.readouterr().err


def test_the_store_may_be_named_before_or_after_the_command(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", str(store), "list", "--json"]) == main(["list", "--json", "--store", str(store)]) == 0
    assert capsys.readouterr().out == "[]\n[]\n"
    assert not store.exists()


def fails(arguments: list[str], capsys: pytest.CaptureFixture[str], expected: int = 2) -> str:
    """Run a command that must fail with one line, and return the line."""
    assert main(arguments) == expected
    seen = capsys.readouterr()
    assert seen.out == ""
    lines = [line for line in seen.err.splitlines() if line.startswith("hicom-agent:")]
    assert len(lines) == 1 and "Traceback" not in seen.err
    return lines[0]


def test_a_missing_path_is_named(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing.mp4" in fails(["index", "nothing.mp4", "--store", str(store)], capsys)
    assert not store.exists()


def test_a_folder_without_videos_is_named(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert "has no videos" in fails(["index", str(tmp_path / "empty"), "--store", str(store)], capsys)


def test_a_glob_without_matches_is_named(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no video matches" in fails(["index", str(tmp_path / "*.mp4"), "--store", str(store)], capsys)


def _text(path: Path) -> None:
    path.write_text("this is no video\n" * 50)


def _playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")


def _concat(path: Path) -> None:
    path.write_text("ffconcat version 1.0\nfile /etc/hostname\n")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def _truncated(path: Path) -> None:
    make_video(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


@pytest.mark.parametrize("make", [_text, _playlist, _concat, _empty, _fifo, _device, _socket])
def test_what_is_no_video_is_refused_in_one_line(
    make: object, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "film.mp4"
    make(path)  # type: ignore[operator]
    assert "film.mp4" in fails(["index", str(path), "--store", str(store)], capsys)
    assert not store.exists()


def test_a_link_out_of_the_root_is_refused(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, outside = tmp_path / "videos", tmp_path / "videos-private"
    root.mkdir()
    outside.mkdir()
    make_video(outside / "film.mp4")
    (root / "film.mp4").symlink_to(outside / "film.mp4")
    monkeypatch.setenv("HICOM_AGENT_ROOTS", str(root))
    assert "film.mp4" in fails(["index", str(root / "film.mp4"), "--store", str(store)], capsys)
    assert "film.mp4" in fails(["index", str(outside / "film.mp4"), "--store", str(store)], capsys)
    assert not store.exists()


def test_an_empty_question_is_refused(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "question is empty" in fails(["ask", "film.mp4", "  ", "--store", str(store)], capsys)


def test_an_overlong_question_is_refused(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "at most" in fails(["ask", "film.mp4", "x" * 5000, "--store", str(store)], capsys)


def test_an_unknown_video_is_named_with_what_to_do(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "hicom-agent index" in fails(["ask", "film", "what is said?", "--store", str(store)], capsys)
    assert "no indexed video" in fails(["forget", "film", "--store", str(store)], capsys)


def test_models_can_be_listed_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"lite0", "minilm", "whisper-base", "smollm2"} <= {row["name"] for row in rows}
    assert all(row["licence"] for row in rows)


def test_an_unknown_model_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "lite0" in fails(["models", "pull", "gpt-9"], capsys)


def test_a_store_that_is_a_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x")
    assert str(tmp_path / "file") in fails(["list", "--store", str(tmp_path / "file")], capsys, 3)


def test_an_archive_is_asked_with_the_question_alone(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--store", str(store)]
    assert "give only the question" in fails(["ask", "--archive", "film.mp4", "what is said?", *where], capsys)
    assert "give only the question" in fails(["ask", "--archive", *where], capsys)
    assert "give a video and a question" in fails(["ask", "what is said?", *where], capsys)
    assert "use them with --archive" in fails(["ask", "a.mp4", "what?", "--language", "en", *where], capsys)
    assert "question is empty" in fails(["ask", "--archive", " ", *where], capsys)
    assert "no indexed videos" in fails(["ask", "--archive", "what is said?", *where], capsys)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--indexed-after", "soon"], "'soon' is no day"),
        (["--min-duration", "an hour"], "'an hour' is not a time"),
        (["--folder", "/nowhere"], "no indexed video is of this folder"),
        (["--language", "tlh", "--max-duration", "1:00"], "no indexed video is of this folder"),
        (["--indexed-before", "2001-01-01"], "no indexed video is of this folder"),
    ],
)
def test_filters_that_leave_nothing_or_mean_nothing_are_named(
    options: list[str], told: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from hicom_agent.memory import Store
    from hicom_agent.testing import make_record

    with Store.open(store, write=True) as opened:
        opened.commit(make_record(1))
    assert told in fails(["search", "a dog", *options, "--store", str(store)], capsys)
    assert told in fails(["ask", "--archive", "a dog?", *options, "--store", str(store)], capsys)


def test_an_empty_store_has_no_hits(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "a dog", "--json", "--store", str(store)]) == 0
    assert capsys.readouterr().out == "[]\n"


def commands() -> list[list[str]]:
    """Return the words of every command, those below others too."""
    import typer

    from hicom_agent.cli import app

    def below(command: Any, words: list[str]) -> list[list[str]]:
        inner = getattr(command, "commands", None)
        return [words] if inner is None else [w for name, c in inner.items() for w in below(c, [*words, name])]

    return below(typer.main.get_command(app), [])


def test_the_readme_says_which_commands_take_store_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, list[str]] = {"--store": [], "--json": []}
    for words in commands():
        assert main([*words, "-h"]) == 0
        shown = capsys.readouterr().out
        for option, without in found.items():
            without += [] if option in shown else [" ".join(words)]
    assert {words.split()[0] for words in found["--store"]} == {"models", "data", "train"}
    assert set(found["--json"]) == {"mcp", "models pull", "models verify"}


def test_files_that_failed_are_in_the_json_of_index(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.mp4").touch()
    files = [str(tmp_path / "empty.mp4"), str(tmp_path / "gone.mp4")]
    assert main(["index", *files, "--json", "--store", str(store)]) == 2
    seen = capsys.readouterr()
    rows = [json.loads(line) for line in seen.out.splitlines()]
    assert [row["path"] for row in rows] == files and seen.err.count("hicom-agent: ") == 2
    assert "is empty" in rows[0]["error"] and "does not exist" in rows[1]["error"]


def test_models_that_were_hashed_are_called_verified(nano: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", "minilm"]) == 0
    assert capsys.readouterr().out == "minilm  verified\n"
