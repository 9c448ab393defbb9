"""A store of two made videos."""

from __future__ import annotations

from pathlib import Path

import pytest

from hicom_agent.memory import Store
from hicom_agent.testing import make_record


@pytest.fixture
def root(tmp_path: Path) -> Path:
    with Store.open(tmp_path / "store", write=True) as store:
        store.commit(make_record(1))
        store.commit(make_record(2, video_id="00000000000000bb"))
    return tmp_path / "store"
