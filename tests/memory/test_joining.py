"""Many stores into one: the best copy that is whole, and each video accounted for."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from hicom_agent.errors import InputError, StoreCorrupt
from hicom_agent.memory import Store, Taken, check, merge, stats
from hicom_agent.testing import make_record
from hicom_agent.types import Progress, Record

A, B, C = "00000000000000aa", "00000000000000bb", "00000000000000cc"


def make_store(folder: Path, *records: Record) -> Path:
    with Store.open(folder, write=True) as store:
        for record in records:
            store.commit(record)
            time.sleep(0.002)  # no two at the same time
    return folder


def with_words(mark: int, words: str, video_id: str = A) -> Record:
    return dataclasses.replace(make_record(mark, video_id=video_id), settings_key=words)


def mark_of(store: Store, video_id: str = A) -> int:
    return int(store.features(video_id, [0])["scale"][0, 0])


def states(taken: list[Taken]) -> list[tuple[str, str]]:
    return [(one.video_id[-2:], one.state) for one in taken]


def test_every_video_of_every_store_is_there_afterwards_and_twice_is_as_once(tmp_path: Path) -> None:
    one = make_store(tmp_path / "one", make_record(1), make_record(2, video_id=B))
    two = make_store(tmp_path / "two", make_record(3, video_id=C))
    told: list[Progress] = []
    with Store.open(make_store(tmp_path / "all", make_record(4, video_id="0" * 16)), write=True) as store:
        assert states(merge(store, [one, two], told.append)) == [
            ("aa", "adopted"),
            ("bb", "adopted"),
            ("cc", "adopted"),
        ]
        assert [mark_of(store, video_id) for video_id in (A, B, C)] == [1, 2, 3] and len(store.videos()) == 4
        again = merge(store, [one, two])
        assert {one.state for one in again} == {"there already"} and {one.version for one in again} == {"gen-000001"}
    assert [progress.note for progress in told] == [A, B, C, ""] and told[-1].done == told[-1].total > 0
    assert check(tmp_path / "all") == []


def test_of_two_copies_the_one_with_more_in_it_is_taken_then_the_newer(tmp_path: Path) -> None:
    much = make_store(tmp_path / "much", with_words(1, "every=1.0 ocr speech"))
    older = make_store(tmp_path / "older", with_words(2, "every=1.0 speech"))
    newer = make_store(tmp_path / "newer", with_words(3, "every=1.0 speech"))
    other = make_store(tmp_path / "other", with_words(4, "every=2.0 speech"))
    for sources, expected in (
        ([older, newer], 3),
        ([newer, older], 3),
        ([older, much, newer], 1),
        ([much, newer, other], 4),
    ):
        with Store.open(tmp_path / f"all-{sources[0].name}-{len(sources)}", write=True) as store:
            assert len(merge(store, sources)) == 1 and mark_of(store) == expected


def test_what_the_store_has_stays_unless_there_is_better(tmp_path: Path) -> None:
    older = make_store(tmp_path / "older", with_words(1, "every=1.0 speech"))
    mine = make_store(tmp_path / "all", with_words(2, "every=1.0 speech"))
    newer = make_store(tmp_path / "newer", with_words(3, "every=1.0 speech"))
    less = make_store(tmp_path / "less", with_words(4, "every=1.0"))
    with Store.open(mine, write=True) as store:
        assert states(merge(store, [older, less])) == [("aa", "there already")]
        assert mark_of(store) == 2
        [taken] = merge(store, [newer])
        assert (taken.state, taken.version, mark_of(store)) == ("adopted", "gen-000002", 3)
        assert taken.why == "in the place of gen-000001 of profile made-1"
        assert states(merge(store, [newer, older, mine])) == [("aa", "there already")]


def test_a_corrupt_copy_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    good = make_store(tmp_path / "good", make_record(1))
    bad = make_store(tmp_path / "bad", make_record(2), make_record(3, video_id=B), make_record(4, video_id=C))
    (bad / A / "gen-000001" / "thumbs.bin").write_bytes(b"")
    (bad / C / "gen-000001" / "MANIFEST.json").write_bytes(b"{}")
    with Store.open(tmp_path / "all", write=True) as store:
        taken = merge(store, [good, bad])
        assert states(taken) == [("cc", "refused"), ("aa", "refused"), ("aa", "adopted"), ("bb", "adopted")]
        assert taken[0].source == taken[1].source == str(bad) and "thumbs.bin" in taken[1].why
        assert [mark_of(store, video_id) for video_id in (A, B)] == [1, 3]
    assert check(tmp_path / "all") == []


def test_profiles_may_meet_in_one_store(tmp_path: Path) -> None:
    one = make_store(tmp_path / "one", make_record(1))
    two = make_store(tmp_path / "two", dataclasses.replace(make_record(2, video_id=B, width=17), profile="made-2"))
    with Store.open(tmp_path / "all", write=True) as store:
        merge(store, [one, two])
        assert stats(store).profiles == {"made-1": 1, "made-2": 1}


def test_a_folder_that_is_no_store_is_named_before_anything_is_done(tmp_path: Path) -> None:
    one = make_store(tmp_path / "one", make_record(1))
    (tmp_path / "films").mkdir()
    with Store.open(tmp_path / "all", write=True) as store:
        for folder in ("films", "nothing"):
            with pytest.raises(InputError, match=f"{folder} is no store"):
                merge(store, [one, tmp_path / folder])
        (one / "catalog.sqlite").unlink()
        with pytest.raises(StoreCorrupt, match="no catalogue"):
            merge(store, [one])
        assert store.videos() == []


def test_stats_add_up(tmp_path: Path) -> None:
    root = make_store(tmp_path / "all", make_record(1), make_record(2), make_record(3, video_id=B))
    with Store.open(root, write=True) as store:
        store.journal(C, "made-1", "x")
        found, rows = stats(store), store.videos()
    assert (found.videos, found.clips, found.frames, found.frames_kept) == (2, 8, 16, 8)
    assert (found.utterances, found.texts, found.unfinished) == (8, 2, 1)
    assert found.hours == pytest.approx(sum(row.duration_s for row in rows) / 3600)
    assert (found.profiles, found.languages) == ({"made-1": 2}, {"en": 2})
    assert found.versions == {"gen-000002": 1, "gen-000001": 1}
    assert (found.oldest_indexed_at, found.newest_indexed_at) == (rows[0].indexed_at, rows[1].indexed_at)
    on_disk = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    assert 0 < found.bytes["vectors"] < found.total_bytes == sum(found.bytes.values())
    assert abs(on_disk - found.total_bytes) <= 100_000, "the log of the catalogue may be folded in meanwhile"
    assert sum(row.bytes for row in rows) < sum(
        found.bytes[part] for part in ("vectors", "patches", "thumbs", "meta", "caches")
    )


def test_stats_of_nothing_are_zero(tmp_path: Path) -> None:
    with Store.open(tmp_path / "nothing") as store:
        found = stats(store)
    assert (found.videos, found.total_bytes, found.bytes_per_hour, found.oldest_indexed_at) == (0, 0, 0.0, None)
    assert not (tmp_path / "nothing").exists()
