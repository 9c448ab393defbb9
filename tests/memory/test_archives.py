"""Videos in a file: what was exported comes in again, and nothing else does."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hicom_agent.errors import InputError, SetupError, StoreCorrupt, StoreTooNew, UnknownVideo
from hicom_agent.memory import Store, check, export, import_archive
from hicom_agent.testing import make_record
from hicom_agent.types import Record

A, B = "00000000000000aa", "00000000000000bb"
INDEX = "hicom-agent-export.json"
Members = list[tuple[tarfile.TarInfo, bytes]]


def make_store(folder: Path, *records: Record) -> Path:
    with Store.open(folder, write=True) as store:
        for record in records:
            store.commit(record)
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    root = make_store(tmp_path / "origin", make_record(1), make_record(2, video_id=B))
    export(root, None, tmp_path / "films.tar")
    return tmp_path / "films.tar"


def take_in(root: Path, file: Path, max_bytes: int = 1 << 30) -> list[str]:
    with Store.open(root, write=True) as store:
        return [taken.state for taken in import_archive(store, file, max_bytes)]


def refused(root: Path, file: Path, match: str, error: type[Exception] = InputError) -> None:
    """Import what must be refused in one line, and find nothing of it afterwards."""
    with pytest.raises(error, match=match) as caught:
        take_in(root, file)
    assert "\n" not in str(caught.value)
    with Store.open(root) as store:
        assert store.videos() == []
    known = {"catalog.sqlite", "catalog.sqlite-shm", "catalog.sqlite-wal", "writer.lock"}
    assert {path.name for path in root.iterdir()} <= known
    assert not [path for path in root.parent.rglob("*") if path.name == "evil"]


def test_what_was_exported_comes_in_again_and_twice_is_as_once(archive: Path, tmp_path: Path) -> None:
    assert take_in(tmp_path / "all", archive) == ["adopted", "adopted"]
    assert take_in(tmp_path / "all", archive) == ["there already", "there already"]
    with Store.open(tmp_path / "all") as new, Store.open(tmp_path / "origin") as old:
        assert new.videos() == old.videos()
        for video_id in (A, B):
            assert new.speech(video_id) == old.speech(video_id)
            assert new.thumbnail(f"{video_id}:6") == old.thumbnail(f"{video_id}:6")
    assert check(tmp_path / "all") == [] and not (tmp_path / "all" / "incoming").exists()
    export(tmp_path / "all", [B, A], tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == archive.read_bytes(), "the same videos, the same bytes"


def test_an_export_is_a_plain_tar_of_what_lies_in_the_store(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive, "r:") as tar:
        members = tar.getmembers()
        body = json.load(tar.extractfile(members[0]))  # type: ignore[arg-type]
    assert [row["video_id"] for row in body["videos"]] == [A, B]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.isreg()) for m in members} == {(0, 0, 0, "", True)}
    assert [m.name for m in members[:2]] == [INDEX, f"{A}/vectors.safetensors"] and len(members) == 9


def test_an_export_of_what_is_broken_or_unknown_leaves_no_file(tmp_path: Path) -> None:
    root = make_store(tmp_path / "origin", make_record(1))
    with pytest.raises(UnknownVideo, match=B):
        export(root, [A, B], tmp_path / "x.tar")
    (root / A / "gen-000001" / "thumbs.bin").write_bytes(bytes(1748))
    with pytest.raises(StoreCorrupt, match="thumbs.bin is not what was written"):
        export(root, [A], tmp_path / "x.tar")
    with pytest.raises(InputError, match="nothing is empty"):
        export(tmp_path / "nothing", None, tmp_path / "x.tar")
    assert {path.name for path in tmp_path.iterdir()} == {"origin"}
    (tmp_path / "x.tar").write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        export(root, [A], tmp_path / "x.tar")
    with pytest.raises(InputError, match="is in no folder"):
        export(root, [A], tmp_path / "nowhere" / "x.tar")
    assert (tmp_path / "x.tar").read_text() == "mine"


def read_members(file: Path) -> Members:
    with tarfile.open(file, "r:") as tar:
        return [(m, tar.extractfile(m).read()) for m in tar.getmembers()]  # type: ignore[union-attr]


def write_members(file: Path, members: Members, format: int = tarfile.GNU_FORMAT) -> None:
    with tarfile.open(file, "w", format=format) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)


def member(
    name: str, data: bytes = b"x", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data) if kind == tarfile.REGTYPE else 0
    return info, data


HOSTILE = {
    "a link": (member(f"{A}/evil", kind=tarfile.SYMTYPE, link="/etc/passwd"), "type b'2'"),
    "a hard link": (member(f"{A}/evil", kind=tarfile.LNKTYPE, link=f"{A}/meta.json"), "type b'1'"),
    "a device": (member("evil", kind=tarfile.CHRTYPE), "type b'3'"),
    "a pipe": (member("evil", kind=tarfile.FIFOTYPE), "type b'6'"),
    "a folder": (member("evil", kind=tarfile.DIRTYPE), "type b'5'"),
    "a way up": (member("../evil"), "'../evil' which is not in its list"),
    "a way up below": (member(f"{A}/../../evil"), "which is not in its list"),
    "an absolute name": (member("/tmp/evil"), "which is not in its list"),
    "a name of a terminal": (member("\x1b[31mevil"), "which is not in its list"),
    "a name that is no text": (member("\udcffevil"), "is no plain tar"),
    "a long name": (member("evil" * 100), "type b'L'"),
    "another file": (member(f"{A}/FORGOTTEN"), "which is not in its list"),
    "a second list": (member(INDEX), "which is not in its list"),
    "a file twice": (member(f"{A}/meta.json"), "meta.json' twice"),
    "the same twice": (member(f"{B}/thumbs.bin"), "thumbs.bin' twice"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_member_that_was_never_exported_is_refused(name: str, archive: Path, tmp_path: Path) -> None:
    extra, match = HOSTILE[name]
    write_members(archive, [*read_members(archive), extra])
    refused(tmp_path / "all", archive, match)


def test_a_link_in_the_place_of_a_file_is_refused(archive: Path, tmp_path: Path) -> None:
    members = read_members(archive)
    members[4] = member(f"{A}/meta.json", kind=tarfile.SYMTYPE, link="../../../evil")
    write_members(archive, members)
    refused(tmp_path / "all", archive, "type b'2'")


def test_extended_headers_are_not_followed(archive: Path, tmp_path: Path) -> None:
    members = read_members(archive)
    for info, _ in members:
        info.pax_headers = {"path": "../evil", "size": "99999999999"}
    write_members(archive, members, tarfile.PAX_FORMAT)
    refused(tmp_path / "all", archive, "no archive of hicom-agent|type b'x'")


@pytest.mark.parametrize("number", range(1, 9))
def test_a_changed_file_is_found_by_its_checksum(number: int, archive: Path, tmp_path: Path) -> None:
    members = read_members(archive)
    info, data = members[number]
    members[number] = info, bytes([data[0] ^ 1]) + data[1:]
    write_members(archive, members)
    refused(tmp_path / "all", archive, "does not have its checksum")


def test_a_file_of_another_size_and_a_missing_one_are_refused(archive: Path, tmp_path: Path) -> None:
    members = read_members(archive)
    write_members(archive, [*members[:3], member(members[3][0].name, members[3][1] + b"x"), *members[4:]])
    refused(tmp_path / "all", archive, "thumbs.bin has 1749 bytes, its list says 1748")
    write_members(archive, members[:-1])
    refused(tmp_path / "all", archive, f"has no {B}/meta.json")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.3, 0.6, 0.95, 0.97])
def test_an_archive_that_is_cut_short_is_refused(share: float, archive: Path, tmp_path: Path) -> None:
    os.truncate(archive, int(share * archive.stat().st_size))
    refused(tmp_path / "all", archive, "cut short|ends in the middle|is no plain tar")


def test_what_hides_between_and_behind_the_files_is_refused(archive: Path, tmp_path: Path) -> None:
    data = archive.read_bytes()
    archive.write_bytes(data + b"evil")
    refused(tmp_path / "all", archive, "goes on after its end")
    at = data.index(b"hicom-agent-export.json") + 512
    size = int(data[at - 512 + 124 : at - 512 + 135], 8)
    archive.write_bytes(data[: at + size] + b"evil" + data[at + size + 4 :])
    refused(tmp_path / "all", archive, "hides something after hicom-agent-export.json")


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "film.tar"
    for data in (b"", b"text" * 1000, bytes(10240), os.urandom(4096)):
        file.write_bytes(data)
        refused(tmp_path / "all", file, "no archive of hicom-agent|is no plain tar")
    file.unlink()
    refused(tmp_path / "all", file, "cannot open .*No such file")
    os.mkfifo(file)
    refused(tmp_path / "all", file, "no regular file")
    file.unlink()
    with tarfile.open(file, "w:gz") as tar:
        tar.addfile(*member(INDEX, b"x")[:1], io.BytesIO(b"x"))
    refused(tmp_path / "all", file, "no plain tar")


def with_index(archive: Path, change: Callable[[Any], Any]) -> None:
    members = read_members(archive)
    body = json.loads(members[0][1])
    changed = change(body)
    text = json.dumps(body if changed is None else changed) if not isinstance(changed, bytes) else changed.decode()
    write_members(archive, [member(INDEX, text.encode()), *members[1:]])


def _set(*path: Any) -> Callable[[Any], Any]:
    """Return what puts the last of `path` where the others lead."""

    def change(body: Any) -> None:
        for key in path[:-2]:
            body = body[key]
        body[path[-2]] = path[-1]

    return change


def _twice(body: Any) -> None:
    body["videos"].append(body["videos"][0])


HOSTILE_INDEX: dict[str, Callable[[Any], Any]] = {
    "no text": lambda body: b"{",
    "a list": lambda body: [1],
    "too deep": lambda body: b"[" * 100_000,
    "no videos": lambda body: {"format": 1},
    "a number of videos": _set("videos", 5),
    "an old format": _set("format", 0),
    "a format that is none": _set("format", "1"),
    "an id that is a way": _set("videos", 0, "video_id", "../../evil"),
    "an id that is a number": _set("videos", 0, "video_id", 7),
    "a foreign id": _set("videos", 0, "video_id", "00000000000000cc"),
    "a size below nothing": _set("videos", 0, "files", "meta.json", "size", -1),
    "a size of much": _set("videos", 0, "files", "patches.safetensors", "size", 10**15),
    "a size that is too much": _set("videos", 0, "files", "thumbs.bin", "size", 10**30),
    "a large meta": _set("videos", 0, "files", "meta.json", "size", 10**9),
    "a size of text": _set("videos", 0, "files", "meta.json", "size", "890"),
    "a checksum that is none": _set("videos", 0, "files", "meta.json", "sha256", "0" * 63),
    "a file more": _set("videos", 0, "files", "evil", {"sha256": "0" * 64, "size": 1}),
    "no files": _set("videos", 0, "files", {}),
    "a time that is no number": _set("videos", 0, "committed_at", float("nan")),
    "a time to come": _set("videos", 0, "committed_at", time.time() + 10**7),
    "a profile of nothing": _set("videos", 0, "profile", None),
    "a profile that cannot be written": _set("videos", 0, "profile", "\ud800"),
    "a long profile": _set("videos", 0, "profile", "x" * 10**5),
    "another profile than inside": _set("videos", 0, "profile", "made-9"),
    "a video twice": _twice,
}


@pytest.mark.parametrize("name", HOSTILE_INDEX)
def test_a_list_that_makes_no_sense_is_refused(name: str, archive: Path, tmp_path: Path) -> None:
    with_index(archive, HOSTILE_INDEX[name])
    refused(tmp_path / "all", archive, "film")


def test_an_archive_of_a_newer_version_is_told(archive: Path, tmp_path: Path) -> None:
    with_index(archive, _set("format", 2))
    refused(tmp_path / "all", archive, "has format 2, this version knows 1", StoreTooNew)


def _resealed(archive: Path, number: int, data: bytes) -> None:
    """Put other bytes in the place of a file, and a list that fits to them."""
    members = read_members(archive)
    info = members[number][0]
    video_id, name = info.name.split("/")
    body = json.loads(members[0][1])
    [row] = [row for row in body["videos"] if row["video_id"] == video_id]
    row["files"][name] = {"sha256": sha256(data).hexdigest(), "size": len(data)}
    members[number] = member(info.name, data)
    write_members(archive, [member(INDEX, json.dumps(body).encode()), *members[1:]])


@pytest.mark.parametrize("times", ["NaN", "1e999", "[]", '"0"'])
def test_a_hand_made_video_is_refused_and_none_of_the_others_is_taken(
    times: str, archive: Path, tmp_path: Path
) -> None:
    meta = json.loads(read_members(archive)[8][1])
    meta["clips"] = [[0, "HERE", 2.0]]
    _resealed(archive, 8, json.dumps(meta).replace('"HERE"', times).encode())
    refused(tmp_path / "all", archive, rf"films.tar/{B} makes no sense")


def test_too_much_is_refused_before_anything_is_read(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="says that it holds 7692 bytes, at most 7000 are taken"):
        take_in(tmp_path / "all", archive, max_bytes=7000)
    free = type("free", (), {"free": 10**6})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: free)
    refused(tmp_path / "all", archive, "has 1000000 bytes free and needs", SetupError)


CRASH = """
import os, sys
from pathlib import Path
from hicom_agent.memory import Store, import_archive
os.environ["HICOM_AGENT_CRASH_AT"] = sys.argv[3]
with Store.open(Path(sys.argv[1]), write=True) as store:
    import_archive(store, Path(sys.argv[2]))
"""


@pytest.mark.parametrize("step", ["thumbs.bin", "manifest", "published"])
def test_a_killed_import_goes_on_where_it_ended(step: str, archive: Path, tmp_path: Path) -> None:
    root = tmp_path / "all"
    command = [sys.executable, "-W", "error", "-c", CRASH, str(root), str(archive), step]
    assert subprocess.run(command).returncode == 137
    assert (root / "incoming").exists()
    first = "adopted" if step == "thumbs.bin" else "there already"
    assert take_in(root, archive) == [first, "adopted"]
    assert not (root / "incoming").exists() and check(root) == []


def test_a_video_that_does_not_fit_to_one_before_it_is_refused_alone(tmp_path: Path) -> None:
    wide = make_record(2, video_id=B, width=17)
    export(make_store(tmp_path / "origin", make_record(1), wide), None, tmp_path / "x.tar")
    with Store.open(tmp_path / "all", write=True) as store:
        first, second = import_archive(store, tmp_path / "x.tar")
        assert (first.state, second.state) == ("adopted", "refused")
        assert "x.tar makes no sense: vectors of" in second.why and "incoming" not in second.why
        assert [row.video_id for row in store.videos()] == [A]


def test_an_import_takes_the_place_of_less_and_leaves_more(tmp_path: Path) -> None:
    less = dataclasses.replace(make_record(1), settings_key="every=1.0")
    more = dataclasses.replace(make_record(2), settings_key="every=1.0 ocr")
    for record in (less, more):
        export(make_store(tmp_path / record.title, record), None, tmp_path / f"{len(record.settings_key)}.tar")
    assert take_in(tmp_path / "all", tmp_path / "9.tar") == ["adopted"]
    assert take_in(tmp_path / "all", tmp_path / "13.tar") == ["adopted"]
    assert take_in(tmp_path / "all", tmp_path / "9.tar") == ["there already"]
