"""A run that was interrupted resumes, loses the segment in work at most, and ends with the same index."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from hicom_agent.build import Workspace
from hicom_agent.errors import InputError
from hicom_agent.settings import load_settings
from hicom_agent.testing import make_video
from hicom_agent.tools import index_video
from hicom_agent.types import Progress

pytestmark = [pytest.mark.weights]
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _models(nano: Path) -> None:
    """Skip where the packaged models were never pulled."""


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def soak() -> Any:
    return load("soak")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("films") / "film.mp4", seconds=125, fps=5, sound=True)


class Interrupted(Exception):
    """What stops a run in these tests."""


def stop_after(segments: int) -> Any:
    """Return a listener that interrupts when so many segments are saved."""
    seen = [0]

    def listen(progress: Progress) -> None:
        seen[0] += progress.stage == "watching"
        if seen[0] == segments:
            raise Interrupted

    return listen


def test_an_interrupted_run_resumes_to_the_same_index(film: Path, tmp_path: Path, soak: Any) -> None:
    whole = Workspace(load_settings({"store": tmp_path / "whole", "ocr": False}))
    assert index_video(whole, film).state == "indexed"
    for _ in range(2):
        broken = Workspace(load_settings({"store": tmp_path / "broken", "ocr": False}), stop_after(1))
        broken.__dict__["encoder"] = whole.encoder
        with pytest.raises(Interrupted):
            index_video(broken, film)
        assert soak.contents(tmp_path / "broken") == {}
    seen: list[Progress] = []
    again = Workspace(load_settings({"store": tmp_path / "broken", "ocr": False}), seen.append)
    again.__dict__["encoder"] = whole.encoder
    assert index_video(again, film).state == "resumed"
    assert sum(progress.stage == "watching" for progress in seen) == 1, "two of three segments were done"
    assert soak.contents(tmp_path / "broken") == soak.contents(tmp_path / "whole")


def test_a_file_that_changes_while_it_is_watched_is_not_remembered(film: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(film.read_bytes())

    def touch(progress: Progress) -> None:
        if progress.stage == "watching":
            with copy.open("ab") as file:
                file.write(b"more")

    work = Workspace(load_settings({"store": tmp_path / "store", "ocr": False, "speech": False}), touch)
    with pytest.raises(InputError, match="changed while"):
        index_video(work, copy)
    with work.store() as store:
        assert store.videos() == []


@pytest.mark.slow
def test_the_indexer_survives_kills(soak: Any, tmp_path: Path) -> None:
    tally = load("soak_indexer").soak_indexer(3, 3, tmp_path, soak, film_s=75)
    assert tally.bad == [] and tally.kills == 3
