"""What questions made of videos is there again afterwards, whatever happened in between, or not at all."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hicom_agent.memory import Look, Store, check, repair
from hicom_agent.memory.disk import CRASH_VARIABLE
from hicom_agent.memory.tokens import pack_clip, unpack_clip
from hicom_agent.testing import make_record
from hicom_agent.types import Clip, CompressedClip

A, B = "00000000000000aa", "00000000000000bb"


def make_clip(index: int, seed: int = 0, num_tokens: int = 10, width: int = 64) -> CompressedClip:
    rng = np.random.default_rng([seed, index])
    attended = rng.normal(size=16).astype(np.float32)
    groups = rng.normal(size=(2, 2, 2)).astype(np.float32)
    return CompressedClip(
        clip=Clip(index, 2.0 * index, 2.0 * index + 2),
        times_s=np.arange(4, dtype=np.float32),
        tokens=(rng.random((num_tokens, width)) ** 4).astype(np.float32),
        frame_relevance=rng.normal(size=4).astype(np.float32),
        patch_attention=rng.dirichlet(np.ones(36)).reshape(4, 3, 3).astype(np.float32),
        group_relevance=groups,
        attended=attended / np.linalg.norm(attended),
        score=float(groups.max()),
    )


def make_look(text: str = "a car", seed: int = 0) -> Look:
    rng = np.random.default_rng(seed)
    return Look(-1, text, *(rng.normal(size=n).astype(np.float32) for n in (384, 16, 8)))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path, write=True) as opened:
        opened.commit(make_record(1))
        yield opened


def same(one: CompressedClip, other: CompressedClip | None) -> bool:
    if other is None:
        return False
    exact = ("times_s", "frame_relevance", "group_relevance")
    near = np.abs(one.tokens - other.tokens).max() <= np.abs(one.tokens).max() / 254 + 1e-6
    return bool(near) and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in exact)


def test_tokens_lose_less_than_half_a_degree_and_what_finds_moments_nothing() -> None:
    clip = make_clip(3, num_tokens=200, width=1011)
    again = unpack_clip(pack_clip(clip), clip.clip)
    assert same(clip, again) and again.score == clip.score
    lengths = np.linalg.norm(clip.tokens, axis=1) * np.linalg.norm(again.tokens, axis=1)
    cosines = (clip.tokens * again.tokens).sum(1) / lengths
    assert np.degrees(np.arccos(np.clip(cosines, -1, 1))).max() < 0.5
    assert len(pack_clip(clip)) < 0.3 * clip.tokens.nbytes


def test_a_look_and_its_clips_come_back_in_another_process(tmp_path: Path, store: Store) -> None:
    look, clips = make_look(), [make_clip(0), make_clip(2)]
    key = store.conditioned.remember(store.video(A), look, clips)
    with Store.open(tmp_path) as other:
        [asked] = other.conditioned.asked(other.video(A))
        assert (asked.key, asked.text) == (key, "a car") and np.array_equal(asked.vector, look.vector)
        found = other.conditioned.recall(key)
        assert found is not None and np.array_equal(found.presence, look.presence)
        assert np.array_equal(found.guide, look.guide)
        assert all(same(clip, other.conditioned.clip(key, clip.clip)) for clip in clips)
        assert other.conditioned.clip(key, Clip(1, 2.0, 4.0)) is None
        assert other.conditioned.kept().hits == 1


def test_the_same_words_about_one_video_are_one_look(store: Store) -> None:
    row = store.video(A)
    first = store.conditioned.remember(row, make_look(), [make_clip(0)])
    assert store.conditioned.remember(row, make_look(), [make_clip(1)]) == first
    kept = store.conditioned.kept()
    assert (kept.num_looks, kept.num_clips) == (1, 2)


def test_what_was_looked_at_is_found_by_another_question(store: Store) -> None:
    row, clips = store.video(A), [make_clip(i) for i in range(4)]
    store.conditioned.remember(row, make_look(), clips)
    found = store.conditioned.search(row, clips[2].attended, 3)
    assert found[0][0] == 2 and found[0][1] == pytest.approx(1, abs=2e-3)
    assert [cosine for _, cosine in found] == sorted((cosine for _, cosine in found), reverse=True)


def test_a_new_generation_and_another_profile_see_nothing_of_it(store: Store) -> None:
    old = store.video(A)
    store.conditioned.remember(old, make_look(), [make_clip(0)])
    store.commit(make_record(2))
    assert store.conditioned.asked(store.video(A)) == []
    store.conditioned.remember(store.video(A), make_look(), [make_clip(1)])
    assert store.conditioned.asked(old) == []  # gone with the first look at the new one
    other = type(old)(**{**{name: getattr(old, name) for name in old.__slots__}, "profile": "other-1"})
    assert store.conditioned.asked(other) == []


def test_a_forgotten_video_leaves_no_token_on_the_disk(tmp_path: Path, store: Store) -> None:
    store.commit(make_record(1, video_id=B))
    store.conditioned.remember(store.video(A), make_look("a red car"), [make_clip(0, 1)])
    kept = store.conditioned.remember(store.video(B), make_look("a dog"), [make_clip(0, 2)])
    store.forget(A)
    files = list((tmp_path / "conditioned").glob("*.bin"))
    assert sum(file.stat().st_size for file in files) == len(pack_clip(make_clip(0, 2)))
    assert same(make_clip(0, 2), store.conditioned.clip(kept, make_clip(0).clip))


def test_the_cap_holds_and_the_look_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    size = len(pack_clip(make_clip(0)))
    with Store.open(tmp_path, write=True, token_bytes=int(4.5 * size)) as store:
        store.commit(make_record(1))
        row = store.video(A)
        keys = [store.conditioned.remember(row, make_look(f"thing {i}", i), [make_clip(0, i)]) for i in range(4)]
        assert store.conditioned.recall(keys[0]) is not None
        store.conditioned.remember(row, make_look("thing 4", 4), [make_clip(0, 4)])
        assert [a.text for a in store.conditioned.asked(row)] == ["thing 4", "thing 3", "thing 2", "thing 0"]
        kept = store.conditioned.kept()
        assert kept.bytes <= kept.max_bytes and kept.evicted == 1


def test_dead_bytes_are_given_back(tmp_path: Path) -> None:
    big = [make_clip(i, num_tokens=400, width=1011) for i in range(4)]
    size = len(pack_clip(big[0]))
    with Store.open(tmp_path, write=True, token_bytes=5 * size) as store:
        store.commit(make_record(1))
        for i in range(6):
            key = store.conditioned.remember(store.video(A), make_look(f"thing {i}", i), big)
        kept = store.conditioned.kept()
        assert kept.bytes <= 5 * size and kept.file_bytes <= 10 * size
        assert all(same(clip, store.conditioned.clip(key, clip.clip)) for clip in big)
        assert len(list((tmp_path / "conditioned").glob("tokens-*.bin"))) == 1


def test_nothing_is_kept_with_a_cap_of_nothing_or_where_nothing_can_be_written(tmp_path: Path, store: Store) -> None:
    with Store.open(tmp_path, token_bytes=0) as off:
        assert off.conditioned.remember(off.video(A), make_look(), [make_clip(0)]) == -1
    (tmp_path / "conditioned").rename(tmp_path / "gone") if (tmp_path / "conditioned").exists() else None
    (tmp_path / "conditioned").write_text("in the way")
    assert store.conditioned.remember(store.video(A), make_look(), [make_clip(0)]) == -1
    assert store.conditioned.asked(store.video(A)) == []


def test_damaged_tokens_are_not_used_and_a_damaged_catalogue_begins_anew(tmp_path: Path, store: Store) -> None:
    row = store.video(A)
    key = store.conditioned.remember(row, make_look(), [make_clip(0), make_clip(1)])
    file = tmp_path / "conditioned" / "tokens-1.bin"
    data = bytearray(file.read_bytes())
    data[len(data) // 4] ^= 1
    file.write_bytes(bytes(data))
    with Store.open(tmp_path) as other:
        assert other.conditioned.clip(key, make_clip(0).clip) is None
        assert same(make_clip(1), other.conditioned.clip(key, make_clip(1).clip))
    [finding] = check(tmp_path)
    assert not finding.serious and "clip 0" in finding.what
    store.close()
    assert "dropped 1 entries" in " ".join(repair(tmp_path)) and check(tmp_path) == []
    (tmp_path / "conditioned" / "looks.sqlite").write_bytes(b"no database at all" * 100)
    with Store.open(tmp_path) as after:
        assert after.conditioned.asked(row) == []
        assert after.conditioned.remember(row, make_look(), [make_clip(0)]) > 0


KILLED = """
import sys
import threading
from pathlib import Path
from tests.memory.test_conditioned import A, make_clip, make_look
from hicom_agent.memory import Store
with Store.open(Path(sys.argv[1]), token_bytes=int(sys.argv[2])) as store:
    for i in range(3):
        store.conditioned.remember(store.video(A), make_look(f"new {i}", i), [make_clip(0, i), make_clip(1, i)])
"""


@pytest.mark.parametrize("step", ["tokens-written", "tokens-known", "tokens-compacted"])
def test_a_killed_writer_leaves_what_was_there_and_no_half_entry(tmp_path: Path, store: Store, step: str) -> None:
    row = store.video(A)
    big = [make_clip(i, num_tokens=1500, width=1011) for i in range(2)]
    key = store.conditioned.remember(row, make_look("old"), big)
    cap = int(2.5 * len(pack_clip(big[0]))) if step != "tokens-compacted" else 100_000
    environment = {**os.environ, CRASH_VARIABLE: step}
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(cap)]
    done = subprocess.run(command, env=environment, cwd=Path(__file__).resolve().parents[2])
    assert done.returncode == 137
    if step != "tokens-compacted":  # there the old look had to go for want of room
        assert all(same(clip, store.conditioned.clip(key, clip.clip)) for clip in big)
    assert store.conditioned.check() == []
    key = store.conditioned.remember(row, make_look("afterwards"), [make_clip(3)])
    assert same(make_clip(3), store.conditioned.clip(key, make_clip(3).clip))
    assert store.conditioned.check() == []


MANY = """
import sys
import threading
from pathlib import Path
from tests.memory.test_conditioned import A, make_clip, make_look
from hicom_agent.memory import Store
mark = int(sys.argv[2])
with Store.open(Path(sys.argv[1])) as store:
    for i in range(10):
        store.conditioned.remember(store.video(A), make_look(f"{mark} {i}", i), [make_clip(i, mark)])
"""


def test_two_processes_write_at_once_and_both_are_kept(tmp_path: Path, store: Store) -> None:
    command = [sys.executable, "-c", MANY, str(tmp_path)]
    root = Path(__file__).resolve().parents[2]
    processes = [subprocess.Popen([*command, mark], cwd=root) for mark in ("1", "2")]
    assert [process.wait(60) for process in processes] == [0, 0]
    asked = {a.text: a.key for a in store.conditioned.asked(store.video(A))}
    assert len(asked) == 20 and store.conditioned.check() == []
    assert same(make_clip(7, 2), store.conditioned.clip(asked["2 7"], make_clip(7).clip))


def test_what_a_newer_version_kept_is_left_alone(tmp_path: Path, store: Store) -> None:
    store.conditioned.remember(store.video(A), make_look(), [make_clip(0)])
    store.conditioned.close()
    db = sqlite3.connect(tmp_path / "conditioned" / "looks.sqlite")
    db.execute("PRAGMA user_version = 99")
    db.close()
    assert store.conditioned.asked(store.video(A)) == []
    assert store.conditioned.remember(store.video(A), make_look("a dog"), [make_clip(0)]) == -1
    db = sqlite3.connect(tmp_path / "conditioned" / "looks.sqlite")
    assert db.execute("SELECT count(*) FROM looks").fetchone() == (1,)
    db.close()


def test_a_video_indexed_again_after_it_was_forgotten_has_no_old_looks(store: Store) -> None:
    gone = store.video(A)
    store.forget(A)
    store.conditioned.remember(gone, make_look(), [make_clip(0)])  # a question that ended after the video was forgotten
    store.commit(make_record(1))
    assert store.video(A).version == gone.version and store.conditioned.asked(store.video(A)) == []


def test_many_threads_read_while_one_writes(store: Store) -> None:
    row = store.video(A)
    key = store.conditioned.remember(row, make_look(), [make_clip(i) for i in range(4)])
    faults: list[Exception] = []

    def read() -> None:
        try:
            for _ in range(100):
                for i in range(4):
                    assert store.conditioned.clip(key, make_clip(i).clip) is not None
        except (AssertionError, ValueError, TypeError, OSError) as error:
            faults.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(20):
        store.conditioned.remember(row, make_look(f"thing {i}", i), [make_clip(0, i)])
    for thread in threads:
        thread.join()
    assert faults == []
