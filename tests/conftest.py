"""What many tests share: real footage, real weights, made videos."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hicom_agent.models import status
from hicom_agent.settings import load_settings

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# what takes longest is begun first, so that no process waits for the last file of another
LONGEST = (
    "test_mcp.py",
    "archive/test_batch.py",
    "evaluation/test_modes.py",
    "evaluation/test_readme.py",
    "test_mixed_film.py",
    "examples/test_mixed.py",
    "test_end_to_end.py",
    "training/test_run.py",
    "test_langchain_tools.py",
    "training/test_readme.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first."""
    here = Path(__file__).resolve().parent
    places = {here / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session", autouse=True)
def _models_are_loaded_once() -> Iterator[None]:
    """Let all tests of a process share the packaged models: the same weights with the same settings are read once."""
    from hicom_agent import speech
    from hicom_agent.encode import nano
    from hicom_agent.llm import reranker, text

    with pytest.MonkeyPatch.context() as patch:
        packaged = ((nano, "NanoEncoder"), (text, "SmallTextModel"), (speech, "Transcriber"), (reranker, "Reranker"))
        for module, name in packaged:
            patch.setattr(module, name, functools.cache(getattr(module, name)))
        yield


@pytest.fixture(scope="session")
def footage() -> Path:
    """Return the folder of real footage beside the checkout, or skip."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "videos"
    if not (folder / "car-detection.mp4").is_file():
        pytest.skip("no real footage beside the checkout")
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Give what mounts a disk of so many kB and returns its folder, or skips."""
    folder = tmp_path / "disk"

    def mount(size_kb: int) -> Path:
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no right to mount a small disk")
        return folder

    try:
        yield mount
    finally:
        if folder.is_mount():
            subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="session")
def cache() -> Path:
    """Return the folder of packaged models; a test that needs one skips if it was never pulled."""
    return load_settings().cache


@pytest.fixture(scope="session")
def nano(cache: Path) -> Path:
    """Return the folder of packaged models; skip where one of profile nano was never pulled."""
    rows = [model for model in status(cache) if model.profile == "nano"]
    if missing := [model.name for model in rows if model.state not in ("present", "local")]:
        pytest.skip(f"models not here: {', '.join(missing)}; run: hicom-agent models pull")
    return cache
