"""What was committed is what is read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hicom_agent.errors import InputError, StoreTooNew, UnknownVideo
from hicom_agent.memory import Store
from hicom_agent.testing import make_record
from hicom_agent.types import Record, ScreenText, StoredFrame, Utterance

A, B = "00000000000000aa", "00000000000000bb"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store", write=True) as opened:
        yield opened


def without_pictures(record: Record) -> list[StoredFrame]:
    return [dataclasses.replace(frame, thumbnail=b"") for frame in record.frames]


def test_a_committed_record_is_read_back_whole(store: Store, tmp_path: Path) -> None:
    record = make_record(3)
    assert store.commit(record) == "gen-000001"
    with Store.open(tmp_path / "store") as again:
        for reader in (store, again):
            assert reader.info(A) == record.info
            assert reader.clips(A) == record.clips
            assert reader.frames(A) == without_pictures(record)
            assert reader.speech(A) == record.speech
            assert reader.texts(A) == record.texts
            assert reader.damage(A) == record.damage
            assert [reader.thumbnail(f"{A}:{i}") for i in (0, 1, 6)] == [record.frames[i].thumbnail for i in (0, 0, 6)]
            for kind in ("frames", "speech", "texts"):
                np.testing.assert_array_equal(reader.vectors(A, kind), record.vectors[kind])
        [row] = again.videos()
    assert (row.video_id, row.path, row.title) == (A, record.path, record.title)
    assert (row.duration_s, row.covered_s, row.language) == (record.info.duration_s, 7.0, "en")
    assert (row.num_clips, row.num_frames, row.num_kept, row.version) == (4, 8, 4, "gen-000001")
    assert (row.profile, row.settings_key) == ("made-1", record.settings_key)
    assert row.bytes == sum(
        path.stat().st_size
        for path in (tmp_path / "store").rglob("*")
        if path.parent.name in ("gen-000001", "cache") and path.name != "MANIFEST.json"
    )


def test_features_have_a_row_for_each_frame_asked_for_in_its_order(store: Store) -> None:
    record = make_record(3)
    store.commit(record)
    features = store.features(A, [6, 0, 1, 2])
    np.testing.assert_array_equal(features["codes"], record.packed["codes"][[3, 0, 0, 1]])
    np.testing.assert_array_equal(features["scale"], record.packed["scale"][[3, 0, 0, 1]])
    assert store.features(A, [])["codes"].shape == (0, 6, 2)
    with pytest.raises(ValueError, match="no frame 8 .* there are 8"):
        store.features(A, [8])


def test_indexing_again_replaces_the_version_and_removes_the_old_files(store: Store, tmp_path: Path) -> None:
    store.commit(make_record(1))
    assert store.commit(make_record(2)) == "gen-000002"
    assert store.version(A) == "gen-000002"
    assert store.texts(A)[0].text == "TAKE2 exit"
    assert [path.name for path in (tmp_path / "store" / A).iterdir()] == ["gen-000002"]
    assert {path.name.split("-frames")[0] for path in (tmp_path / "store" / "cache").glob("*-frames.vectors")} == {
        f"{A}-gen-000002"
    }
    assert store.search_words("texts", "take1", 5) == []


def test_a_snapshot_keeps_its_version_while_another_is_committed(store: Store, tmp_path: Path) -> None:
    store.commit(make_record(1))
    with Store.open(tmp_path / "store") as reader:
        with reader.snapshot() as still:
            store.commit(make_record(2))
            assert reader.texts(A)[0].text == "TAKE2 exit"
            assert still.texts(A)[0].text == "TAKE1 exit"
            assert still.features(A, [0])["scale"][0, 0] == 1  # opened only now: its files are still there
            assert still.thumbnail(f"{A}:0").startswith(b"picture 0 of take1;")
            assert still.search_vectors("frames", np.eye(16, dtype=np.float32)[1], 1)[0][2] == 1
        assert reader.features(A, [0])["scale"][0, 0] == 2
        store.commit(make_record(3))
    assert [path.name for path in (tmp_path / "store" / A).iterdir()] == ["gen-000003"]


def test_a_forgotten_video_leaves_nothing(store: Store, tmp_path: Path) -> None:
    store.commit(make_record(1))
    store.commit(make_record(2, video_id=B))
    store.journal(A, "made-1", "x").save("pictures", 0, {}, 1)
    store.forget(A)
    assert [row.video_id for row in store.videos()] == [B]
    assert [p for p in (tmp_path / "store").rglob("*") if A in p.name] == []
    assert store.search_words("speech", "take1", 9) == []
    with pytest.raises(UnknownVideo, match="hicom-agent list"):
        store.forget(A)


def test_a_video_forgotten_while_it_is_read_stays_readable_and_goes_later(store: Store, tmp_path: Path) -> None:
    store.commit(make_record(1))
    with store.snapshot() as still:
        store.forget(A)
        assert still.thumbnail(f"{A}:0").startswith(b"picture 0 of take1")
        assert store.videos() == []
    store.close()
    with Store.open(tmp_path / "store", write=True) as again:
        assert again.videos() == []
    assert not (tmp_path / "store" / A).exists()


def test_a_store_that_is_not_there_reads_as_empty_and_is_seen_once_made(tmp_path: Path) -> None:
    with Store.open(tmp_path / "none") as reader:
        assert reader.videos() == []
        assert reader.search_words("speech", "dog", 3) == []
        assert reader.search_vectors("frames", np.ones(4, np.float32), 3) == []
        with pytest.raises(UnknownVideo, match="empty; run hicom-agent index VIDEO"):
            reader.find_video("film.mp4")
        assert not (tmp_path / "none").exists()
        with Store.open(tmp_path / "none", write=True) as writer:
            writer.commit(make_record(1))
        assert len(reader.videos()) == 1


def test_reading_stores_refuse_to_write(tmp_path: Path) -> None:
    with Store.open(tmp_path) as reader, pytest.raises(ValueError, match="write=True"):
        reader.commit(make_record(1))


def test_a_video_is_found_by_id_path_title_start_of_id_or_part_of_title(store: Store, tmp_path: Path) -> None:
    here = dataclasses.replace(make_record(1), path=str(tmp_path / "Der Fluß.mp4"), title="Der Fluß")
    store.commit(here)
    store.commit(make_record(2, video_id="12345678000000bb"))
    for name in (A, A.upper(), here.path, str(tmp_path / "." / "Der Fluß.mp4"), "Der Fluß", "der fluss", "FLU", "0000"):
        assert store.find_video(name) == A, name
    assert store.find_video("12345") == "12345678000000bb"
    with pytest.raises(UnknownVideo, match="closest: .*'Der Fluß'"):
        store.find_video("/elsewhere/der fluss1.mp4")
    with pytest.raises(UnknownVideo, match="'zzz'; there are: 0000.* 1234"):
        store.find_video("zzz")
    store.commit(dataclasses.replace(make_record(3, video_id=B), title="Der Fluß"))
    with pytest.raises(UnknownVideo, match="may be any of 00000000000000aa .* 00000000000000bb"):
        store.find_video("fluß")
    for odd in ("", " ", "\0", "a\0b", "x" * 5000, "\udcff"):
        with pytest.raises(UnknownVideo):
            store.find_video(odd)


@pytest.mark.parametrize(
    "wrong", ["", ":", A, f"{A}:", f"{A}:-1", f"{A}:8", f"{A}:1.0", f"{A}:²", f"../{A}:0", "x" * 500]
)
def test_a_frame_id_that_is_none_is_refused_in_one_line(store: Store, wrong: str) -> None:
    store.commit(make_record(1))
    with pytest.raises(InputError) as caught:
        store.thumbnail(wrong)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_nearest_vectors_are_those_of_a_plain_product(store: Store) -> None:
    rng = np.random.default_rng(5)
    vectors = {A: rng.standard_normal((4, 16)), B: rng.standard_normal((4, 16))}
    for video_id, rows in vectors.items():
        record = make_record(1, video_id=video_id)
        store.commit(dataclasses.replace(record, vectors={**record.vectors, "frames": rows.astype(np.float32)}))
    question = rng.standard_normal(16).astype(np.float32)
    expected = sorted(
        (
            (video_id, 2 * i, float(row @ question / np.linalg.norm(row) / np.linalg.norm(question)))
            for video_id, rows in vectors.items()
            for i, row in enumerate(rows)
        ),
        key=lambda hit: -hit[2],
    )
    for k, video_ids in ((5, None), (99, None), (2, [B]), (3, [])):
        found = store.search_vectors("frames", question, k, video_ids)
        wanted = [hit for hit in expected if video_ids is None or hit[0] in video_ids][:k]
        assert [hit[:2] for hit in found] == [hit[:2] for hit in wanted]
        np.testing.assert_allclose([hit[2] for hit in found], [hit[2] for hit in wanted], atol=2e-3)  # kept as float16


def test_vectors_of_two_profiles_never_meet(store: Store) -> None:
    store.commit(make_record(1))
    store.commit(dataclasses.replace(make_record(1, video_id=B, width=8), profile="made-2"))
    question = np.ones(8, np.float32)
    assert {hit[0] for hit in store.search_vectors("frames", question, 9, profile="made-2")} == {B}
    with pytest.raises(ValueError, match="8 numbers, 00000000000000aa has vectors of 16"):
        store.search_vectors("frames", question, 9)


def test_words_are_found_whatever_their_form_and_case(store: Store) -> None:
    record = make_record(1)
    said = ["A dog was BARKING", "naïve café", "the cat", "我想去图书馆看书", "under_score"]
    speech = [Utterance(i, i + 1, text) for i, text in enumerate(said)]
    store.commit(dataclasses.replace(record, speech=speech, vectors={}))
    store.commit(make_record(2, video_id=B))

    def found(question: str) -> list[int]:
        return [index for video_id, index, _ in store.search_words("speech", question, 9, [A]) if video_id == A]

    assert found("When does the dog bark?") == [0]
    assert found("CAFES naive") == [1]
    assert found("the") == [2]  # alone, a stop word counts
    assert found("图书馆") == [3]
    assert found("书图") == []
    assert found("score") == [4]
    assert found("") == found("?!") == found("\0") == []
    assert {hit[0] for hit in store.search_words("speech", "dog", 9)} == {A, B}
    scores = [hit[2] for hit in store.search_words("speech", "dog barking line 2", 9)]
    assert scores == sorted(scores, reverse=True) and scores[-1] > 0


@pytest.mark.parametrize(
    "evil",
    [
        '"',
        '" OR *',
        "NEAR(a b)",
        "words:dog",
        "dog*",
        "^dog",
        "a AND NOT",
        "(",
        "-dog",
        "'; DROP TABLE speech;--",
        "\ud800",
    ],
)
def test_a_question_is_never_syntax(store: Store, evil: str) -> None:
    store.commit(make_record(1))
    for hit in store.search_words("speech", evil, 3):
        assert hit[0] == A
    assert len(store.speech(A)) == 4


def test_a_very_long_question_is_answered(store: Store) -> None:
    store.commit(make_record(1))
    assert len(store.search_words("speech", "dog " + " ".join(map(str, range(200_000))), 3)) == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"video_id": "../../etc/passwd"}, "16 hex"),
        ({"video_id": "00000000000000AA"}, "16 hex"),
        ({"sha256": "1" * 64}, "not the start"),
        ({"vectors": {"frames": np.full((4, 16), np.nan, np.float32)}}, "not a number"),
        ({"vectors": {"frames": np.ones((3, 16), np.float32)}}, "need 4 rows"),
        ({"vectors": {"scent": np.ones((4, 16), np.float32)}}, "got 'scent'"),
        ({"packed": {"codes": np.array([{}] * 4)}}, "codes"),
        ({"packed": {"codes": np.ones((5, 2))}}, "one row for each of 4"),
        ({"packed": {"../codes": np.ones((4, 2))}}, "codes"),
        ({"frames": [StoredFrame(0.0, 1, 0.5, b"")]}, "not kept"),
        ({"texts": [ScreenText(2.0, 1.0, "x")]}, "ends after it starts"),
        ({"speech": [Utterance(0.0, float("nan"), "x")]}, "ends after it starts"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused_before_any_write(
    store: Store, tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    store.commit(make_record(1))
    before = sorted((tmp_path / "store").rglob("*"))
    with pytest.raises(ValueError, match=reason):
        store.commit(dataclasses.replace(make_record(2), **change))  # type: ignore[arg-type]
    assert sorted((tmp_path / "store").rglob("*")) == before
    assert store.version(A) == "gen-000001"


def test_names_that_are_not_utf8_come_back(store: Store) -> None:
    odd = dataclasses.replace(make_record(1), path="/films/\udcff\udcfe.mp4", title="\udcff\udcfe")
    store.commit(odd)
    [row] = store.videos()
    assert row.path == odd.path
    assert row.title == "??"


def test_a_video_without_pictures_or_words_is_kept(store: Store) -> None:
    empty = dataclasses.replace(make_record(1), clips=[], frames=[], speech=[], texts=[], vectors={}, packed={})
    store.commit(empty)
    assert store.frames(A) == [] and store.features(A, []) == {}
    assert store.vectors(A, "frames").shape == (0, 0)
    assert store.search_vectors("frames", np.ones(16, np.float32), 3) == []


def test_a_newer_store_is_refused_for_reading_and_writing(store: Store, tmp_path: Path) -> None:
    import sqlite3

    store.commit(make_record(1))
    store.close()
    db = sqlite3.connect(tmp_path / "store" / "catalog.sqlite")
    db.execute("PRAGMA user_version = 99")
    db.close()
    for write in (False, True):
        with pytest.raises(StoreTooNew, match="schema 99, this version knows 1; update hicom-agent"):
            Store.open(tmp_path / "store", write=write)


def test_a_generation_of_a_newer_version_is_not_touched(store: Store, tmp_path: Path) -> None:
    store.commit(make_record(1))
    store.close()
    newer = tmp_path / "store" / A / "gen-000002"
    newer.mkdir()
    (newer / "MANIFEST.json").write_text(json.dumps({"schema": 2}))
    with pytest.raises(StoreTooNew, match="schema 2"):
        Store.open(tmp_path / "store", write=True)
    assert (newer / "MANIFEST.json").exists()
