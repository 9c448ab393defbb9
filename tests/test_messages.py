"""What a newcomer's mistakes are told: what is wrong, and what to do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hicom_agent.cli import main
from hicom_agent.testing import make_video

Captured = pytest.CaptureFixture[str]


def told(capsys: Captured, *command: str, code: int = 2) -> str:
    """Return what a command says on standard error."""
    assert main(list(command)) == code
    return capsys.readouterr().err


def test_a_film_that_was_cut_off_is_told_as_such(tmp_path: Path, capsys: Captured) -> None:
    film = make_video(tmp_path / "film.mp4")
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    assert "cut off while it was copied or recorded" in told(capsys, "index", str(film), "--store", str(tmp_path / "s"))


def test_a_file_with_a_dash_is_hinted_at(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-dash.mp4").touch()
    assert "write './-dash.mp4'" in told(capsys, "index", "-dash.mp4")
    assert "./" not in told(capsys, "index", "-other.mp4")


def test_a_glob_that_matches_nothing_is_told_as_such(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "q.jsonl").write_text('{"id": "1", "question": "When?"}\n')
    job = ["batch", "--questions", str(tmp_path / "q.jsonl"), "--out", str(tmp_path / "a.jsonl")]
    said = told(capsys, *job, "--videos", "/nowhere/*", "--store", str(tmp_path / "s"))
    assert "/nowhere/*: nothing is there that matches" in said and "quote" not in said
    said = told(capsys, "index", "/nowhere/*", "--store", str(tmp_path / "s"))
    assert "no video matches '/nowhere/*'" in said and "quote" not in said


def test_a_csv_with_semicolons_is_told_the_columns_and_the_comma(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "q.csv").write_text("id;question\n1;When?\n")
    job = ["batch", "--questions", str(tmp_path / "q.csv"), "--out", str(tmp_path / "a.jsonl")]
    said = told(capsys, *job, "--store", str(tmp_path / "s"))
    assert "id,question,video,options, with commas" in said and "{" not in said


def test_a_store_on_a_read_only_disk_is_told_as_such(
    small_disk: Callable[[int], Path], nano: Path, tmp_path: Path, capsys: Captured
) -> None:
    film, disk = make_video(tmp_path / "film.mp4"), small_disk(4000)
    assert main(["index", str(film), "--no-speech", "--no-ocr", "--store", str(disk / "store")]) == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for store in ("store", "new"):
        said = told(capsys, "index", str(film), "--no-speech", "--no-ocr", "--store", str(disk / store), code=3)
        assert "mounted read-only" in said and "free space" not in said


@pytest.mark.parametrize("command", [["search", "a dog"], ["list"], ["doctor"], ["store", "stats"]])
def test_a_store_that_is_not_there_is_told_of(command: list[str], tmp_path: Path, capsys: Captured) -> None:
    said = told(capsys, *command, "--store", str(tmp_path / "typo"), code=0)
    assert f"there is no store at {tmp_path / 'typo'}" in said and "yet" not in said and "nothing found" not in said
    assert not (tmp_path / "typo").exists()
