"""The same rows on Ray, whatever happens to its actors."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("ray")

QUESTIONS: list[dict[str, Any]] = [
    {"id": "car", "question": "When does a car drive through?", "video": "car-detection.mp4"},
    {"id": "zebra", "question": "Is there a zebra?", "video": "car-detection.mp4"},
    {"id": "gone", "question": "What is there?", "video": "corrupt.mp4"},
]


def command(folder: Path, footage: Path, *more: str) -> list[str]:
    folder.mkdir()
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in QUESTIONS))
    (folder / "corrupt.mp4").write_bytes(b"no video" * 1000)
    files = ("--questions", str(folder / "questions.jsonl"), "--out", str(folder / "answers.jsonl"))
    videos = ("--videos", str(footage / "car-detection.mp4"), "--videos", str(folder / "corrupt.mp4"))
    told = ("--store", str(folder / "store"), "--no-speech", "--no-ocr", "--json", *more)
    return [sys.executable, "-m", "hicom_agent.cli", "batch", *files, *videos, *told]


def rows(folder: Path) -> list[dict[str, Any]]:
    """Return the answers by id, without what they cost."""
    found = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    for row in found:
        del row["spend"]
    return sorted(found, key=lambda row: str(row["id"]))


def actor(stage: str, process: subprocess.Popen[bytes]) -> psutil.Process:
    """Return the process of an actor, when it is there."""
    while process.poll() is None:
        for each in psutil.process_iter(["cmdline"]):
            line = " ".join(each.info["cmdline"] or ())
            if line.startswith("ray::") and stage in line:
                return each
        time.sleep(0.1)
    raise AssertionError(f"the run ended before an actor of {stage} was seen")


@pytest.mark.slow
def test_rows_are_those_of_one_machine_and_a_killed_actor_loses_nothing(
    tmp_path: Path, footage: Path, nano: Path
) -> None:
    alone = subprocess.run(command(tmp_path / "alone", footage), capture_output=True)
    assert alone.returncode == 6, alone.stderr
    on_ray = subprocess.Popen(
        command(tmp_path / "ray", footage, "--ray", "local"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(1.0)
    actor("Watching", on_ray).kill()
    out, errors = on_ray.communicate()
    assert on_ray.returncode == 6, errors
    told = json.loads(out)
    assert (told["answered"], told["failed"]) == (2, 1)
    assert [Path(error["name"]).name for error in told["errors"]] == ["corrupt.mp4"]
    assert rows(tmp_path / "ray") == rows(tmp_path / "alone")
    assert list((tmp_path / "ray" / "store" / "shards").iterdir()) == []


def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path, footage: Path) -> None:
    told = subprocess.run(
        command(tmp_path / "none", footage, "--ray", "127.0.0.1:1"), capture_output=True, text=True, timeout=120
    )
    assert told.returncode == 3
    assert "no Ray cluster at 127.0.0.1:1" in told.stderr and "Traceback" not in told.stderr
