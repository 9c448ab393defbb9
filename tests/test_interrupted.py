"""Ctrl-C: what is told, and what is known of a video that was begun."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hicom_agent.cli import main
from hicom_agent.testing import make_video

pytestmark = [pytest.mark.weights, pytest.mark.slow]
TOLD = "hicom-agent: interrupted; the same command goes on from there"


def heed_interrupts() -> None:
    """Undo what a shell does to commands in its background: they, and what they start, do not hear Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt(command: list[str], when: str) -> str:
    """Run a command, press Ctrl-C once its messages hold `when`, and return its messages."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hicom_agent", *command],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        told.append(line)
        if when in line:
            time.sleep(0.3)
            os.killpg(process.pid, signal.SIGINT)
            break
    told.append(process.stderr.read())
    assert process.wait(60) == 130, "".join(told)
    process.stderr.close()
    return "".join(told)


@pytest.fixture(scope="module")
def film(nano: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("films") / "long talk.mp4", seconds=600, fps=5)


def test_an_interrupted_index_says_that_it_goes_on_and_is_named(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--store", str(tmp_path / "store")]
    told = interrupt(["index", str(film), "--no-speech", "--no-ocr", *where], "watching")
    assert TOLD in told and "Traceback" not in told
    assert main(["list", *where]) == 0
    assert f"begun and not finished: {film}" in capsys.readouterr().err
    assert main(["list", "--json", *where]) == 0
    seen = capsys.readouterr()
    assert json.loads(seen.out) == [] and str(film) in seen.err and "no videos yet" not in seen.err
    assert main(["show", "talk", *where]) == main(["ask", "--archive", "what is said?", *where]) == 2
    told = capsys.readouterr().err
    assert told.count(str(film)) == 2 and "is empty" not in told


def test_an_interrupted_batch_says_that_it_goes_on(film: Path, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"id": "1", "question": "When is it blue?"}\n')
    files = ["--questions", str(tmp_path / "q.jsonl"), "--out", str(tmp_path / "a.jsonl"), "--videos", str(film)]
    more = ["--no-speech", "--no-ocr", "--workers", "1", "--store", str(tmp_path / "store")]
    told = interrupt(["batch", *files, *more], "watching")
    assert told.count(TOLD) == 1 and "Traceback" not in told
