"""One encoder for all tests of the room: loading it takes seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from hicom_agent.encode import NanoEncoder
from hicom_agent.errors import ModelMissing
from hicom_agent.models import ensure


@pytest.fixture(scope="session")
def encoder(cache: Path) -> NanoEncoder:
    """Return the encoder from the packaged models, or skip where they were never pulled."""
    try:
        lite0, minilm, labels = (ensure(name, cache, offline=True) for name in ("lite0", "minilm", "imagenet-labels"))
    except ModelMissing as error:
        pytest.skip(str(error))
    return NanoEncoder(lite0 / "efficientnet-lite0.pth", minilm, labels, threads=2)
