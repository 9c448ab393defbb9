"""A disk that fails, fills up or may not be written is one line, and the last commit stays."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicom_agent.errors import HicomAgentError, SetupError
from hicom_agent.memory import Store, check
from hicom_agent.memory.disk import write_file
from hicom_agent.testing import make_record

A = "00000000000000aa"


def everything(folder: Path) -> dict[str, int]:
    names = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.stat().st_size for name, path in names.items() if not name.startswith(("catalog", "writer"))}


def test_bytes_reach_the_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor: int) -> None:
        events.append("sync " + Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def note_replace(old: Path, new: Path) -> None:
        events.append(f"name {new.name}")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    write_file(tmp_path / "x", [b"1"])
    assert events == [f"sync .x.{os.getpid()}.tmp", "name x", f"sync {tmp_path.name}"]
    with Store.open(tmp_path / "store", write=True) as store:
        events.clear()
        store.commit(make_record(1))
    mine = [event.replace(f".{os.getpid()}.tmp", "") for event in events]
    files = ["vectors.safetensors", "patches.safetensors", "thumbs.bin", "meta.json"]
    wanted = ["sync store", f"sync {A}"]  # the folders that were made
    for name in files:
        wanted += [f"sync .{name}", f"name {name}"]
    wanted += ["sync gen-000001", "sync .MANIFEST.json", "name MANIFEST.json", "sync gen-000001"]
    assert mine[: len(wanted)] == wanted


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_any_write_that_fails_leaves_the_version_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, where: str
) -> None:
    real: Callable[..., Any] = getattr(os, where)
    with Store.open(tmp_path, write=True) as store:
        store.commit(make_record(1))
        before = everything(tmp_path)
        for failing in range(100):
            calls = iter(range(failing + 1))

            def fail(*args: Any, calls: Any = calls, failing: int = failing) -> Any:
                if next(calls, None) == failing:
                    raise OSError(number, os.strerror(number))
                return real(*args)

            monkeypatch.setattr(os, where, fail)
            try:
                store.commit(make_record(2))
            except SetupError as error:
                assert str(tmp_path) in str(error) and os.strerror(number) in str(error)
                assert "--store" in str(error) and "\n" not in str(error)
            else:
                break
            finally:
                monkeypatch.setattr(os, where, real)
            assert everything(tmp_path) == before, failing
            assert store.texts(A)[0].text == "TAKE1 exit"
        assert failing > 4, "no call was made to fail"
        assert store.texts(A)[0].text == "TAKE2 exit"
    assert check(tmp_path) == []


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from hicom_agent.errors import SetupError
from hicom_agent.memory import Store
from hicom_agent.testing import make_record

def fill(root, limit):
    with Store.open(root, write=True) as store:
        store.commit(make_record(1))
        before = sorted(path for path in root.rglob("*") if path.suffix != ".tmp")
        journal = store.journal("00000000000000aa", "made-1", "x")
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        for work in (lambda: store.commit(make_record(2, num_frames=4000)),
                     lambda: journal.save("pictures", 0, {"x": np.zeros(10**6)}, None)):
            try:
                work()
            except SetupError as error:
                print(error)
            else:
                print("nothing failed")
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert store.texts("00000000000000aa")[0].text == "TAKE1 exit"
        assert journal.done("pictures") == set()
        left = [p for p in root.rglob("*") if p not in before and p.name not in ("00000000000000aa", "staging")]
        assert left == [], left
        assert store.commit(make_record(3)) == "gen-000002"

for limit in sys.argv[2:]:
    fill(Path(sys.argv[1]) / limit, int(limit))
"""


def test_a_full_disk_is_named_and_nothing_is_left_of_the_attempt(tmp_path: Path) -> None:
    limits = ["1000", "100000", "250000", "600000"]  # fail in the first file, in later ones, in the catalogue
    command = [sys.executable, "-W", "error", "-c", FULL, str(tmp_path), *limits]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for limit, line in zip([limit for limit in limits for _ in range(2)], lines, strict=True):
        assert f"the disk of {tmp_path / limit} fails" in line and "--store" in line
    assert [check(tmp_path / limit) for limit in limits] == [[]] * 4


def test_a_store_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "store", Path("/proc/nothing/here"), Path("/dev/full")):
        with pytest.raises(SetupError) as caught:
            Store.open(place, write=True)
        assert str(place) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(HicomAgentError, match="a file is in the way"):
        Store.open(tmp_path / "file")


@pytest.fixture
def plain_user(tmp_path: Path) -> Iterator[None]:
    """Be nobody for the length of a test if we are root, for whom nothing is read-only."""
    root = os.geteuid() == 0
    if root:
        own = [folder for folder in tmp_path.parents if folder.name.startswith(("pytest-", "popen-"))]
        for folder in (tmp_path, *own):
            folder.chmod(0o755)
        os.chown(tmp_path, 65534, 65534)
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.usefixtures("plain_user")
def test_a_store_that_may_not_be_written_is_read_and_refuses_to_be_written(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store", write=True) as store:
        store.commit(make_record(1))
    (tmp_path / "store").chmod(0o500)
    with Store.open(tmp_path / "store") as reader:
        assert reader.search_vectors("frames", np.ones(16, np.float32), 1)
    with pytest.raises(SetupError, match="allow writing there"):
        Store.open(tmp_path / "store", write=True)
    (tmp_path / "store").chmod(0o000)
    for write in (False, True):
        with pytest.raises(SetupError, match=str(tmp_path)):
            Store.open(tmp_path / "store", write=write)
    (tmp_path / "store").chmod(0o700)


def test_a_file_in_the_place_of_the_store_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for folder in (tmp_path / "notes.txt", tmp_path / "notes.txt" / "store"):
        for write in (False, True):
            with pytest.raises(SetupError, match="a file is in the way; choose another folder"):
                Store.open(folder, write=write)
    assert (tmp_path / "notes.txt").read_text() == "mine"
