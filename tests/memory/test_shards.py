"""Stores become one: whole generations change the store, and nothing that does not fit comes along."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from hicom_agent.errors import SetupError, StoreCorrupt, StoreTooNew, UnknownVideo
from hicom_agent.memory import Look, Store, adopt, check
from hicom_agent.testing import make_record
from hicom_agent.types import Record

A, B = "00000000000000aa", "00000000000000bb"


def make_store(folder: Path, *records: Record) -> Path:
    with Store.open(folder, write=True) as store:
        for record in records:
            store.commit(record)
    return folder


def take_of(store: Store, video_id: str = A) -> int:
    """Return the mark of a video, after all its parts have said the same."""
    mark = int(store.features(video_id, [0])["scale"][0, 0])
    assert store.texts(video_id)[0].text == f"TAKE{mark} exit"
    assert store.thumbnail(f"{video_id}:0").startswith(f"picture 0 of take{mark};".encode())
    assert store.search_vectors("frames", np.eye(16, dtype=np.float32)[mark % 16], 1, [video_id])[0][2] == 1
    assert {hit[0] for hit in store.search_words("speech", f"take{mark}", 5, [video_id])} == {video_id}
    return mark


def files_of(folder: Path) -> dict[str, str]:
    """Return the checksums of what a store has, but for the tracks that readers leave."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal")))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_an_adopted_video_is_read_as_from_its_shard_and_the_shard_is_as_before(tmp_path: Path) -> None:
    shard = make_store(tmp_path / "shard", make_record(1), make_record(3, video_id=B), make_record(2))
    before = files_of(shard)
    with Store.open(tmp_path / "all", write=True) as store, Store.open(shard) as old:
        assert adopt(store, shard, A) == "gen-000001"
        assert take_of(store) == take_of(old) == 2
        for ask in (Store.info, Store.clips, Store.frames, Store.speech, Store.texts, Store.damage):
            assert ask(store, A) == ask(old, A)
        (row,) = store.videos()
        assert dataclasses.replace(old.video(A), version="gen-000001") == row
        for name in ("vectors.safetensors", "patches.safetensors", "thumbs.bin", "meta.json"):
            mine, other = tmp_path / "all" / A / "gen-000001" / name, shard / A / "gen-000002" / name
            assert mine.read_bytes() == other.read_bytes() and not mine.samefile(other) and mine.stat().st_nlink == 1
    assert files_of(shard) == before
    assert check(tmp_path / "all") == []


def test_the_same_content_with_as_much_in_it_is_not_taken_twice(tmp_path: Path) -> None:
    all_of_it = dataclasses.replace(make_record(1), settings_key="every=1.0 ocr speech")
    less = dataclasses.replace(make_record(2), settings_key="every=1.0 speech")
    other = dataclasses.replace(make_record(3), settings_key="every=1.0 speech", profile="made-2")
    shards = [make_store(tmp_path / record.title, record) for record in (all_of_it, less, other)]
    with Store.open(tmp_path / "all", write=True) as store:
        assert adopt(store, shards[1], A) == "gen-000001"
        assert adopt(store, shards[0], A) == "gen-000002", "there is more in it"
        before = files_of(tmp_path / "all")
        assert [adopt(store, shard, A) for shard in shards[:2]] == ["gen-000002"] * 2
        assert files_of(tmp_path / "all") == before and take_of(store) == 1
        assert adopt(store, shards[2], A) == "gen-000003", "vectors of another profile are something else"
        assert [path.name for path in (tmp_path / "all" / A).iterdir()] == ["gen-000003"]


def test_what_a_source_does_not_have_is_named_with_the_source(tmp_path: Path) -> None:
    shard = make_store(tmp_path / "shard", make_record(1))
    with Store.open(tmp_path / "all", write=True) as store:
        for source, video_id in ((shard, B), (shard, "../aa"), (tmp_path / "nothing", A)):
            with pytest.raises(UnknownVideo, match=f"{video_id}' in the store {source}"):
                adopt(store, source, video_id)
        assert store.videos() == [] and not (tmp_path / "nothing").exists()
    with Store.open(tmp_path / "all") as reader, pytest.raises(ValueError, match="opened for reading"):
        adopt(reader, shard, A)


def test_when_it_was_indexed_comes_along_and_is_of_one_generation_alone(tmp_path: Path) -> None:
    shard = make_store(tmp_path / "shard", make_record(1))
    same_time = make_store(tmp_path / "forged", dataclasses.replace(make_record(2), profile="made-2"))
    with Store.open(tmp_path / "all", write=True) as store, Store.open(shard) as old:
        adopt(store, shard, A)
        row = store.video(A)
        assert row.indexed_at == old.video(A).indexed_at
        vector = np.ones(4, np.float32)
        assert store.conditioned.remember(row, Look(-1, "a dog", vector, vector, vector), []) >= 0
        reseal(same_time, committed_at=row.indexed_at)
        adopt(store, same_time, A)
        assert store.video(A).indexed_at == math.nextafter(row.indexed_at, math.inf)
        store.commit(make_record(3))
        adopt(store, shard, A)
        assert store.video(A).indexed_at > row.indexed_at, "there are still tokens of the first one"
        assert store.conditioned.asked(store.video(A)) == []


def reseal(root: Path, **changes: Any) -> Path:
    """Change the manifest of a store's generation of A, and all checksums so that they fit; return the folder."""
    [folder] = (root / A).iterdir()
    path = folder / "MANIFEST.json"
    body = json.loads(path.read_bytes()) | changes
    for name in body["files"]:
        data = (folder / name).read_bytes()
        body["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    path.write_text(json.dumps(body))
    db = sqlite3.connect(root / "catalog.sqlite")
    db.execute("UPDATE videos SET manifest_sha256 = ?", [hashlib.sha256(path.read_bytes()).hexdigest()])
    db.commit()
    db.close()
    return folder


FILES = ["vectors.safetensors", "patches.safetensors", "thumbs.bin", "meta.json"]


@pytest.mark.parametrize("name", [*FILES, "MANIFEST.json"])
def test_a_changed_byte_is_found_and_the_store_stays_as_it_was(name: str, tmp_path: Path) -> None:
    shard = make_store(tmp_path / "shard", make_record(2))
    path = shard / A / "gen-000001" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with Store.open(make_store(tmp_path / "all", make_record(1)), write=True) as store:
        with pytest.raises(StoreCorrupt, match=str(shard)):
            adopt(store, shard, A)
        assert take_of(store) == 1
    with Store.open(tmp_path / "empty", write=True) as store, pytest.raises(StoreCorrupt, match=str(shard)):
        adopt(store, shard, A)
    for root in (tmp_path / "all", tmp_path / "empty"):
        assert check(root) == [] and len(list((root / A).iterdir() if (root / A).exists() else [])) < 2


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("spoil", [_link, _fifo, Path.unlink, lambda path: os.truncate(path, 3)])
@pytest.mark.parametrize("name", ["thumbs.bin", "meta.json"])
def test_what_is_no_whole_file_is_not_read(spoil: Callable[[Path], None], name: str, tmp_path: Path) -> None:
    shard = make_store(tmp_path / "shard", make_record(2))
    spoil(shard / A / "gen-000001" / name)
    with Store.open(tmp_path / "all", write=True) as store, pytest.raises(StoreCorrupt, match=name):
        adopt(store, shard, A)


def test_a_shard_of_a_newer_version_is_told(tmp_path: Path) -> None:
    shard = make_store(tmp_path / "shard", make_record(2))
    reseal(shard, schema=99)
    with Store.open(tmp_path / "all", write=True) as store, pytest.raises(StoreTooNew, match="schema 99"):
        adopt(store, shard, A)


CRASH = """
import os, sys
from pathlib import Path
from hicom_agent.memory import Store, adopt
os.environ["HICOM_AGENT_CRASH_AT"] = sys.argv[3]
with Store.open(Path(sys.argv[1]), write=True) as store:
    adopt(store, Path(sys.argv[2]), "00000000000000aa")
"""
AFTER = ["manifest", "cache", "publishing", "published", "journal-removed", "replaced-removed"]


@pytest.mark.parametrize("step", [*FILES, *AFTER])
def test_a_kill_at_any_step_leaves_the_store_before_or_after(step: str, tmp_path: Path) -> None:
    shard, root = make_store(tmp_path / "shard", make_record(2)), make_store(tmp_path / "all", make_record(1))
    before = files_of(shard)
    command = [sys.executable, "-W", "error", "-c", CRASH, str(root), str(shard), step]
    assert subprocess.run(command).returncode == 137
    with Store.open(root) as reader:
        assert take_of(reader) == (2 if step in AFTER[3:] else 1)
    assert [str(finding) for finding in check(root) if finding.serious] == []
    with Store.open(root, write=True) as store:
        assert take_of(store) == (2 if step in AFTER else 1)
        adopt(store, shard, A)
        assert take_of(store) == 2
    assert check(root) == [] and len(list((root / A).iterdir())) == 1
    assert files_of(shard) == before


def test_a_full_disk_leaves_the_store_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard, root = make_store(tmp_path / "shard", make_record(2)), make_store(tmp_path / "all", make_record(1))
    with Store.open(root, write=True) as store:
        replace = os.replace

        def fail(source: Path, target: Path) -> None:
            if target.name == "meta.json":
                raise OSError(28, "No space left on device")
            replace(source, target)

        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(SetupError, match="No space left"):
            adopt(store, shard, A)
        monkeypatch.undo()
        assert take_of(store) == 1
    assert check(root) == []


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    shard = make_store(tmp_path / "shard", make_record(2))
    folders = [shard, *(path for path in shard.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    yield shard
    for folder in folders:
        folder.chmod(stat.S_IRWXU)


def test_a_shard_that_cannot_be_written_is_adopted(read_only: Path, tmp_path: Path) -> None:
    with Store.open(tmp_path / "all", write=True) as store:
        adopt(store, read_only, A)
        assert take_of(store) == 2


def test_a_reader_keeps_its_state_while_another_store_is_adopted(tmp_path: Path) -> None:
    shard, root = make_store(tmp_path / "shard", make_record(2)), make_store(tmp_path / "all", make_record(1))
    with Store.open(root, write=True) as store, Store.open(root) as reader:
        with reader.snapshot() as still:
            adopt(store, shard, A)
            assert take_of(still) == 1 and take_of(store) == 2
        store.commit(make_record(3, video_id=B))
        assert take_of(reader) == 2
    assert check(root) == []


def test_a_writer_of_the_shard_may_go_on_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = tmp_path / "shard"
    with Store.open(shard, write=True) as busy, Store.open(tmp_path / "all", write=True) as store:
        busy.commit(make_record(1))
        from hicom_agent.memory import foreign

        real = foreign.read_blocks

        def commit_first(path: Path, num_bytes: int) -> Iterator[bytes]:
            if path.name == "patches.safetensors":
                busy.commit(make_record(2))
            return real(path, num_bytes)

        monkeypatch.setattr(foreign, "read_blocks", commit_first)
        adopt(store, shard, A)
        assert take_of(store) == 1 and take_of(busy) == 2
        busy.commit(make_record(3))
        assert [path.name for path in (shard / A).iterdir()] == ["gen-000003"], "nobody holds the others any more"


def change_meta(folder: Path, name: str, value: Any) -> None:
    meta = json.loads((folder / "meta.json").read_bytes())
    meta[name] = value
    (folder / "meta.json").write_text(json.dumps(meta))


NOT_A_NUMBER, TOO_MUCH = float("nan"), 10**400
FRAMES = [[i + 0.001, i - i % 2, 0.5] for i in range(8)]
HOSTILE_META = {
    "another id": ("video_id", B),
    "no sha256": ("sha256", A),
    "a hostile sha256": ("sha256", A + "/" * 48),
    "another profile": ("profile", "made-9"),
    "a number for a title": ("title", 7),
    "no language": ("language", None),
    "a profile that cannot be written": ("profile", "\ud800"),
    "a path that cannot be written": ("path", "/films/\ud800"),
    "a path with an end in it": ("path", "/films/a\0b"),
    "a time that is no number": ("covered_s", NOT_A_NUMBER),
    "a time without end": ("covered_s", float("inf")),
    "a time that is too much": ("covered_s", TOO_MUCH),
    "a negative time": ("covered_s", -1),
    "a duration of text": ("info", {"duration_s": "8", "width_px": 1, "height_px": 1, "codec": "", "audio_codec": ""}),
    "a size that is too much": (
        "info",
        {"duration_s": 8, "width_px": 2**64, "height_px": 1, "codec": "", "audio_codec": ""},
    ),
    "no facts": ("info", []),
    "clips that are no list": ("clips", 5),
    "clips of another order": ("clips", [[0, 4.0, 6.0], [1, 0.0, 2.0]]),
    "clips that are not counted": ("clips", [[5, 0.0, 2.0]]),
    "a clip that ends before it starts": ("clips", [[0, 4.0, 2.0]]),
    "a clip of nothing": ("clips", [[0, None, 2.0]]),
    "one frame less": ("frames", FRAMES[:-1]),
    "frames shown by none": ("frames", [*FRAMES[:-1], [7.001, 99, 0.5]]),
    "frames of another order": ("frames", [[9.0, 0, 0.5], *FRAMES[1:]]),
    "a novelty that is no number": ("frames", [[0.001, 0, NOT_A_NUMBER], *FRAMES[1:]]),
    "true for a number": ("frames", [[True, 0, 0.5], *FRAMES[1:]]),
    "a frame of two": ("frames", [[0.001, 0], *FRAMES[1:]]),
    "words that are no text": ("speech", [[0, 0.5, {"a": 1}]] * 4),
    "words without vectors": ("speech", [[0, 0.5, "a"]] * 3),
    "a reason too many": ("damage", [[0, 1, "broken", "twice"]]),
}


@pytest.mark.parametrize("name", HOSTILE_META)
def test_a_meta_that_makes_no_sense_is_refused_though_all_checksums_fit(name: str, tmp_path: Path) -> None:
    shard = make_store(tmp_path / "shard", make_record(1))
    change_meta(shard / A / "gen-000001", *HOSTILE_META[name])
    reseal(shard)
    with Store.open(tmp_path / "all", write=True) as store:
        with pytest.raises(StoreCorrupt, match="makes no sense"):
            adopt(store, shard, A)
        assert store.videos() == [] and not (tmp_path / "all" / A).exists()


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, '{"video_id": "00000000000000aa"}', "\xff"])
def test_a_meta_that_is_no_object_is_refused(text: str, tmp_path: Path) -> None:
    shard = make_store(tmp_path / "shard", make_record(1))
    (shard / A / "gen-000001" / "meta.json").write_text(text, "latin-1")
    reseal(shard)
    with Store.open(tmp_path / "all", write=True) as store, pytest.raises(StoreCorrupt, match="makes no sense"):
        adopt(store, shard, A)


def rows(count: int, width: int = 16) -> np.ndarray:
    return np.tile(np.eye(width, dtype=np.float16)[1], (count, 1))


HOSTILE_VECTORS: dict[str, dict[str, np.ndarray]] = {
    "a row too few": {"frames": rows(3)},
    "a list for a table": {"frames": rows(4)[:, 0].copy()},
    "numbers of another type": {"frames": rows(4).astype(np.float64)},
    "no numbers": {"frames": rows(4) * np.float16(np.nan)},
    "long vectors": {"frames": rows(4) * np.float16(3)},
    "a width of nothing": {"frames": rows(4)[:, :0].copy()},
    "kept frames that are not": {"rows.kept": np.array([0, 2, 4, 5], np.int32)},
    "frames shown by others": {"rows.shown_by": np.zeros(8, np.int32)},
    "pictures that end outside": {"rows.thumb_ends": np.array([1, 2, 3, 10**12], np.int64)},
    "pictures that end before they begin": {"rows.thumb_ends": np.array([900, 2, 3, 1748], np.int64)},
    "checksums of other pictures": {"crc.thumbs": np.zeros(4, np.uint32)},
    "checksums of other features": {"crc.codes": np.zeros(4, np.uint32)},
    "checksums of features that are not there": {"crc.more": np.zeros(4, np.uint32)},
    "too few checksums": {"crc.codes": np.zeros(3, np.uint32)},
    "something nobody reads": {"extra.thing": np.zeros(4, np.uint32)},
}


@pytest.mark.parametrize("name", HOSTILE_VECTORS)
def test_vectors_that_do_not_fit_are_refused_though_all_checksums_fit(name: str, tmp_path: Path) -> None:
    shard = make_store(tmp_path / "shard", make_record(1))
    path = shard / A / "gen-000001" / "vectors.safetensors"
    save_file(load_file(path) | HOSTILE_VECTORS[name], path)
    reseal(shard)
    with Store.open(tmp_path / "all", write=True) as store, pytest.raises(StoreCorrupt, match="makes no sense"):
        adopt(store, shard, A)


@pytest.mark.parametrize(
    "arrays",
    [
        {"codes": np.zeros((4, 6, 2), np.uint8)},
        {"codes": np.zeros((3, 6, 2), np.uint8), "scale": np.zeros((4, 2), np.float16)},
        {"../codes": np.zeros((4, 6, 2), np.uint8)},
        {},
    ],
)
def test_patch_features_that_do_not_fit_are_refused(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    shard = make_store(tmp_path / "shard", make_record(1))
    save_file(arrays, shard / A / "gen-000001" / "patches.safetensors")
    reseal(shard)
    with Store.open(tmp_path / "all", write=True) as store, pytest.raises(StoreCorrupt, match="makes no sense"):
        adopt(store, shard, A)


@pytest.mark.parametrize("name", FILES[:2])
def test_arrays_that_cannot_be_read_are_refused(name: str, tmp_path: Path) -> None:
    shard = make_store(tmp_path / "shard", make_record(1))
    (shard / A / "gen-000001" / name).write_bytes(b"\xff" * 8 + b"{" * 90)
    reseal(shard)
    with Store.open(tmp_path / "all", write=True) as store, pytest.raises(StoreCorrupt, match="gen-000001"):
        adopt(store, shard, A)


def test_vectors_of_another_width_than_their_profile_has_are_refused(tmp_path: Path) -> None:
    narrow = make_store(tmp_path / "narrow", make_record(1, width=16))
    wide = make_store(tmp_path / "wide", make_record(1, video_id=B, width=17))
    with Store.open(tmp_path / "all", write=True) as store:
        adopt(store, narrow, A)
        with pytest.raises(StoreCorrupt, match="vectors of .* have 17, those of profile made-1 have 16"):
            adopt(store, wide, B)
        assert len(store.search_vectors("frames", np.ones(16, np.float32), 1)) == 1


def test_what_commit_takes_adopt_takes_too(tmp_path: Path) -> None:
    empty = dataclasses.replace(make_record(1), clips=[], frames=[], speech=[], texts=[], vectors={}, packed={})
    odd = dataclasses.replace(
        make_record(2, video_id=B),
        path=os.fsdecode(b"/films/\xff.mp4"),
        title="\udcff film",
        vectors={"frames": np.zeros((4, 16), np.float32), "speech": np.zeros((0, 0), np.float32)},
    )
    shard = make_store(tmp_path / "shard", empty, odd)
    with Store.open(tmp_path / "all", write=True) as store, Store.open(shard) as old:
        for video_id in (A, B):
            adopt(store, shard, video_id)
            assert store.video(video_id) == old.video(video_id)
    assert check(tmp_path / "all") == []
