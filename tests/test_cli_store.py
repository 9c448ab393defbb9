"""`hicom-agent store`: what is merged, measured and carried, and how a fault is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hicom_agent.cli import main
from hicom_agent.memory import Store
from hicom_agent.testing import make_record

A, B, C = "00000000000000aa", "00000000000000bb", "00000000000000cc"
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def shards(tmp_path: Path) -> list[str]:
    for name, marks in (("one", {A: 1, B: 2}), ("two", {C: 3})):
        with Store.open(tmp_path / name, write=True) as store:
            for video_id, mark in marks.items():
                store.commit(make_record(mark, video_id=video_id))
    return [str(tmp_path / "one"), str(tmp_path / "two")]


def told(capsys: Captured) -> str:
    """Return the one line that tells a fault."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("hicom-agent: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize("command", ["merge", "stats", "export", "import"])
def test_every_help_text_has_an_example(command: str, capsys: Captured) -> None:
    assert main(["store", command, "--help"]) == 0
    assert f"Example: hicom-agent store {command}" in capsys.readouterr().out


def test_stores_are_merged_with_a_line_for_each_video(shards: list[str], tmp_path: Path, capsys: Captured) -> None:
    into = ["--into", str(tmp_path / "all")]
    assert main(["store", "merge", *shards, *into]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [A, B, C] and all("  adopted  " in line for line in lines)
    assert main(["store", "merge", *shards, *into, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {row["state"] for row in report["videos"]} == {"there already"} and report["profiles"] == {"made-1": 3}
    assert main(["--store", str(tmp_path / "usual"), "store", "merge", shards[0]]) == 0
    assert (tmp_path / "usual" / A).is_dir()


def test_a_video_that_cannot_be_taken_is_named_and_the_rest_is_taken(
    shards: list[str], tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "one" / A / "gen-000001" / "thumbs.bin").write_bytes(b"")
    assert main(["store", "merge", *shards, "--into", str(tmp_path / "all")]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert ["  refused (" in line for line in lines] == [True, False, False]
    assert "thumbs.bin" in lines[0] and lines[0].endswith("one")


def test_a_source_that_is_no_store_makes_no_store(tmp_path: Path, capsys: Captured) -> None:
    assert main(["store", "merge", str(tmp_path / "nothing"), "--into", str(tmp_path / "all")]) == 2
    assert "nothing is no store" in told(capsys) and not (tmp_path / "all").exists()


def test_a_store_that_is_written_is_busy(shards: list[str], capsys: Captured) -> None:
    with Store.open(Path(shards[0]), write=True):
        assert main(["store", "merge", shards[1], "--into", shards[0]]) == 4
        assert "is being written" in told(capsys)
        assert main(["store", "merge", shards[0], "--into", shards[1]]) == 0, "reading it is no harm"


def test_stats_are_for_people_and_for_programs(shards: list[str], tmp_path: Path, capsys: Captured) -> None:
    assert main(["store", "stats", "--store", shards[0]]) == 0
    assert "videos    2, " in capsys.readouterr().out
    assert main(["store", "stats", "--json", "--store", shards[0]]) == 0
    assert json.loads(capsys.readouterr().out)["clips"] == 8
    assert main(["store", "stats", "--store", str(tmp_path / "nothing")]) == 0
    assert "videos    0, " in capsys.readouterr().out


def test_what_is_exported_comes_in_elsewhere(shards: list[str], tmp_path: Path, capsys: Captured) -> None:
    file, new = str(tmp_path / "films.tar"), str(tmp_path / "new")
    assert main(["store", "export", "cut 2", A, "--to", file, "--store", shards[0]]) == 0
    assert capsys.readouterr().out.startswith("2 videos, ")
    assert main(["store", "import", file, "--store", new]) == 0
    assert capsys.readouterr().out.count("  adopted  ") == 2
    assert main(["store", "import", file, "--store", new, "--json"]) == 0
    assert {row["state"] for row in json.loads(capsys.readouterr().out)["videos"]} == {"there already"}
    assert main(["store", "export", "--all", "--to", file, "--store", shards[0]]) == 2
    assert "is there already" in told(capsys)


@pytest.mark.parametrize("videos", [[], ["--all", A], ["film of nobody"]])
def test_what_to_export_is_said_in_one_way(
    videos: list[str], shards: list[str], tmp_path: Path, capsys: Captured
) -> None:
    assert main(["store", "export", *videos, "--to", str(tmp_path / "x.tar"), "--store", shards[0]]) == 2
    assert told(capsys) and not (tmp_path / "x.tar").exists()


def test_a_file_that_is_no_export_is_refused_in_one_line(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "film.tar").write_bytes(b"text" * 1000)
    assert main(["store", "import", str(tmp_path / "film.tar"), "--store", str(tmp_path / "new")]) == 2
    assert "film.tar" in told(capsys)
    assert main(["store", "import", str(tmp_path / "nothing.tar"), "--store", str(tmp_path / "new")]) == 2
    assert "nothing.tar is no file" in told(capsys)
