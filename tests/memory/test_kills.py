"""A store survives what kills its writer; the same killer breaks files that are written in place."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from hicom_agent.errors import StoreCorrupt
from hicom_agent.memory import Store, check
from hicom_agent.testing import make_record

SOAK = Path(__file__).resolve().parents[2] / "benchmarks" / "soak.py"
FILES = ["vectors.safetensors", "patches.safetensors", "thumbs.bin", "meta.json"]
BEFORE = ["segment-file", "segment-row", *FILES]
AFTER = ["manifest", "cache", "publishing", "published", "journal-removed", "replaced-removed"]
SEEN = AFTER[3:]  # a reader that comes before any other writer sees the new version
A = "00000000000000aa"


@pytest.fixture(scope="module")
def soak() -> Any:
    spec = importlib.util.spec_from_file_location("soak", SOAK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["soak"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder in memory where there is one: what the kernel holds outlives a killed process."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def make(soak: Any) -> Iterator[Callable[..., Any]]:
    with soak.forked_attempts() as made:
        yield made


def test_twenty_kills_lose_nothing_that_was_promised(soak: Any, make: Any, folder: Path) -> None:
    tally = soak.soak_store(20, 11, folder)
    assert tally.bad == [] and tally.kills == 20


def write_in_place(root: str, acks: str) -> None:
    """Write take after take the way one does without thinking: file by file, each in place."""
    for take in range(int(Path(acks).read_text()) + 1, 10**6):
        write_take(Path(root), take)
        Path(acks).write_text(str(take))


def write_take(folder: Path, take: int) -> None:
    vectors = np.full((3600, 384), take, np.float32)
    index = faiss.IndexFlatIP(384)
    index.add(vectors)
    faiss.write_index(index, str(folder / "frames.faiss"))
    np.save(folder / "patches.npy", vectors)
    (folder / "meta.json").write_text(json.dumps({"take": take, "lines": [f"line {i}" for i in range(3600)]}))


def look_in_place(folder: Path) -> None:
    try:
        take = json.loads((folder / "meta.json").read_text())["take"]
        first = faiss.read_index(str(folder / "frames.faiss")).reconstruct(0)[0]
        patch = np.load(folder / "patches.npy", allow_pickle=False)[-1, -1]
    except (RuntimeError, ValueError, EOFError, OSError) as error:
        raise AssertionError(f"cannot be read: {error}") from error
    assert first == patch == take, f"meta {take}, index {first}, patches {patch}"


def test_the_same_killer_breaks_files_written_in_place(soak: Any, make: Any, folder: Path) -> None:
    acks = folder / "acks"

    def begin() -> None:
        write_take(folder, 1)
        acks.write_text("1")

    def look() -> None:
        try:
            look_in_place(folder)
        finally:
            begin()

    begin()
    attempt = make(__file__, "write_in_place", str(folder), str(acks))
    tally = soak.kill_loop(attempt, look, 20, 7, span_s=0.2, finish=begin)
    assert tally.kills == 20 and len(tally.bad) >= 5, tally


def crash_at(root: str, step: str) -> None:
    """Journal a segment and commit take 2; the process ends itself at the step."""
    os.environ["HICOM_AGENT_CRASH_AT"] = step
    with Store.open(Path(root), write=True) as store:
        store.journal(A, "made-1", "x").save("pictures", 1, {"pixels": np.ones(3)}, None)
        store.commit(make_record(2))


def crash_forgetting(root: str, step: str) -> None:
    os.environ["HICOM_AGENT_CRASH_AT"] = step
    with Store.open(Path(root), write=True) as store:
        store.forget(A)


def test_a_crash_at_any_step_leaves_the_old_or_the_new_version(soak: Any, make: Any, folder: Path) -> None:
    for step in [*BEFORE, *AFTER]:
        root = folder / step
        with Store.open(root, write=True) as store:
            store.commit(make_record(1))
            store.journal(A, "made-1", "x").save("pictures", 0, {"pixels": np.zeros(3)}, None)
        assert make(__file__, "crash_at", str(root), step)(30) == 137, step
        with Store.open(root) as reader:
            seen = soak.take_of(reader, A)
            assert seen == (2 if step in SEEN else 1), step
        assert [str(finding) for finding in check(root) if finding.serious] == []
        with Store.open(root, write=True) as store:
            take = soak.take_of(store, A)
            assert take == (2 if step in AFTER else 1), step
            done = store.journal(A, "made-1", "x").done("pictures")
            acknowledged = {0} if step == "segment-file" else {0, 1}
            assert done == (set() if step in AFTER else acknowledged), step
            store.commit(make_record(3))
            assert soak.take_of(store, A) == 3
        assert check(root) == [], step
        assert len([path for path in (root / A).iterdir() if path.name.startswith("gen-")]) == 1


def test_a_crash_while_forgetting_never_brings_the_video_back(soak: Any, make: Any, folder: Path) -> None:
    for step in ("forget-marked", "forgotten"):
        root = folder / step
        with Store.open(root, write=True) as store:
            store.commit(make_record(1))
        assert make(__file__, "crash_forgetting", str(root), step)(30) == 137
        with Store.open(root, write=True) as store:
            assert store.videos() == []
        assert not (root / A).exists()
        assert check(root) == []


def test_a_catalogue_lost_with_the_process_is_said_and_made_again(soak: Any, make: Any, folder: Path) -> None:
    with Store.open(folder, write=True) as store:
        store.commit(make_record(1))
    for path in folder.glob("catalog.sqlite*"):
        path.unlink()
    with pytest.raises(StoreCorrupt, match="no catalogue; run hicom-agent doctor --repair"):
        Store.open(folder)
    with Store.open(folder, write=True) as store:
        assert soak.take_of(store, A) == 1
