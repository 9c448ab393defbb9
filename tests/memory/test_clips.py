"""Vectors of clips: means of what they show, made again for stores that lack them; and which videos pass a filter."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from hicom_agent.memory import Store, VideoFilter, check, repair
from hicom_agent.testing import make_record
from hicom_agent.types import Clip, StoredFrame, VideoInfo

A, B = "00000000000000aa", "00000000000000bb"


def make_older(root: Path) -> None:
    """Take the vectors of clips out of a store, as a version wrote it that had none."""
    db = sqlite3.connect(root / "catalog.sqlite")
    db.execute("DELETE FROM caches WHERE kind = 'clips'")
    db.commit()
    db.close()
    for path in (root / "cache").glob("*-clips.vectors"):
        path.unlink()


def test_a_clip_is_the_mean_of_what_its_sampled_frames_show(tmp_path: Path) -> None:
    axes = np.eye(16, dtype=np.float32)
    frames = [StoredFrame(float(i), shown_by, 0.5, b"x") for i, shown_by in enumerate([0, 0, 2, 0, 4])]
    record = dataclasses.replace(
        make_record(1),
        clips=[Clip(0, 0, 3), Clip(1, 3, 3.5), Clip(2, 3.5, 3.9), Clip(3, 4, 5)],
        frames=frames,
        vectors={"frames": axes[:3]},
        packed={},
    )
    with Store.open(tmp_path, write=True) as store:
        store.commit(record)
        found = store.vectors(A, "clips")
        expected = np.array([[2, 1, 0], [1, 0, 0], [0, 0, 1]]) / np.array([[5**0.5], [1], [1]])
        np.testing.assert_allclose(found[:, :3], expected, atol=1e-3)
        hits = store.search_vectors("clips", axes[2], 5)
        assert [index for _, index, _ in hits] == [3, 0, 1], "a clip without a sampled frame has no vector"


def test_a_store_of_before_is_completed_by_the_next_writer(root: Path) -> None:
    query = np.ones(16, np.float32)
    with Store.open(root) as store:
        before, sizes = store.search_vectors("clips", query, 9), [row.bytes for row in store.videos()]
    make_older(root)
    with Store.open(root) as store:
        assert store.without_clips() == [A, B] and store.search_vectors("clips", query, 9) == []
    findings = check(root)
    assert len(findings) == 2 and not any(finding.serious for finding in findings)
    with Store.open(root, write=True) as store:
        assert store.without_clips() == [] and store.search_vectors("clips", query, 9) == before
        assert all(row.bytes > size for row, size in zip(store.videos(), sizes, strict=True))
    assert check(root) == []


def test_the_doctor_completes_it_too(root: Path) -> None:
    make_older(root)
    assert sum("vectors of its clips" in line for line in repair(root)) == 2
    assert check(root) == [] == repair(root)


def test_a_broken_video_does_not_keep_a_writer_from_opening(root: Path) -> None:
    make_older(root)
    (root / A / "gen-000001" / "vectors.safetensors").write_bytes(b"broken")
    with Store.open(root, write=True) as store:
        assert store.without_clips() == [A]


def test_a_lost_cache_of_clips_changes_no_answer(root: Path) -> None:
    query = np.ones(16, np.float32)
    with Store.open(root) as store:
        before = store.search_vectors("clips", query, 9)
    for path in (root / "cache").glob("*-clips.vectors"):
        path.write_bytes(b"broken")
    with Store.open(root) as store:
        assert store.search_vectors("clips", query, 9) == before != []


def test_videos_pass_a_filter_only_if_all_of_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {
        A: dataclasses.replace(make_record(1), path="/films/sea/a.mp4", info=VideoInfo(60, 1, 1, "h264", "")),
        B: dataclasses.replace(
            make_record(2, video_id=B), path="/films/sea side/b.mp4", language="de", profile="other"
        ),
    }
    with Store.open(tmp_path, write=True) as store:
        for record in made.values():
            store.commit(record)
        at = store.video(B).indexed_at
        for which, expected in (
            (VideoFilter(), [A, B]),
            (VideoFilter(folder="/films"), [A, B]),
            (VideoFilter(folder="/films/sea"), [A]),
            (VideoFilter(folder="/films/sea/"), [A]),
            (VideoFilter(folder="/elsewhere"), []),
            (VideoFilter(language="de"), [B]),
            (VideoFilter(language="de", folder="/films/sea"), []),
            (VideoFilter(min_duration_s=30), [A]),
            (VideoFilter(max_duration_s=30), [B]),
            (VideoFilter(indexed_from_s=at), [B]),
            (VideoFilter(indexed_until_s=at), [A]),
            (VideoFilter(profile="other"), [B]),
        ):
            assert store.video_ids(which) == expected, which
        monkeypatch.chdir("/")
        assert store.video_ids(VideoFilter(folder=os.path.join("films", "sea"))) == [A]  # noqa: PTH118
