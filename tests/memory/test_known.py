"""What was read is kept as long as it is true, and no longer than there is room."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hicom_agent.memory import Store
from hicom_agent.memory.known import Recent
from hicom_agent.testing import make_record


def test_what_was_used_longest_ago_goes_first() -> None:
    read: list[str] = []
    recent: Recent[str, int] = Recent(2)

    def ask(key: str) -> int:
        def number() -> int:
            read.append(key)
            return ord(key)

        return recent.of(key, number)

    assert [ask(key) for key in "abacab"] == [ord(key) for key in "abacab"]  # c takes the place of b, b that of c
    assert "".join(read) == "abcb"
    recent.forget()
    assert recent.of("a", lambda: 7) == 7


def test_frames_are_those_of_the_state_that_is_read_and_nobody_changes_them_for_others(root: Path) -> None:
    video_id = "00000000000000aa"
    with Store.open(root, write=True) as store:
        frames = store.frames(video_id)
        store.frames(video_id).clear()
        assert store.frames(video_id) == frames
        with store.snapshot() as still:
            assert still.frames(video_id) == frames
            store.commit(dataclasses.replace(make_record(3), video_id=video_id))
            assert still.frames(video_id) == frames != store.frames(video_id)
            assert still.frames(video_id) == frames
