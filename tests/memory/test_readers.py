"""One writes, many read: nobody waits, and nobody sees two versions at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hicom_agent.errors import StoreBusy
from hicom_agent.memory import Store, check
from hicom_agent.testing import make_record

SOAK = Path(__file__).resolve().parents[2] / "benchmarks" / "soak.py"
A, B = "00000000000000aa", "00000000000000bb"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder in memory where there is one: what the kernel holds outlives a killed process."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


def test_eight_readers_always_see_one_version_while_one_writes(folder: Path) -> None:
    command = [sys.executable, "-W", "error", str(SOAK), "--read", str(folder)]
    with Store.open(folder, write=True) as store:
        store.commit(make_record(1, num_frames=20))
        readers = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
        ]
        try:
            for reader in readers:
                assert reader.stdout is not None and reader.stdout.readline() == "reading\n"
            deadline, take = time.monotonic() + 3, 1
            while time.monotonic() < deadline:
                take += 1
                for video_id in (A, B):
                    store.commit(make_record(take, video_id=video_id, num_frames=20))
            answers = [json.loads(reader.communicate("")[0]) for reader in readers]
        finally:
            for reader in readers:
                reader.kill()
                reader.communicate()
        assert take > 3
        for answer in answers:
            assert answer["problems"] == []
            assert len(answer["reads"]) == 4 and min(answer["reads"]) >= 3
        store.commit(make_record(take + 1))
        assert len(list((folder / A).iterdir())) == 1, "what nobody reads any more is gone"
    assert check(folder) == []


HOLD = """
import sys
from pathlib import Path
from hicom_agent.memory import Store
with Store.open(Path(sys.argv[1]), write=True):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_told_who_writes_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(StoreBusy, match=rf"written by process {holder.pid}, for \d+ s now; wait for it"):
            Store.open(tmp_path, write=True)
        with Store.open(tmp_path) as reader:
            assert reader.videos() == []
        holder.kill()
    with Store.open(tmp_path, write=True) as store:
        store.commit(make_record(1))
        with pytest.raises(StoreBusy, match=f"process {os.getpid()}"):
            Store.open(tmp_path, write=True)
    with Store.open(tmp_path, write=True) as store:
        assert len(store.videos()) == 1


def test_a_failed_open_gives_the_lock_back(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(b"no database at all, but long enough to look" * 100)
    for _ in range(2):
        with pytest.raises(Exception, match="hicom-agent doctor --repair"):
            Store.open(tmp_path, write=True)
