"""The doctor finds every flipped bit, mends what can be mended, and never throws anything away."""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from hicom_agent.errors import StoreBusy, StoreCorrupt, StoreTooNew
from hicom_agent.memory import Store, check, repair
from hicom_agent.testing import make_record

A, B = "00000000000000aa", "00000000000000bb"
GENERATION = ["vectors.safetensors", "patches.safetensors", "thumbs.bin", "meta.json", "MANIFEST.json"]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def everything(root: Path) -> dict[str, Any]:
    with Store.open(root) as store:
        return {
            row.video_id: [
                row.title,
                store.clips(row.video_id),
                store.frames(row.video_id),
                store.speech(row.video_id),
                store.search_words("speech", "dog take1 take2", 20, [row.video_id]),
                store.search_vectors("frames", np.ones(16, np.float32), 20, [row.video_id]),
                store.thumbnail(f"{row.video_id}:2"),
            ]
            for row in store.videos()
        }


def lines(root: Path) -> str:
    return "\n".join(str(finding) for finding in check(root))


def test_a_store_that_is_well_or_not_there_has_no_findings_and_no_repairs(root: Path, tmp_path: Path) -> None:
    before = everything(root)
    assert check(root) == [] == repair(root)
    assert check(tmp_path / "none") == [] == repair(tmp_path / "none")
    assert everything(root) == before


@pytest.mark.parametrize("name", GENERATION)
def test_a_flipped_bit_anywhere_is_found_and_never_answers(root: Path, name: str) -> None:
    path = root / A / "gen-000001" / name
    for at in (0, path.stat().st_size // 2, path.stat().st_size - 1):
        flip(path, at)
        [finding] = check(root)
        assert finding.serious and A in finding.what and "doctor --repair" in finding.remedy
        if name in ("vectors.safetensors", "MANIFEST.json"):
            with Store.open(root) as store, pytest.raises(StoreCorrupt, match="run hicom-agent doctor --repair"):
                store.vectors(A, "frames")
        flip(path, at)
    assert check(root) == []


def test_a_damaged_row_or_picture_is_never_handed_out(root: Path) -> None:
    for name in ("patches.safetensors", "thumbs.bin"):
        flip(root / A / "gen-000001" / name, -1)
    with Store.open(root) as store:
        assert store.features(A, [0]) and store.thumbnail(f"{A}:0"), "the rows beside it are fine"
        with pytest.raises(StoreCorrupt, match=r"patches.safetensors row 3 of \w+ is not what was written"):
            store.features(A, [6])
        with pytest.raises(StoreCorrupt, match=r"thumbs.bin at \d+ is not what was written"):
            store.thumbnail(f"{A}:7")


@pytest.mark.parametrize("name", GENERATION)
def test_a_truncated_or_missing_file_is_one_line(root: Path, name: str) -> None:
    path = root / A / "gen-000001" / name
    data = path.read_bytes()
    for rest in (data[: len(data) // 2], b"", None):
        path.unlink(missing_ok=True)
        if rest is not None:
            path.write_bytes(rest)
        assert A in lines(root)
        with Store.open(root) as store:
            for ask in (lambda: store.features(A, [6]), lambda: store.thumbnail(f"{A}:7")):
                if name == "meta.json" or (name == "thumbs.bin") == ("features" in ask.__code__.co_names):
                    continue
                with pytest.raises(StoreCorrupt) as caught:
                    ask()
                assert "\n" not in str(caught.value)


def test_repair_puts_a_broken_generation_aside_and_says_what_to_index_again(root: Path) -> None:
    flip(root / A / "gen-000001" / "thumbs.bin", 5)
    before = (root / A / "gen-000001" / "thumbs.bin").read_bytes()
    done = "\n".join(repair(root))
    assert f"video {A} 'film {A} cut 1' is lost; run hicom-agent index /films/1/film-{A}.mp4" in done
    assert (root / A / "gen-000001.broken" / "thumbs.bin").read_bytes() == before
    with Store.open(root) as store:
        assert [row.video_id for row in store.videos()] == [B]
    [finding] = check(root)
    assert not finding.serious and "put aside" in finding.problem
    with Store.open(root, write=True) as store:
        assert store.commit(make_record(1)) == "gen-000002"
        assert store.texts(A)[0].text == "TAKE1 exit"
        store.forget(A)
    assert (root / A / "gen-000001.broken").exists() is False
    assert check(root) == []


def test_repair_falls_back_to_an_older_generation_that_is_whole(root: Path) -> None:
    with Store.open(root, write=True) as store, store.snapshot():
        store.commit(make_record(3))
    flip(root / A / "gen-000002" / "meta.json", 5)
    repair(root)
    with Store.open(root) as store:
        assert store.version(A) == "gen-000001" and store.texts(A)[0].text == "TAKE1 exit"


@pytest.mark.parametrize("harm", ["gone", "garbage", "half", "table", "index"])
def test_the_catalogue_is_made_again_from_the_generations(root: Path, harm: str) -> None:
    before, catalog = everything(root), root / "catalog.sqlite"
    if harm == "gone":
        catalog.unlink()
    elif harm == "garbage":
        catalog.write_bytes(b"\0 not a database" * 1000)
    elif harm == "half":
        catalog.write_bytes(catalog.read_bytes()[: catalog.stat().st_size // 2])
    else:
        db = sqlite3.connect(catalog)
        db.execute("DELETE FROM clips WHERE idx > 0" if harm == "table" else "DELETE FROM speech_words_docsize")
        db.commit()
        db.close()
    found = check(root)
    assert found and all(finding.serious for finding in found)
    assert repair(root)
    assert everything(root) == before
    assert check(root) == []
    assert (root / "catalog.sqlite.broken").exists() == (harm in ("garbage", "half", "index"))


def test_a_reader_that_was_open_sees_the_repaired_catalogue(root: Path) -> None:
    with Store.open(root) as reader:
        assert len(reader.videos()) == 2
        (root / "catalog.sqlite").unlink()
        repair(root)
        with Store.open(root, write=True) as store:
            store.forget(B)
        assert [row.video_id for row in reader.videos()] == [A]


def test_a_cache_that_is_not_what_was_written_is_not_used_and_is_made_again(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = everything(root)
    hostile = faiss.IndexFlatIP(16)
    hostile.add(np.full((4, 16), 9, np.float32))
    first, second = sorted((root / "cache").glob("*-frames.vectors"))
    faiss.write_index(hostile, str(first))
    second.unlink()
    with caplog.at_level(logging.WARNING):
        assert everything(root) == before
    assert first.name in caplog.text
    assert sorted(finding.serious for finding in check(root)) == [False, False]
    assert len(repair(root)) == 2
    assert check(root) == [] and first.exists() and second.exists()
    assert everything(root) == before


def test_a_whole_generation_that_was_never_published_is_found_and_published(root: Path) -> None:
    copy = root / A / "gen-000002"
    shutil.copytree(root / A / "gen-000001", copy)
    manifest = json.loads((copy / "MANIFEST.json").read_text())
    (copy / "MANIFEST.json").write_text(json.dumps({**manifest, "version": "gen-000002"}))
    [finding] = check(root)
    assert not finding.serious and "not in the catalogue" in finding.problem
    Store.open(root, write=True).close()
    with Store.open(root) as store:
        assert store.version(A) == "gen-000002"
    assert check(root) == []


def test_a_generation_that_was_moved_to_another_video_is_not_believed(root: Path) -> None:
    shutil.copytree(root / A / "gen-000001", root / B / "gen-000002")
    with Store.open(root, write=True) as store:
        assert store.version(B) == "gen-000001" and store.texts(B)[0].text == "TAKE2 exit"
    assert (root / B / "gen-000002.broken").is_dir()


def test_foreign_files_in_the_folder_are_left_alone(root: Path) -> None:
    foreign = [root / "notes.txt", root / "cache" / "mine.txt", root / A / "gen-x" / "y", root / "staging" / "z" / "a"]
    for path in foreign:
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("mine")
    repair(root)
    with Store.open(root, write=True) as store:
        store.commit(make_record(3))
    assert all(path.read_text() == "mine" for path in foreign)


def test_repair_waits_for_nobody_and_touches_nothing_newer(root: Path) -> None:
    with Store.open(root, write=True), pytest.raises(StoreBusy):
        repair(root)
    db = sqlite3.connect(root / "catalog.sqlite")
    db.execute("PRAGMA user_version = 2")
    db.close()
    for work in (check, repair):
        with pytest.raises(StoreTooNew):
            work(root)


def test_any_bit_of_the_catalogue_may_flip_and_repair_brings_everything_back(root: Path) -> None:
    before, catalog = everything(root), root / "catalog.sqlite"
    data = catalog.read_bytes()
    rng = np.random.default_rng(3)
    for at in [*range(0, 100, 9), *rng.integers(0, len(data), 30)]:
        catalog.write_bytes(data)
        flip(catalog, int(at))
        try:
            well = check(root) == []
            done = repair(root)
            assert everything(root) == before
            assert not well or done == [] or "full-text" in done[0] or "readonly" in done[0]
        except (StoreTooNew, StoreCorrupt) as error:
            assert "\n" not in str(error)  # said, not guessed
        for path in root.glob("catalog.sqlite*"):
            path.unlink()


@pytest.mark.parametrize("at", [0, 5, 9, 13, 40, -1, -100])
def test_one_wrong_bit_of_a_cache_file_is_found_when_it_is_read_and_by_the_doctor(
    root: Path, at: int, caplog: pytest.LogCaptureFixture
) -> None:
    before = everything(root)
    path = min((root / "cache").glob("*-frames.vectors"))
    flip(path, at)
    assert [finding.what for finding in check(root)] == [str(path)]
    with caplog.at_level(logging.WARNING):
        assert everything(root) == before
    assert path.name in caplog.text


@pytest.mark.parametrize("size", [0, 3, 12, 50])
def test_a_cache_file_that_is_cut_off_is_not_used(root: Path, size: int) -> None:
    before = everything(root)
    path = min((root / "cache").glob("*-frames.vectors"))
    path.write_bytes(path.read_bytes()[:size])
    assert len(check(root)) == 1 and everything(root) == before


def test_cache_files_of_an_older_version_are_passed_over_and_made_again_by_the_next_writer(root: Path) -> None:
    before, sizes = everything(root), num_bytes(root)
    for path in (root / "cache").glob("*.vectors"):
        path.rename(path.with_suffix(".faiss"))
    db = sqlite3.connect(root / "catalog.sqlite")
    db.execute("UPDATE caches SET file = replace(file, '.vectors', '.faiss'), sha256 = 'of the whole file'")
    db.commit()
    db.close()
    assert everything(root) == before
    Store.open(root, write=True).close()
    assert check(root) == [] and everything(root) == before and num_bytes(root) == sizes
    assert not list((root / "cache").glob("*.faiss"))


def num_bytes(root: Path) -> list[int]:
    with Store.open(root) as store:
        return [row.bytes for row in store.videos()]
