"""What many tests share: real footage, real weights, made videos."""

from __future__ import annotations

from pathlib import Path

import pytest

from hicom_agent.settings import load_settings


@pytest.fixture(scope="session")
def footage() -> Path:
    """Return the folder of real footage beside the checkout, or skip."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "videos"
    if not (folder / "car-detection.mp4").is_file():
        pytest.skip("no real footage beside the checkout")
    return folder


@pytest.fixture(scope="session")
def cache() -> Path:
    """Return the folder of packaged models; a test that needs one skips if it was never pulled."""
    return load_settings().cache
