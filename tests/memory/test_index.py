"""One collection of vectors, and one of all videos, give what looking at every vector gives."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from hicom_agent.memory import Store, index, merged, vectors
from hicom_agent.memory.index import VectorIndex
from hicom_agent.testing import make_record

WIDTH = 24
Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Hits = list[tuple[str, int, float]]


def unit(rows: NDArray[np.floating]) -> Floats:
    """Return rows of length one, as a generation keeps them."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    made: Floats = (rows / lengths).astype(np.float16).astype(np.float32)
    return made


def clustered(num: int, seed: int = 0) -> Floats:
    """Return vectors that lie in groups of near-duplicates, some of them the same, as those of films do."""
    rng = np.random.default_rng(seed)
    scenes = rng.standard_normal((max(1, num // 10), WIDTH)) + 2 * rng.standard_normal(WIDTH)
    rows = scenes[rng.integers(len(scenes), size=num)] + 0.4 * rng.standard_normal((num, WIDTH))
    rows[num // 2 :: 7] = rows[0]
    return unit(rows)


def questions(among: Floats, num: int) -> dict[str, Floats]:
    """Return questions drawn like the vectors, near them, and from anywhere."""
    rng = np.random.default_rng(99)
    own = among[rng.integers(len(among), size=num)]
    noise = rng.standard_normal(own.shape) / WIDTH**0.5
    return {"own": unit(own), "near": unit(own + noise), "anywhere": unit(noise)}


def brute_force(ids: Ids, rows: Floats, query: Floats, k: int) -> tuple[Ids, Floats]:
    cosines = np.array([faiss_product(row, query) for row in rows], np.float32)
    order = np.lexsort((ids, -cosines))[:k]
    return ids[order], cosines[order]


def faiss_product(row: Floats, query: Floats) -> float:
    return float(faiss.fvec_inner_product(faiss.swig_ptr(row), faiss.swig_ptr(query), len(row)))


def make(num: int, *, flat_until: int = 1 << 20) -> tuple[Ids, Floats, VectorIndex]:
    ids, rows = 3 * np.arange(num) + 5, clustered(num)
    made = VectorIndex(WIDTH, flat_until=flat_until)
    for part in np.array_split(np.arange(num), 3):
        made.add(ids[part], rows[part])
    return ids, rows, made


def assert_exact(
    made: VectorIndex, ids: Ids, rows: Floats, k: int = 20, only: Sequence[range] | None = None, num: int = 4
) -> None:
    for asked in questions(rows, num).values():
        for query in asked:
            found, cosines = made.search(query, k, only)
            wanted, products = brute_force(ids, rows, query, k)
            np.testing.assert_array_equal(found, wanted)
            np.testing.assert_array_equal(cosines, products)


@pytest.mark.parametrize("k", [1, 20, 300, 1000])
def test_while_flat_it_finds_what_looking_at_all_finds_ties_by_id(k: int) -> None:
    ids, rows, made = make(600)
    assert made.kind == "flat" and len(made) == 600 and not made.outgrown
    assert_exact(made, ids, rows, k)


def test_all_that_tie_with_the_last_are_given_on_request() -> None:
    ids, rows, made = make(600)
    same = ids[(rows == rows[0]).all(axis=1)]
    assert len(same) > 40
    np.testing.assert_array_equal(made.search(rows[0], 3)[0], same[:3])
    np.testing.assert_array_equal(made.search(rows[0], 3, all_ties=True)[0], same)


@pytest.mark.parametrize("flat_until", [1 << 20, 500])
def test_a_filter_is_exact_whatever_the_kind(flat_until: int) -> None:
    ids, rows, made = make(2000, flat_until=flat_until)
    if made.outgrown:
        made.compact()
    for only in ([range(5, 200)], [range(0, 30), range(600, 604), range(5000, 9999)], [range(5, 6)]):
        inside = np.isin(ids, [i for part in only for i in part])
        assert_exact(made, ids[inside], rows[inside], only=only)
    assert len(made.search(rows[0], 5, [])[0]) == len(made.search(rows[0], 5, [range(6, 8)])[0]) == 0


def test_a_sketch_finds_98_of_100_for_every_kind_of_question_and_as_many_as_there_are() -> None:
    _, rows, made = make(5000, flat_until=1000)
    before = made.kind, made.outgrown
    made.compact()
    assert (*before, made.kind, made.outgrown) == ("flat", True, "sketched", False)
    for name, asked in questions(rows, 60).items():
        good = 0
        for query in asked:
            found, cosines = made.search(query, 20)
            last = np.sort(rows @ query)[-20] - 1e-6
            assert (cosines == np.sort(cosines)[::-1]).all() and len(set(found)) == 20
            good += int(np.count_nonzero(cosines >= last))
        assert good >= 0.98 * 20 * len(asked), name
    assert len(made.search(rows[0], 4990)[0]) == 4990


@pytest.mark.parametrize("flat_until", [1 << 20, 500])
def test_what_was_removed_is_not_found_before_nor_after_compacting(flat_until: int) -> None:
    ids, rows, made = make(1500, flat_until=flat_until)
    if made.outgrown:
        made.compact()
    kind, everything = made.kind, [range(0, 10_000)]
    gone = np.random.default_rng(3).random(1500) < 0.2
    made.remove(ids[gone])
    assert len(made) == np.count_nonzero(~gone) and not made.wasteful
    assert_exact(made, ids[~gone], rows[~gone], only=everything)
    gone[:300] = True
    made.remove(ids[gone & np.isin(ids, made.search(rows[0], 5000, everything)[0])])
    assert made.wasteful
    before = made.num_bytes
    made.compact()
    assert made.kind == kind and not made.wasteful and made.num_bytes < before
    assert_exact(made, ids[~gone], rows[~gone], only=everything)
    more = clustered(100, seed=8)
    made.add(10_000 + np.arange(100), more)
    everything = [range(0, 20_000)]
    assert_exact(
        made,
        np.concatenate([ids[~gone], 10_000 + np.arange(100)]),
        np.concatenate([rows[~gone], more]),
        only=everything,
    )
    if kind == "flat":
        fresh = VectorIndex(WIDTH, flat_until=flat_until)
        fresh.add(np.concatenate([ids[~gone], 10_000 + np.arange(100)]), np.concatenate([rows[~gone], more]))
        for query in questions(rows, 5)["near"]:
            for one, other in zip(fresh.search(query, 50), made.search(query, 50), strict=True):
                np.testing.assert_array_equal(one, other)


def test_what_loses_most_of_its_vectors_is_looked_at_in_full_again() -> None:
    ids, rows, made = make(1500, flat_until=500)
    made.compact()
    made.remove(ids[400:])
    made.compact()
    assert made.kind == "flat"
    assert_exact(made, ids[:400], rows[:400])
    made.remove(ids[:400])
    made.compact()
    assert len(made) == 0 and len(made.search(rows[0], 3)[0]) == 0


def test_wrong_ids_and_widths_are_refused_and_change_nothing() -> None:
    ids, rows, made = make(30)
    for wrong in ([4], [95, 95], [96, 95], [92]):
        with pytest.raises(ValueError, match="ids must grow"):
            made.add(np.array(wrong), rows[: len(wrong)])
    with pytest.raises(ValueError, match=r"need vectors \[1, 24\], got \[1, 3\]"):
        made.add(np.array([200]), rows[:1, :3])
    with pytest.raises(ValueError, match="no vector has the id 6"):
        made.remove(np.array([5, 6]))
    for query, k in ((rows[0, :3], 1), (rows[0], 0)):
        with pytest.raises(ValueError, match="need k >= 1"):
            made.search(query, k)
    assert_exact(made, ids, rows, 50)


def test_a_copy_on_a_gpu_is_asked_where_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Copy:
        def __init__(self, of: faiss.Index) -> None:
            self.of, self.nprobe = of, 0

        def search(self, query: Floats, k: int) -> tuple[Floats, Ids]:
            asked.append(k)
            near, rows = self.of.search(query, k)
            return near * np.float32(1 + 1e-6), rows

    ids, rows, made = make(600)
    monkeypatch.setattr(index, "copy_to_gpu", Copy)
    monkeypatch.setattr(index, "_GPU_FROM", 500)
    assert_exact(made, ids, rows)
    num = len(asked)
    assert num >= 12
    assert_exact(made, ids[:50], rows[:50], only=[range(0, int(ids[50]))])
    made.remove(ids[:1])
    assert_exact(made, ids[1:], rows[1:])
    assert len(asked) == num
    made.compact()
    assert_exact(made, ids[1:], rows[1:])
    assert len(asked) > num


@pytest.mark.gpu
@pytest.mark.parametrize("flat_until", [1 << 20, 500])
def test_a_gpu_finds_what_the_cpu_finds(flat_until: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(faiss, "StandardGpuResources") or not faiss.get_num_gpus():
        pytest.skip("needs FAISS for CUDA, and a GPU")
    monkeypatch.setattr(index, "_GPU_FROM", 500)
    ids, rows, made = make(2000, flat_until=flat_until)
    made.compact()
    assert made._on_gpu() is not None
    if made.kind == "flat":
        assert_exact(made, ids, rows)
    asked = [query for kind in questions(rows, 10).values() for query in kind]
    on_gpu = [made.search(query, 20) for query in asked]
    monkeypatch.setattr(made, "_on_gpu", lambda: None)
    for query, (found, cosines) in zip(asked, on_gpu, strict=True):
        np.testing.assert_array_equal(found, made.search(query, 20)[0])
        np.testing.assert_allclose(cosines, made.search(query, 20)[1], atol=1e-5)


VIDEOS = [f"{i * 7919 + 1:016x}" for i in range(7)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store", write=True) as opened:
        for number, video_id in enumerate(VIDEOS):
            commit(opened, video_id, number)
        yield opened


def commit(store: Store, video_id: str, seed: int, *, width: int = WIDTH, profile: str = "made-1") -> None:
    """Commit a video of some frames; every second video has frames of the first in it."""
    num = 8 + seed % 5
    rows = clustered(num, seed - seed % 2)[:, :width]
    record = make_record(seed, video_id=video_id, num_frames=2 * num, width=width)
    store.commit(dataclasses.replace(record, vectors={**record.vectors, "frames": rows}, profile=profile))


def both_ways(
    store: Store, monkeypatch: pytest.MonkeyPatch, video_ids: Sequence[str] | None = None, profile: str = ""
) -> Hits:
    """Return what is found, after making sure that it is the same in one collection and video by video."""
    hits: Hits = []
    for seed in range(6):
        query = np.random.default_rng(seed).standard_normal(WIDTH).astype(np.float32)
        for k in (1, 6, 500):
            ways = []
            for many in (1, 1000):
                monkeypatch.setattr(vectors, "MANY", many)
                ways.append(store.search_vectors("frames", query, k, video_ids, profile=profile))
            assert ways[0] == ways[1]
            hits = ways[0]
    return hits


def test_one_collection_finds_what_one_video_after_the_other_finds(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = both_ways(store, monkeypatch)
    assert {hit[0] for hit in everything} == set(VIDEOS)
    assert len(everything) == len({hit[:2] for hit in everything}) == sum(8 + i % 5 for i in range(7))
    some = both_ways(store, monkeypatch, VIDEOS[1:4])
    assert some == [hit for hit in everything if hit[0] in VIDEOS[1:4]]
    assert both_ways(store, monkeypatch, ["0" * 16, VIDEOS[2], VIDEOS[2]]) == [h for h in some if h[0] == VIDEOS[2]]
    assert both_ways(store, monkeypatch, []) == []


def test_the_collection_follows_commits_and_what_is_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merged, "_AT_ONCE", 2)
    before = both_ways(store, monkeypatch)
    with store.snapshot() as still:
        commit(store, VIDEOS[3], 8)
        commit(store, "f" * 16, 9)
        after = both_ways(store, monkeypatch)
        assert {hit[0] for hit in after} == {*VIDEOS, "f" * 16} and after != before
        assert both_ways(still, monkeypatch) == before
        assert both_ways(store, monkeypatch) == after
    for video_id in VIDEOS[:5]:
        store.forget(video_id)
        assert video_id not in {hit[0] for hit in both_ways(store, monkeypatch)}
    collection = store._shelf()._merged["frames"]
    assert len(collection._places) == 3 and not collection._indexes[WIDTH].wasteful
    assert collection.num_bytes > 0


def test_another_writer_s_commits_are_seen(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(tmp_path / "store") as reader:
        assert {hit[0] for hit in both_ways(reader, monkeypatch)} == set(VIDEOS)
        store.forget(VIDEOS[0])
        assert {hit[0] for hit in both_ways(reader, monkeypatch)} == set(VIDEOS[1:])


def test_widths_meet_only_by_mistake(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        commit(store, f"{number:x}" * 16, number, width=8, profile="made-2")
    assert {hit[0] for hit in both_ways(store, monkeypatch, profile="made-1")} == set(VIDEOS)
    for many in (1, 1000):
        monkeypatch.setattr(vectors, "MANY", many)
        with pytest.raises(ValueError, match="24 numbers, .* has vectors of 8"):
            store.search_vectors("frames", np.ones(WIDTH, np.float32), 3)
        assert len(store.search_vectors("frames", np.ones(8, np.float32), 99, profile="made-2")) == 27
        assert store.search_vectors("frames", np.ones(8, np.float32), 99, profile="other") == []


def test_lost_cache_files_change_nothing(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = both_ways(store, monkeypatch)
    for path in (tmp_path / "store" / "cache").glob("*-frames.vectors"):
        path.unlink()
    with Store.open(tmp_path / "store") as reader:
        assert both_ways(reader, monkeypatch) == expected


def test_a_large_collection_gets_a_sketch_that_changes_no_answer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "MANY", 1)
    monkeypatch.setattr(VectorIndex.__init__, "__kwdefaults__", {"flat_until": 20})
    query = np.random.default_rng(0).standard_normal(WIDTH).astype(np.float32)
    answers = [store.search_vectors("frames", query, 500) for _ in range(4)]
    assert store._shelf()._merged["frames"]._indexes[WIDTH].kind == "sketched"
    assert all(answer == answers[0] for answer in answers)


def test_questions_of_many_threads_see_one_state_each(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "MANY", 1)
    wrong: list[str] = []
    done = threading.Event()

    def ask(seed: int) -> None:
        query = unit(np.random.default_rng(seed).standard_normal(WIDTH))
        while not done.is_set():
            with store.snapshot() as still:
                found = {hit[:2] for hit in still.search_vectors("frames", query, 500)}
                there = {(row.video_id, 2 * i) for row in still.videos() for i in range(row.num_kept)}
            if found != there:
                wrong.append(f"{len(found)} found, {len(there)} there")

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(8):
        commit(store, VIDEOS[turn % 3], 20 + turn)
        store.forget(VIDEOS[turn % 3])
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
