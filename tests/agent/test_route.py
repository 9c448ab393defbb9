"""Of many videos, those that hold what is asked for are found without looking at any of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hicom_agent.agent import Agent, Readers
from hicom_agent.agent.film import Film
from hicom_agent.agent.route import ROUTED_MOST, route
from hicom_agent.agent.sight import CANDIDATES, near_clips, nearest_clips
from hicom_agent.memory import Store, index
from hicom_agent.testing import make_record
from hicom_agent.types import Clip, Record, StoredFrame, Utterance

WIDTH, NUM = 64, 40
Floats = NDArray[np.float32]


def video(number: int) -> str:
    return f"{number:016x}"


class AxisEncoder:
    """Reads a number in a text as an axis of the space of sentences and pictures; the vectors of `make_record`."""

    version, reads, temperature = "made-1", "1", None

    def encode_guide(self, question: str) -> Floats:
        found: Floats = self.encode_texts([question])[0]
        return found

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        marks = [int("".join(c for c in text if c.isdigit()) or 0) for text in texts]
        found: Floats = np.eye(WIDTH, dtype=np.float32)[marks]
        return found


ENCODER: Any = AxisEncoder()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("archive"), write=True) as opened:
        for number in range(NUM):
            opened.commit(make_record(number, video_id=video(number), width=WIDTH))
        opened.commit(crowd(NUM))
        yield opened


def crowd(number: int) -> Record:
    """Return a film of 200 clips and lines that all show and say a little of what film 7 does."""
    made = make_record(number, video_id=video(number), width=WIDTH)
    vector = 0.9 * np.eye(WIDTH, dtype=np.float32)[7] + 0.1 * np.eye(WIDTH, dtype=np.float32)[number]
    return replace(
        made,
        clips=[Clip(i, i, i + 1) for i in range(200)],
        frames=[StoredFrame(i, i, 1.0, b"x") for i in range(200)],
        speech=[Utterance(i, i + 0.5, "take7 take8 take9") for i in range(200)],
        vectors={"frames": np.tile(vector, (200, 1)), "speech": np.tile(vector, (200, 1))},
        packed={},
        texts=[],
    )


def test_no_more_videos_than_wanted_are_returned_unsearched(store: Store) -> None:
    assert route(store, None, "take3", [video(3), video(1), video(3)], 2) == [video(3), video(1)]  # type: ignore[arg-type]


def test_the_video_that_holds_it_comes_first_and_always_the_same_follow(store: Store) -> None:
    found = route(store, ENCODER, "something like 23", None, 4)
    assert found[0] == video(23) and len(set(found)) == 4
    assert found == route(store, ENCODER, "something like 23", None, 4)


def test_words_alone_lead_to_a_video_too(store: Store) -> None:
    assert video(31) in route(store, ENCODER, "TAKE31", None, 3)


def test_a_film_full_of_what_is_asked_for_leaves_room_for_others(store: Store) -> None:
    found = route(store, ENCODER, "take7", None, 4)
    assert {video(7), video(NUM)} <= set(found) and len(found) == 4


def test_only_the_named_videos_are_routed_to(store: Store) -> None:
    among = [video(i) for i in range(10, 30)]
    assert set(route(store, ENCODER, "take7", among, 5)) <= set(among)


def test_an_agent_routes_only_to_videos_that_it_can_ask(store: Store) -> None:
    agent = Agent(store, ENCODER, Readers(lambda: pytest.fail("no words are needed")))
    assert agent.route("take5", None, 3)[0] == video(5)
    other: Any = SimpleNamespace(version="another", encode_guide=ENCODER.encode_guide)
    assert Agent(store, other, agent.readers).route("take5") == []
    assert agent.route("take5", [video(6), video(5), "f" * 16], 3) == [video(5), video(6)]


def test_limits_below_one_are_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="limit"):
        route(store, ENCODER, "x", None, 0)
    with Store.open(tmp_path / "none") as empty:
        assert route(empty, ENCODER, "x", None, 3) == []


def test_a_store_of_before_is_routed_by_its_frames(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    everything, search = store.video_ids(), Store.search_vectors
    asked: list[str] = []

    def older(self: Store, kind: Any, *how: Any, **more: Any) -> Any:
        asked.append(kind)
        return [] if kind == "clips" else search(self, kind, *how, **more)

    monkeypatch.setattr(Store, "without_clips", lambda self: everything)
    monkeypatch.setattr(Store, "search_vectors", older)
    assert route(store, ENCODER, "something like 23", None, 4)[0] == video(23)
    assert {"clips", "frames"} <= set(asked)


def test_the_nearest_clips_of_several_videos_are_those_that_their_frames_lead_to(store: Store) -> None:
    several = [video(NUM), video(7), video(3), video(7)]
    found = nearest_clips(store, ENCODER, "take7", several)
    assert found == {video(NUM): list(range(CANDIDATES)), video(7): [0, 1, 2, 3], video(3): [0, 1, 2, 3]}
    guide = ENCODER.encode_guide("take7")
    assert all(near_clips(store, Film.read(store, video_id), guide) == found[video_id] for video_id in several)
    assert nearest_clips(store, ENCODER, "take7", ["f" * 16]) == nearest_clips(store, ENCODER, "take7", []) == {}


def test_of_as_many_videos_as_are_chosen_at_most_each_gives_its_clips(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "_DEEPEST", 8)
    chosen = [video(number) for number in range(ROUTED_MOST)]
    assert nearest_clips(store, ENCODER, "take7", chosen) == {video_id: [0, 1, 2, 3] for video_id in chosen}
