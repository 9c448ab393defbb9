"""Words are looked for in all videos or in some, and a common word costs no more than a rare one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hicom_agent.memory import Store, words
from hicom_agent.testing import make_record
from hicom_agent.types import ScreenText, Utterance

VIDEOS = [f"{i:016x}" for i in range(6)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path, write=True) as opened:
        for number, video_id in enumerate(VIDEOS):
            said = [Utterance(i, i + 1, f"common line{i} of{number}" + " rare" * (i == 7)) for i in range(20)]
            record = make_record(number, video_id=video_id)
            opened.commit(dataclasses.replace(record, speech=said, vectors={}))
        yield opened


def found(store: Store, question: str, k: int = 200, videos: list[str] | None = None) -> list[tuple[str, int]]:
    return [hit[:2] for hit in store.search_words("speech", question, k, videos)]


@pytest.mark.parametrize("many", [64, 1])
def test_some_videos_give_what_all_give_of_them(store: Store, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "_MANY", many)
    for question in ("common rare", "rare", "line7", "of3 rare"):
        everything = set(found(store, question))
        for videos in (VIDEOS[2:3], VIDEOS[1:5], [VIDEOS[0], VIDEOS[5]], VIDEOS):
            assert set(found(store, question, videos=videos)) == {hit for hit in everything if hit[0] in videos}
    assert found(store, "rare", videos=["f" * 16]) == [] == found(store, "rare", videos=[])


def test_where_too_many_lines_hold_a_word_the_rarer_ones_decide(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MOST", 10)
    assert found(store, "common rare") == [(video_id, 7) for video_id in VIDEOS]
    assert len(found(store, "common")) == 10, "of a common word alone, as many as are scored"
    inside = found(store, "common rare", videos=VIDEOS[3:4])
    assert inside == [(VIDEOS[3], 7)], "twenty are more than ten"


def test_equal_lines_come_in_the_order_of_their_videos(store: Store) -> None:
    assert found(store, "rare", 3) == [(video_id, 7) for video_id in VIDEOS[:3]]


def test_lines_keep_their_places_when_videos_go_and_others_come(store: Store) -> None:
    assert found(store, "line7", 99) == [(video_id, 7) for video_id in VIDEOS]
    store.forget(VIDEOS[1])
    record = make_record(9, video_id=VIDEOS[3])
    store.commit(dataclasses.replace(record, speech=[Utterance(i, i + 1, f"line{i}") for i in range(9)], vectors={}))
    assert sorted(found(store, "line7", 99)) == [(video_id, 7) for video_id in VIDEOS if video_id != VIDEOS[1]]
    assert found(store, "line8", 99, VIDEOS[2:5]) == [(VIDEOS[3], 8), (VIDEOS[2], 8), (VIDEOS[4], 8)]


def test_threads_may_share_a_snapshot(store: Store) -> None:
    expected = [found(store, f"line{i}", 99) for i in range(20)]
    with store.snapshot() as still, ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda i: found(still, f"line{i}", 99), range(20))) == expected


@pytest.mark.parametrize("warm", [False, True])
def test_of_each_video_the_best_lines_are_given_and_no_more_than_asked_for(store: Store, warm: bool) -> None:
    with store.snapshot() as still:
        if warm:  # then what was read of all videos is used for some
            found(still, "common")
        chosen = [VIDEOS[4], "f" * 16, VIDEOS[1], VIDEOS[4]]
        hits = still.search_words("speech", "common rare line3", 5, chosen, per_video=2)
    assert {hit[:2] for hit in hits} == {(video_id, i) for video_id in (VIDEOS[1], VIDEOS[4]) for i in (3, 7)}
    assert [hit[2] for hit in hits] == sorted((hit[2] for hit in hits), reverse=True)
    assert len(store.search_words("speech", "common", 5, per_video=1)) == 5
    assert store.search_words("speech", "nowhere", 5, chosen, per_video=2) == []


def test_a_line_comes_with_those_right_before_and_after_it(store: Store) -> None:
    places = [(VIDEOS[2], 19), (VIDEOS[1], 0), (VIDEOS[1], 5), (VIDEOS[1], 0)]
    rows = store.lines_around("speech", places)
    assert [[at for at, _ in each] for each in rows] == [[18, 19], [0, 1], [4, 5, 6], [0, 1]]
    assert all(line == store.speech(at[0])[i] for at, each in zip(places, rows, strict=True) for i, line in each)
    assert store.lines_around("speech", [(VIDEOS[1], -1), (VIDEOS[1], 20), ("f" * 16, 0)]) == [[], [], []]
    assert store.lines_around("speech", []) == []


def test_a_text_comes_with_those_on_the_screen_together_with_it(store: Store) -> None:
    spans = [(0, 9, "all along"), (1, 2, "first"), (2, 3, "then"), (9, 9, "end")]
    shown = [ScreenText(*span) for span in spans]
    store.commit(dataclasses.replace(make_record(0, video_id=VIDEOS[0]), texts=shown, vectors={}))
    rows = store.lines_around(
        "texts", [(VIDEOS[0], 3), (VIDEOS[0], 1), (VIDEOS[0], 0), (VIDEOS[0], 4), (VIDEOS[0], -1)]
    )
    assert [[at for at, _ in each] for each in rows] == [[3], [0, 1], [0, 1, 2], [], []]
    assert all(text == shown[i] for each in rows for i, text in each)
