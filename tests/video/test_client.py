"""A process that crashes, hangs or eats memory costs a stretch of the video, never the caller."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from hicom_agent.errors import VideoUnreadable
from hicom_agent.types import Damage, Frame, Glimpse
from hicom_agent.video import Limits, StreamPlan, open_video, probe, read_audio, read_frames, stream
from hicom_agent.video.messages import receive, send
from tests.video.numbered_films import Film, add_sound, read_number

QUICK = Limits(stall_s=2.5, restart_step_s=5.0)


Item = Glimpse | Frame | Damage


def _generator(items: Iterator[Item]) -> Generator[Item, None, None]:
    assert isinstance(items, Generator)
    return items


def frames_of(items: list[Item]) -> list[int]:
    return [read_number(item.picture) for item in items if isinstance(item, Frame)]


def damage_of(items: list[Item]) -> list[Damage]:
    return [item for item in items if isinstance(item, Damage)]


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Fail a test after which a process or descriptor of ours is still there."""
    before = psutil.Process().num_fds()
    yield
    gc.collect()
    assert not psutil.Process().children(recursive=True)
    assert psutil.Process().num_fds() <= before


def test_a_stream_gives_glimpses_and_frames_in_order(film: Film) -> None:
    with open_video(film.path) as opened:
        items = list(stream(opened, StreamPlan(sample_every_s=0.5, side_px=80)))
    assert frames_of(items) == film.on_grid(0.5)
    frames = [item for item in items if isinstance(item, Frame)]
    glimpses = [item for item in items if isinstance(item, Glimpse)]
    assert {frame.picture.shape for frame in frames} == {(48, 80, 3)}
    assert {glimpse.picture.shape for glimpse in glimpses} == {(38, 64, 3)}
    assert sum(glimpse.on_grid for glimpse in glimpses) == 30
    for some in (frames, glimpses):
        times_s = [item.time_s for item in some]
        assert times_s == sorted(set(times_s))


def test_without_pictures_there_are_glimpses_only(film: Film) -> None:
    with open_video(film.path) as opened:
        assert {type(item) for item in stream(opened, StreamPlan(pictures=False))} == {Glimpse}


def test_a_still_film_is_glimpsed_on_the_grid_only(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        target = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        target.width, target.height = 64, 64
        for shade in [0] * 58 + [255] * 42:
            out.mux(target.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), shade, np.uint8), "rgb24")))
        out.mux(target.encode(None))
    with open_video(tmp_path / "a.mp4") as opened:
        glimpses = [item for item in stream(opened) if isinstance(item, Glimpse)]
    between = [round(item.time_s * 25) for item in glimpses if not item.on_grid]
    assert between == [56, 57, 58, 59]  # only where the cut is, between the glimpses of frames 55 and 60
    assert len(glimpses) == 20 + 4


def test_a_probe_says_what_the_video_is(film: Film) -> None:
    with open_video(film.path) as opened:
        info = probe(opened)
    assert (info.duration_s, info.width_px, info.height_px) == (6.0, 160, 96)
    assert (info.codec, info.audio_codec) == ("h264", "")


def test_frames_come_in_the_order_asked(film: Film) -> None:
    times_s = [5.0, 0.0, 2.5, 2.5, 99.0, 0.0385]
    with open_video(film.path) as opened:
        assert [read_number(item.picture) for item in read_frames(opened, times_s)] == [125, 0, 62, 62, 149, 0]
        assert read_frames(opened, []) == []
        with pytest.raises(ValueError, match="need times >= 0"):
            read_frames(opened, [-1.0])


@pytest.mark.parametrize(
    ("fault", "reason"), [("segv", "SIGSEGV"), ("oom", "out of memory"), ("hang", "no sign of life")]
)
def test_what_kills_the_decoder_costs_a_stretch_and_is_reported(
    long_film: Film, monkeypatch: pytest.MonkeyPatch, fault: str, reason: str
) -> None:
    monkeypatch.setenv("HICOM_AGENT_FAULT", f"{fault}@12.5")
    with open_video(long_film.path) as opened:
        items = list(stream(opened, limits=QUICK))
    (damage,) = damage_of(items)
    assert reason in damage.reason
    assert damage.start_s == pytest.approx(12.0, abs=0.21) and damage.end_s == pytest.approx(17.0, abs=0.21)
    seen = [item.time_s for item in items if isinstance(item, Frame)]
    assert seen == [*range(13), *range(17, 60)]
    assert frames_of(items) == [round(time_s * 10) for time_s in seen]


def test_after_a_crash_the_rest_is_what_it_would_have_been(long_film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_video(long_film.path) as opened:
        whole = list(stream(opened, StreamPlan(start_s=30.0)))
        monkeypatch.setenv("HICOM_AGENT_FAULT", "segv@31.5")
        broken = list(stream(opened, StreamPlan(start_s=30.0), QUICK))
    end_s = damage_of(broken)[0].end_s

    def after(items: list[Item]) -> list[tuple[float, bytes]]:
        pictures = [item for item in items if not isinstance(item, Damage)]
        return [(item.time_s, item.picture.tobytes()) for item in pictures if item.time_s >= end_s]

    assert after(broken) == after(whole)


def test_steps_grow_until_a_crash_is_passed(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keyframe before the first restarts lies before the fault, so they crash again."""
    monkeypatch.setenv("HICOM_AGENT_FAULT", "segv@2.1")
    with open_video(film.path) as opened:
        items = list(stream(opened, limits=Limits(restart_step_s=0.3)))
    (damage,) = damage_of(items)
    assert damage.start_s == 2.0 and 2.5 < damage.end_s < 5
    assert frames_of(items)[-1] == 125


def test_restarts_are_bounded_and_the_rest_is_damage(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HICOM_AGENT_FAULT", "segv@2.1")
    with open_video(film.path) as opened:
        items = list(stream(opened, limits=Limits(restart_step_s=0.01, max_restarts=2)))
    assert [(damage.start_s, damage.end_s) for damage in damage_of(items)] == [(2.0, 6.0)]


def test_a_crash_while_opening_is_one_line(film: Film) -> None:
    little = Limits(memory_bytes=64 * 2**20)  # not enough to load the decoder
    with open_video(film.path) as opened:
        for call in (
            probe,
            lambda o, limits: list(stream(o, limits=limits)),
            lambda o, limits: list(read_audio(o, limits)),
        ):
            with pytest.raises(VideoUnreadable, match="cannot be decoded: the decoder") as error:
                call(opened, limits=little)
            assert "\n" not in str(error.value)


def test_a_hang_in_random_access_is_one_line(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HICOM_AGENT_FAULT", "hang@1.0")
    with open_video(film.path) as opened, pytest.raises(VideoUnreadable, match="no sign of life for 1.5 s"):
        read_frames(opened, [1.2], limits=Limits(stall_s=1.5))


def test_a_crash_in_the_sound_is_silence(tmp_path: Path, film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    path = add_sound(film.path, tmp_path / "a.mp4", 12.0)
    monkeypatch.setenv("HICOM_AGENT_FAULT", "segv@4.2")
    with open_video(path) as opened:
        samples = np.concatenate(list(read_audio(opened, QUICK)))
    assert len(samples) / 16000 == pytest.approx(12, abs=0.1)
    loud = [bool(np.abs(samples[k * 8000 : k * 8000 + 400].astype(int)).max() > 6000) for k in range(24)]
    assert all(loud[:8]) and not any(loud[9:17]) and all(loud[20:])


def test_pictures_and_sound_are_read_side_by_side(tmp_path: Path, film: Film) -> None:
    with open_video(add_sound(film.path, tmp_path / "a.mp4", 6.0)) as opened:
        pictures, sound = stream(opened, StreamPlan(sample_every_s=0.2)), read_audio(opened)
        parts, items = [next(sound)], [next(pictures)]
        parts += sound
        items += pictures
    assert frames_of(items) == film.on_grid(0.2) and not damage_of(items)
    assert sum(len(part) for part in parts) == pytest.approx(6 * 16000, abs=1000)


def test_a_generator_closed_early_ends_its_process(long_film: Film) -> None:
    with open_video(long_film.path) as opened:
        items = _generator(stream(opened))
        next(items)
        (child,) = psutil.Process().children()
        items.close()
        assert not child.is_running()
        sound = read_audio(opened)
        assert next(sound, None) is None


def test_a_caller_that_is_slow_is_no_hang(long_film: Film) -> None:
    """The decoder waits for its reader for longer than it may be silent."""
    with open_video(long_film.path) as opened:
        items = stream(opened, StreamPlan(side_px=2000), Limits(stall_s=1.0))
        next(items)
        (child,) = psutil.Process().children()
        deadline = time.monotonic() + 1.3
        while time.monotonic() < deadline:
            child.is_running()
        assert not [item for item in items if isinstance(item, Damage)]


def test_the_decoder_dies_with_its_parent(long_film: Film) -> None:
    script = (
        "import sys, os, psutil\n"
        "from hicom_agent.video import open_video, stream, Limits\n"
        f"items = stream(open_video({str(long_film.path)!r}))\n"
        "next(item for item in items if item.time_s >= 2.0)\n"  # the next message would come at 3 s
        "print(psutil.Process().children()[0].pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    environment = {**os.environ, "HICOM_AGENT_FAULT": "hang@3.0"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(done.stdout)).wait(timeout=5)


def test_the_decoder_has_no_network_writes_nothing_and_knows_no_secrets(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HICOM_AGENT_FAULT", "hang@1.0")
    monkeypatch.setenv("SOME_API_KEY", "secret")
    with open_video(film.path) as opened, contextlib.closing(_generator(stream(opened))) as items:
        next(items)
        (child,) = psutil.Process().children()
        assert "SOME_API_KEY" not in child.environ()
        limits = Path(f"/proc/{child.pid}/limits").read_text()
        assert [line.split()[3] for line in limits.splitlines() if line.startswith("Max file size")] == ["0"]
        assert child.nice() >= 5 and os.getpgid(child.pid) == child.pid
        names = {Path(f"/proc/{name}/ns/net").readlink() for name in ("self", child.pid)}
    if subprocess.run(["unshare", "-rn", "true"], check=False).returncode == 0:
        assert len(names) == 2


def test_messages_arrive_as_they_were_sent() -> None:
    reading, writing = os.pipe()
    body = bytes(range(256)) * 100
    send(writing, "frame", body, time_s=1.5)
    send(writing, "end")
    os.close(writing)
    first, last = receive(reading, 1.0), receive(reading, 1.0)
    assert first is not None and last is not None
    assert first.head == {"kind": "frame", "time_s": 1.5} and first.body == body
    assert last.head["kind"] == "end" and receive(reading, 1.0) is None
    os.close(reading)


@pytest.mark.parametrize(
    "said",
    [
        b"\xff" * 8,
        b"\0\0\0\x02\0\0\0\0[]",
        b"\0\0\0\x02\0\0\0\0{}",
        b"\0\0\0\x03\0\0\0\0{{{",
        b"\0\0\0\x02\x7f\0\0\0{}",
    ],
)
def test_what_is_no_message_is_not_believed(said: bytes) -> None:
    reading, writing = os.pipe()
    os.write(writing, said)
    os.close(writing)
    with pytest.raises(ValueError):
        receive(reading, 1.0)
    os.close(reading)


@pytest.mark.parametrize(
    "head",
    [
        {"kind": "frame", "time_s": -1, "shape": [2, 2]},
        {"kind": "frame", "time_s": float("nan"), "shape": [2, 2]},
        {"kind": "frame", "time_s": 1e12, "shape": [2, 2]},
        {"kind": "frame", "time_s": 1, "shape": [3, 2]},
        {"kind": "frame", "time_s": 1, "shape": [-1, -1]},
        {"kind": "frame", "time_s": "1", "shape": [2, 2]},
        {"kind": "frame", "shape": [2, 2]},
        {"kind": "glimpses", "times_s": [1, 2], "between": [False], "shape": [2, 1]},
    ],
)
def test_a_decoder_that_was_taken_over_can_say_little(head: dict[str, object]) -> None:
    from hicom_agent.video.client import _checked, _pictures
    from hicom_agent.video.decoder import DecoderDied
    from hicom_agent.video.messages import Message

    head = json.loads(json.dumps(head))
    with pytest.raises(DecoderDied, match="said what it should not"):
        _checked(_pictures, Message(head, bytearray(12)), Limits())


@pytest.mark.parametrize("wrong", [{"stall_s": 0}, {"max_streams": -1}])
def test_limits_are_positive(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected more than 0"):
        Limits(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="need start_s"):
        StreamPlan(start_s=-1)
