"""A file that holds another film than the one that was indexed: nothing is answered from the old one in silence."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hicom_agent.cli import main
from hicom_agent.langchain_tools import HicomToolkit
from hicom_agent.testing import make_video

pytestmark = [pytest.mark.weights]
Captured = pytest.CaptureFixture[str]
QUESTION = "what is shown?"


@pytest.fixture(scope="module")
def made(nano: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two films and a store that remembers the first of them as talk.mp4."""
    folder = tmp_path_factory.mktemp("films")
    make_video(folder / "old.mp4", seed=1)
    make_video(folder / "new.mp4", seconds=6, seed=2)
    shutil.copy2(folder / "old.mp4", folder / "talk.mp4")
    index(folder)
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give that folder as the working folder, and put back what a test changes in it."""
    backup = tmp_path / "backup"
    shutil.copytree(made, backup, copy_function=shutil.copy2)
    monkeypatch.chdir(made)
    yield made
    shutil.rmtree(made / "store")
    shutil.copytree(backup / "store", made / "store")
    shutil.copy2(backup / "talk.mp4", made / "talk.mp4")


def index(folder: Path) -> None:
    options = ["--no-speech", "--no-ocr", "--store", str(folder / "store")]
    assert main(["index", str(folder / "talk.mp4"), *options]) == 0


def run(capsys: Captured, *arguments: str, code: int = 0) -> tuple[Any, str]:
    """Return what a command prints as JSON, and its messages."""
    capsys.readouterr()
    assert main([*arguments, "--json", "--store", "store"]) == code
    seen = capsys.readouterr()
    return json.loads(seen.out) if seen.out else None, seen.err


def warned(told: Any, err: str) -> bool:
    """Return whether the result and the messages warn, both or neither."""
    lines = [line for line in err.splitlines() if line.startswith("hicom-agent: warning:")]
    assert len(lines) == bool(told) and all("run: hicom-agent index /" in line for line in lines)
    return bool(told)


def ask_all(capsys: Captured, name: str) -> list[bool]:
    """Return whether each command that reads a video by name warns."""
    found = []
    told, err = run(capsys, "ask", name, QUESTION)
    found.append(warned(told["warning"], err))
    told, err = run(capsys, "show", name)
    found.append(warned(told["warning"], err))
    told, err = run(capsys, "frames", name, "--at", "1", "--out", "pictures")
    found.append(warned(told[0].get("warning"), err))
    _, err = run(capsys, "search", "a pattern", "--video", name)
    found.append("hicom-agent: warning:" in err)
    return found


def test_the_same_file_warns_of_nothing(here: Path, capsys: Captured) -> None:
    assert ask_all(capsys, "talk.mp4") == ask_all(capsys, "talk") == [False] * 4
    os.utime("talk.mp4")  # touched: it is read to see that it is the same
    shutil.copy("talk.mp4", "copy of talk.mp4")
    assert ask_all(capsys, str(here / "talk.mp4")) == [False] * 4
    assert run(capsys, "frames", "talk.mp4", "--at", "1", "--full", "--out", "pictures")[0]


def test_another_film_in_its_place_is_told_of(here: Path, capsys: Captured) -> None:
    shutil.copy("new.mp4", "talk.mp4")
    assert ask_all(capsys, "talk.mp4") == ask_all(capsys, "talk") == [True] * 4
    video_id = run(capsys, "list")[0][0]["video_id"]
    assert ask_all(capsys, video_id) == [False] * 4
    for name in ("talk.mp4", video_id):
        told, err = run(capsys, "frames", name, "--at", "1", "--full", code=2)
        assert told is None and "would show another film" in err


def test_another_film_of_the_same_size_is_told_of(here: Path, capsys: Captured) -> None:
    data = bytearray((here / "talk.mp4").read_bytes())
    data[-1] ^= 1
    (here / "talk.mp4").write_bytes(data)
    assert ask_all(capsys, "talk.mp4") == [True] * 4


def test_what_was_indexed_last_has_the_path_and_the_title(here: Path, capsys: Captured) -> None:
    (old,) = run(capsys, "list")[0]
    shutil.copy("new.mp4", "talk.mp4")
    index(here)
    rows = run(capsys, "list")[0]
    (new,) = [row for row in rows if not row["replaced"]]
    assert [row["video_id"] for row in rows if row["replaced"]] == [old["video_id"]] and len(rows) == 2
    for name in ("talk.mp4", "talk", "tal"):
        assert run(capsys, "show", name)[0]["video"]["video_id"] == new["video_id"]
        assert ask_all(capsys, name) == [False] * 4
    assert run(capsys, "show", old["video_id"])[0]["video"]["title"] == "talk"
    assert main(["list", "--store", "store"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.endswith("(replaced)") for line in lines) == [False, True]
    shutil.copy("old.mp4", "talk.mp4")
    index(here)  # nothing to do, but that the path is its own again
    assert run(capsys, "show", "talk")[0]["video"]["video_id"] == old["video_id"]
    assert {row["video_id"] for row in run(capsys, "list")[0] if row["replaced"]} == {new["video_id"]}


def test_a_store_of_an_older_version_goes_on_working(here: Path, capsys: Captured) -> None:
    with sqlite3.connect("store/catalog.sqlite") as db:
        db.execute("DROP TABLE files")
    db.close()
    assert ask_all(capsys, "talk.mp4") == [False] * 4
    shutil.copy("new.mp4", "talk.mp4")
    assert ask_all(capsys, "talk.mp4") == [True] * 4
    index(here)
    assert [row["replaced"] for row in run(capsys, "list")[0]].count(True) == 1
    assert ask_all(capsys, "talk.mp4") == [False] * 4


def test_a_merged_store_knows_the_files_too(here: Path, capsys: Captured) -> None:
    assert main(["store", "merge", "store", "--into", "other"]) == 0
    shutil.rmtree("store")
    (here / "other").rename("store")
    os.utime("talk.mp4", (1, 1))
    assert ask_all(capsys, "talk.mp4") == [False] * 4
    shutil.copy("new.mp4", "talk.mp4")
    assert ask_all(capsys, "talk.mp4") == [True] * 4


def test_agents_are_told_the_same(here: Path) -> None:
    tools = {tool.name: tool for tool in HicomToolkit(store=str(here / "store"), profile="nano").get_tools()}
    calls: dict[str, dict[str, Any]] = {
        "ask_video": {"video": "talk.mp4", "question": QUESTION},
        "search_videos": {"query": "a pattern", "videos": ["talk.mp4"]},
        "get_frames": {"video": "talk.mp4", "times": ["1"]},
    }
    for expected in (False, True):
        for name, arguments in calls.items():
            told = str(tools[name].invoke(arguments))
            assert ("run: hicom-agent index" in told) == expected, (name, told)
        shutil.copy("new.mp4", "talk.mp4")
