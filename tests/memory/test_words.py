"""Words are looked for in all videos or in some, and a common word costs no more than a rare one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hicom_agent.memory import Store, words
from hicom_agent.testing import make_record
from hicom_agent.types import Utterance

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
