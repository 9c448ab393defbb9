"""What a run has finished is there for the next one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hicom_agent.errors import StoreCorrupt
from hicom_agent.memory import Store
from hicom_agent.testing import make_record

A = "00000000000000aa"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path, write=True) as opened:
        yield opened


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "staging" / A).iterdir())


def test_a_saved_segment_is_loaded_with_its_types_and_shapes(store: Store, tmp_path: Path) -> None:
    arrays: dict[str, NDArray[Any]] = {
        "pixels": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "half": np.ones((1, 2), np.float16),
        "one": np.array(7, np.int64),
        "none": np.zeros((0, 5), np.float64),
        "yes": np.array([True, False]),
    }
    meta = {"words": ["é", '"'], "number": 1.5, "nothing": None, "deep": [[1], {"a": "b"}]}
    journal = store.journal(A, "made-1", "x")
    journal.save("pictures", 3, arrays, meta)
    journal.save("pictures", -1, {}, {})  # an entry for the stage as a whole
    for again in (journal, store.journal(A, "made-1", "x")):
        loaded, said = again.load("pictures", 3)
        assert said == meta and loaded.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(loaded[name], array)
            assert loaded[name].dtype == array.dtype and loaded[name].shape == array.shape
        assert again.done("pictures") == {3, -1} and again.done("sound") == set()
        assert again.load("pictures", -1) == ({}, {})
    with pytest.raises(KeyError):
        journal.load("pictures", 4)


def test_other_settings_begin_afresh(store: Store, tmp_path: Path) -> None:
    store.journal(A, "made-1", "x").save("pictures", 0, {}, 1)
    for profile, key in (("made-1", "y"), ("made-2", "y")):
        journal = store.journal(A, profile, key)
        assert journal.done("pictures") == set() and files(tmp_path) == []
        journal.save("pictures", 0, {}, 2)


def test_a_damaged_segment_is_dropped_and_not_done(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = store.journal(A, "made-1", "x")
    for index in range(3):
        journal.save("pictures", index, {"pixels": np.full(100, index)}, None)
    first, second, _ = (tmp_path / "staging" / A / name for name in files(tmp_path))
    first.unlink()
    data = bytearray(second.read_bytes())
    data[-1] ^= 1
    second.write_bytes(data)
    with pytest.raises(StoreCorrupt, match="segment pictures 1 .* is damaged; index the video again"):
        journal.load("pictures", 1)
    assert journal.done("pictures") == {0, 2}
    with caplog.at_level(logging.WARNING):
        assert store.journal(A, "made-1", "x").done("pictures") == {2}
    assert "segment pictures 0" in caplog.text
    assert len(files(tmp_path)) == 1


def test_a_segment_saved_twice_has_the_second_result_and_one_file(store: Store, tmp_path: Path) -> None:
    journal = store.journal(A, "made-1", "x")
    journal.save("pictures", 0, {"pixels": np.zeros(3)}, "first")
    journal.save("pictures", 0, {"pixels": np.ones(3)}, "second")
    assert journal.load("pictures", 0)[1] == "second" and len(files(tmp_path)) == 1


def test_files_that_were_never_acknowledged_are_removed(store: Store, tmp_path: Path) -> None:
    store.journal(A, "made-1", "x").save("pictures", 0, {}, 1)
    (tmp_path / "staging" / A / "pictures-000001-0000000000000000.safetensors").write_bytes(b"half")
    (tmp_path / "staging" / A / ".pictures.123.tmp").write_bytes(b"half")
    assert store.journal(A, "made-1", "x").done("pictures") == {0} and len(files(tmp_path)) == 1


def test_objects_and_odd_names_are_refused(store: Store) -> None:
    journal = store.journal(A, "made-1", "x")
    with pytest.raises(ValueError, match="arrays of objects"):
        journal.save("pictures", 0, {"x": np.array([{}])}, None)
    for stage in ("../x", "", "Pictures", "x" * 33):
        with pytest.raises(ValueError, match="small letters"):
            journal.save(stage, 0, {}, None)
    with pytest.raises(ValueError, match="16 hex"):
        store.journal("../../tmp", "made-1", "x")


def test_many_threads_save_at_once(store: Store) -> None:
    journal = store.journal(A, "made-1", "x")

    def save(stage: str) -> None:
        for index in range(10):
            journal.save(stage, index, {"x": np.full(10, index)}, stage)

    threads = [threading.Thread(target=save, args=(stage,)) for stage in ("pictures", "sound", "texts")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = store.journal(A, "made-1", "x")
    assert [again.done(stage) for stage in ("pictures", "sound", "texts")] == [set(range(10))] * 3


def test_a_commit_ends_the_journal(store: Store, tmp_path: Path) -> None:
    store.journal(A, "made-1", "x").save("pictures", 0, {}, 1)
    store.commit(make_record(1))
    assert not (tmp_path / "staging" / A).exists()
    assert store.journal(A, "made-1", "x").done("pictures") == set()


def test_a_run_nobody_came_back_to_is_removed_after_two_weeks(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.journal(A, "made-1", "x").save("pictures", 0, {}, 1)
    store.close()
    days = 86400.0
    for age_s, left in ((13 * days, {0}), (15 * days, set())):
        now = time.time() + age_s
        monkeypatch.setattr("hicom_agent.memory.recovery.time.time", lambda now=now: now)
        with Store.open(tmp_path, write=True):
            assert (tmp_path / "staging" / A).exists() == bool(left)
