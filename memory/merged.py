"""The vectors of many generations as one collection, so that a question asks one index and not one for each video."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hicom_agent.memory.catalog import Published
from hicom_agent.memory.flat import Part
from hicom_agent.memory.index import Floats, VectorIndex
from hicom_agent.memory.table import Table

_AT_ONCE = 64  # videos

Loader = Callable[[Published], Table | None]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the vectors of a generation are."""

    video_id: str
    width: int  # of its vectors
    ids: range  # in the index of that width
    entries: NDArray[np.int32]  # the frame, utterance or text of each


class Merged:
    """The vectors of one kind, in one index for each width; safe to use from many threads, one at a time.

    It follows the catalogue: what a question needs and is not here yet is added, what is not committed any more goes.
    It lies in memory only: making it of a thousand videos takes a second, as reading their indexes one by one did; a
    file of its own would be read in over half of that, and written anew with every commit.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._indexes: dict[int, VectorIndex] = {}
        self._places: dict[Published, _Place] = {}  # in the order of their ids
        self._starts: tuple[list[_Place], NDArray[np.int64]] = ([], np.zeros(0, np.int64))
        self._committed: Collection[Published] = ()
        self._everything: list[_Place] | None = None  # where all that is committed is, once all of it was asked
        self._next_id = 0

    @property
    def num_bytes(self) -> int:
        """Return what it takes in memory."""
        return sum(index.num_bytes for index in self._indexes.values()) + 4 * self._next_id

    def search(
        self,
        wanted: Collection[Published],
        committed: Collection[Published],
        question: Floats,
        k: int,
        load: Loader,
        per_video: int | None = None,
    ) -> list[tuple[str, int, float]]:
        """Return the k entries of `wanted` nearest to a unit vector [e]: video id, entry, cosine; ties in order.

        With `per_video`, at most so many of one video.

        `committed` is all that there is, and the same object as long as that does not change; `load` gives the
        table of one generation.
        Raises ValueError unless all vectors of `wanted` have the question's width.
        """
        with self._lock:
            places = self._follow(wanted, committed, load)
            everything = places is self._everything and self._indexes.keys() <= {len(question)}
            for place in () if everything else places:
                check_width(place.video_id, place.width, question)
            index = self._indexes.get(len(question))
            if index is None or not places:
                return []
            self._tidy()
            only = None if everything or _num_in(places) == len(index) else [place.ids for place in places]
            if per_video is None:
                ids, cosines = index.search(question, k, only, all_ties=True)
            else:
                ids, cosines = index.search_groups(question, k, per_video, self._numbers, only)
            hits = [(*entry, c) for entry, c in zip(self._entries(ids), cosines.tolist(), strict=True)]
        return heapq.nsmallest(k, hits, key=lambda hit: (-hit[2], hit[0], hit[1]))

    def _follow(self, wanted: Collection[Published], committed: Collection[Published], load: Loader) -> list[_Place]:
        """Remove what is not committed any more, add what is not here yet, and return where `wanted` is."""
        if committed is not self._committed:  # comparing a thousand takes a millisecond
            for which in self._places.keys() - committed:
                place = self._places.pop(which)
                if place.ids:
                    self._indexes[place.width].remove(np.arange(place.ids.start, place.ids.stop))
            self._committed, self._everything = committed, None
            self._note_starts()
        if wanted is committed and self._everything is not None:
            return self._everything
        new = [which for which in wanted if which not in self._places]
        try:
            for start in range(0, len(new), _AT_ONCE):
                self._add([(which, load(which)) for which in new[start : start + _AT_ONCE]])
        finally:
            if new:
                self._note_starts()
        places = [place for which in wanted if (place := self._places[which]).ids]
        self._everything = places if wanted is committed else self._everything
        return places

    def _note_starts(self) -> None:
        places = list(self._places.values())
        self._starts = places, np.array([place.ids.start for place in places], np.int64)

    def part(self, which: Published) -> Part | None:
        """Return the vectors of one generation, None if they are not here."""
        with self._lock:
            place = self._places.get(which)
            return Part(place.entries, self._indexes[place.width].part(place.ids)) if place and place.ids else None

    def _add(self, loaded: Sequence[tuple[Published, Table | None]]) -> None:
        placed: dict[Published, _Place] = {}
        rows: dict[int, list[NDArray[np.float16]]] = {}
        for which, table in loaded:
            num, width = table.rows.shape if table is not None else (0, 0)
            entries = np.array(table.entries) if table is not None else np.zeros(0, np.int32)
            placed[which] = _Place(which.video_id, width, range(self._next_id, self._next_id + num), entries)
            self._next_id += num
            if table is not None:
                rows.setdefault(width, []).append(table.rows)
        for width, parts in rows.items():
            ids = np.concatenate([np.array(place.ids) for place in placed.values() if place.width == width])
            self._indexes.setdefault(width, VectorIndex(width)).add(ids, np.concatenate(parts))
        self._places.update(placed)

    def _tidy(self) -> None:
        for index in self._indexes.values():
            if index.wasteful or index.outgrown:
                index.compact()

    def _numbers(self, vector_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a number for the video of each vector."""
        return np.asarray(np.searchsorted(self._starts[1], vector_ids, "right"), np.int64)

    def _entries(self, vector_ids: NDArray[np.int64]) -> list[tuple[str, int]]:
        """Return which entry of which video each vector is of."""
        places, starts = self._starts
        found = [places[at] for at in (np.searchsorted(starts, vector_ids, "right") - 1).tolist()]
        return [
            (place.video_id, int(place.entries[i - place.ids.start]))
            for place, i in zip(found, vector_ids.tolist(), strict=True)
        ]


def _num_in(places: Sequence[_Place]) -> int:
    return sum(len(place.ids) for place in places)


def check_width(video_id: str, width: int, question: Floats) -> None:
    """Raise ValueError unless a video has vectors of the question's width."""
    if width != question.shape[-1]:
        raise ValueError(f"the question has {question.shape[-1]} numbers, {video_id} has vectors of {width}")
