"""Where a question looked: the contract with encoders, on a made store; real pictures are in tests/tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from hicom_agent.agent.where import Relevance, cut_bars, heat, peaks, relevance
from hicom_agent.errors import InputError, UnknownVideo
from hicom_agent.memory import Store
from hicom_agent.testing import make_record
from hicom_agent.types import FrameFeatures

VIDEO = "00000000000000aa"
SIDE = 9


class PatchEncoder:
    """Sees the thing in the middle patch of every frame and is `sure` of it; knows patches, not places."""

    version = "made-1"
    reads = "1"
    temperature: float | None = 0.1

    def __init__(self, sure: float = 0.6, *, pads: bool = False) -> None:
        self.sure, self.pads = sure, pads

    def encode_guide(self, question: str) -> np.ndarray:
        return np.array([1.0, 0.0] + [0.0] * 14, np.float32)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.tile(np.eye(16, dtype=np.float32)[1], (len(texts), 1))

    def unpack(self, packed: Mapping[str, np.ndarray], thumbnails: Callable[[], Sequence[bytes]]) -> FrameFeatures:
        t = len(packed["codes"])
        keys = np.zeros((t, SIDE, SIDE, 16), np.float32)
        keys[:, SIDE // 2, SIDE // 2, 0] = 1.0
        return FrameFeatures(keys, keys, keys.mean((1, 2)))

    def scan(self, question: str, packed: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.full(len(packed["codes"]), self.sure, np.float32)

    def unread(self, question: str) -> list[str]:
        return []

    def describe(self, packed: Mapping[str, np.ndarray], limit: int) -> list[list[str]]:
        return [[] for _ in packed["codes"]]


class PlaceEncoder(PatchEncoder):
    """Knows the place of its evidence."""

    def locate(self, question: str, packed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        return [np.array([[0.0, self.sure]], np.float32) for _ in packed["codes"]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    picture = bytes(cv2.imencode(".jpg", np.zeros((90, 160, 3), np.uint8))[1].tobytes())
    record = make_record(1)
    frames = [replace(frame, thumbnail=picture if frame.thumbnail else b"") for frame in record.frames]
    with Store.open(tmp_path / "store", write=True) as store:
        store.commit(replace(record, frames=frames))
        silent = replace(make_record(2, video_id="00000000000000bb"), clips=[], frames=[], vectors={}, packed={})
        store.commit(replace(silent, speech=[], texts=[]))
        yield store


def test_without_places_heat_is_the_attention_scaled_to_the_presence(store: Store) -> None:
    found = heat(store, PatchEncoder(), VIDEO, "a thing", 3)
    assert found.shape == (SIDE, SIDE) and found.argmax() == SIDE * SIDE // 2
    assert found.max() == pytest.approx(0.6) and found.min() >= 0
    assert heat(store, PatchEncoder(0.0), VIDEO, "a thing", 3).max() == 0


def test_bars_that_an_encoder_adds_are_cut_off(store: Store) -> None:
    found = heat(store, PatchEncoder(pads=True), VIDEO, "a thing", 3)  # thumbnails are 16:9
    assert found.shape == (5, SIDE)
    assert found.argmax() == 2 * SIDE + SIDE // 2 and found.max() == pytest.approx(0.6)
    assert cut_bars(np.ones((4, 4), np.float32), 0.5).shape == (4, 2)


def test_an_encoder_that_knows_places_is_believed(store: Store) -> None:
    assert heat(store, PlaceEncoder(), VIDEO, "a thing", 0).tolist() == [[0.0, pytest.approx(0.6)]]


def test_relevance_has_every_sampled_frame_and_moments_inside_the_film(store: Store) -> None:
    found = relevance(store, PatchEncoder(), VIDEO, "a thing")
    assert len(found.times_s) == len(found.values) == len(store.frames(VIDEO))
    assert found.values == pytest.approx(0.6) and found.moments
    assert all(0 <= moment.start_s <= moment.end_s <= 9 for moment in found.moments)
    assert not relevance(store, PatchEncoder(0.1), VIDEO, "another").moments


def test_peaks_are_apart_in_time_order_and_none_where_nothing_is_seen() -> None:
    times_s = np.arange(100, dtype=np.float32)
    values = np.zeros(100, np.float32)
    values[[10, 11, 50, 90]] = 0.8, 0.9, 0.5, 0.7
    assert peaks(Relevance(times_s, values, []), 2) == [11, 90]
    assert peaks(Relevance(times_s, values, []), 6) == [11, 50, 90]
    assert peaks(Relevance(times_s, values * np.float32(0.1), []), 6) == []
    assert peaks(Relevance(times_s[:0], values[:0], []), 6) == []


def test_what_cannot_be_looked_at_is_told(store: Store) -> None:
    with pytest.raises(InputError, match="no frame 8"):
        heat(store, PatchEncoder(), VIDEO, "a thing", 8)
    with pytest.raises(UnknownVideo):
        relevance(store, PatchEncoder(), "0" * 16, "a thing")
    with pytest.raises(InputError, match="no pictures"):
        heat(store, PatchEncoder(), "00000000000000bb", "a thing", 0)
    other = PatchEncoder()
    other.version = "made-2"
    for look in (lambda: relevance(store, other, VIDEO, "a thing"), lambda: heat(store, other, VIDEO, "a thing", 0)):
        with pytest.raises(InputError, match="do not compare"):
            look()
