"""Folders of benchmarks and a small model, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from hicom_agent.testing import make_checkpoint, make_video
from tests.evaluation.made import MAKERS


@pytest.fixture(scope="session")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a folder of each benchmark; they share one film of three seconds."""
    root = tmp_path_factory.mktemp("benchmarks")
    film = make_video(root / "film.mp4", seconds=3.0, fps=10)
    return {name: make(root / name, film) for name, make in MAKERS.items()}


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small model, whose answers are noise."""
    return make_checkpoint(tmp_path_factory.mktemp("weights"), 5)
