"""Kill what writes a store at random moments, again and again, and look at what is left each time.

    python benchmarks/soak.py --kills 200

`kill_loop` is the killer; whatever can be started and resumed can be its victim. Prints one JSON line per victim.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hicom_agent.errors import HicomAgentError, UnknownVideo
from hicom_agent.memory import Store, check
from hicom_agent.testing import make_record

VIDEOS = ("00000000000000aa", "00000000000000bb")
TAKES = (1, 2)
SEGMENTS = 3
PROFILE = "made-1"

Attempt = Callable[[float], int | None]  # a delay in seconds -> exit code, None if it had to be killed


@dataclass
class Tally:
    """What a loop of kills came to."""

    kills: int = 0
    finished: int = 0  # runs that ended by themselves before the kill
    bad: list[str] = field(default_factory=list)  # what was wrong after a kill


def kill_loop(
    attempt: Attempt, look: Callable[[], None], kills: int, seed: int, *, span_s: float, finish: Callable[[], None]
) -> Tally:
    """Start a run and kill it after a random time within `span_s`, until `kills` runs were killed.

    After each kill `look` raises AssertionError or HicomAgentError if what is left is not as it should be.
    A run that ends first is handed to `finish`, which looks at the result and clears it away for the next.
    """
    chance, tally = random.Random(seed), Tally()
    while tally.kills < kills:
        code = attempt(chance.uniform(0, span_s))
        try:
            if code is None:
                tally.kills += 1
                look()
            else:
                tally.finished += 1
                assert code == 0, f"a run failed with exit code {code}"
                finish()
        except (AssertionError, HicomAgentError) as error:
            tally.bad.append(f"{type(error).__name__} after kill {tally.kills}: {error}")
    return tally


def command_attempt(command: Sequence[str]) -> Attempt:
    """Return attempts that run a command, its children included in the kill."""

    def attempt(delay_s: float) -> int | None:
        with subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL) as process:
            try:
                return process.wait(delay_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return None

    return attempt


@contextmanager
def forked_attempts() -> Iterator[Callable[..., Attempt]]:
    """Give a maker of attempts that run a function in a fork of a process that has imported everything.

    A run then costs milliseconds instead of the second that imports take.
    """
    command = [sys.executable, "-W", "error", __file__, "--serve-forks"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None and server.stdout is not None

        def make(file: str, function: str, *args: str) -> Attempt:
            def attempt(delay_s: float) -> int | None:
                job = {"file": file, "function": function, "args": args, "delay_s": delay_s}
                print(json.dumps(job), file=server.stdin, flush=True)
                answer = server.stdout.readline()
                code: int | None = json.loads(answer)
                return code

            return attempt

        yield make
        server.stdin.close()


def serve_forks() -> None:
    """Fork for each line of standard input and print how the child ended."""
    import hicom_agent.memory.vectors  # noqa: F401 - here, so that no child has to

    works: dict[str, Any] = {__file__: sys.modules[__name__]}
    for line in sys.stdin:
        job = json.loads(line)
        if job["file"] not in works:
            works[job["file"]] = load_module(job["file"])
            getattr(works[job["file"]], "prepare", lambda: None)()
        pid = os.fork()
        if pid == 0:
            _run_child(getattr(works[job["file"]], job["function"]), job["args"])
        print(json.dumps(_wait_or_kill(pid, job["delay_s"])), flush=True)


def load_module(file: str) -> Any:
    """Return the module in `file`, which is on no import path."""
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _run_child(function: Callable[..., None], args: list[str]) -> None:
    code = 1
    try:
        function(*args)
        code = 0
    except BaseException:  # noqa: BLE001 - the child must never come back into the server's loop
        traceback.print_exc()
    finally:
        os._exit(code)


def _wait_or_kill(pid: int, delay_s: float) -> int | None:
    deadline = time.monotonic() + delay_s
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.0005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


# The synthetic victim: two takes of two films, each worked in segments and committed, with every step acknowledged.


def work_store(root: str, acks: str) -> None:
    """Bring a store to its end, from wherever it is."""
    with Store.open(Path(root), write=True) as store:
        for take in TAKES:
            for video_id in VIDEOS:
                if take_of(store, video_id) < take:
                    _work_video(store, video_id, take, acks)


def _work_video(store: Store, video_id: str, take: int, acks: str) -> None:
    journal = store.journal(video_id, PROFILE, f"take={take}")
    for index in range(SEGMENTS):
        if index not in journal.done("pictures"):
            journal.save("pictures", index, {"pixels": _pixels(take, index)}, {"take": take})
            acknowledge(acks, "segment", video_id, take, index)
    for index in range(SEGMENTS):
        arrays, meta = journal.load("pictures", index)
        assert meta == {"take": take} and (arrays["pixels"] == _pixels(take, index)).all(), "a segment is another's"
    store.commit(make_record(take, video_id=video_id, num_frames=60))
    acknowledge(acks, "commit", video_id, take)


def _pixels(take: int, index: int) -> Any:
    return np.full((200, 100), take * 10 + index, np.uint8)


def acknowledge(acks: str, *words: object) -> None:
    """Append a line to what the victim has promised; a kill cannot take it back."""
    with Path(acks).open("a") as file:
        file.write(json.dumps(words) + "\n")


def take_of(store: Store, video_id: str) -> int:
    """Return which take is committed, 0 if none; asserts that every part of what is read is of that one."""
    with store.snapshot() as still:
        try:
            row = next((row for row in still.videos() if row.video_id == video_id), None)
            if row is None:
                return 0
            return _same_take(still, video_id, int(row.title.split()[-1]))
        except UnknownVideo as error:
            raise AssertionError(f"a video vanished inside a snapshot: {error}") from error


def _same_take(still: Store, video_id: str, take: int) -> int:
    rows = [row for row in still.videos() if row.video_id == video_id]
    record = make_record(take, video_id=video_id, num_frames=rows[0].num_frames)
    assert still.clips(video_id) == record.clips
    assert [frame.time_s for frame in still.frames(video_id)] == [frame.time_s for frame in record.frames]
    assert (still.speech(video_id), still.texts(video_id)) == (record.speech, record.texts)
    assert (still.damage(video_id), still.info(video_id)) == (record.damage, record.info)
    last = rows[0].num_frames - 2
    assert still.thumbnail(f"{video_id}:{last}") == record.frames[last].thumbnail
    features = still.features(video_id, [last, 0])
    assert all((features[name] == record.packed[name][[-1, 0]]).all() for name in record.packed)
    for kind in ("frames", "speech", "texts"):
        [(_, _, cosine)] = still.search_vectors(kind, record.vectors[kind][0], 1, [video_id])
        assert cosine > 0.999, f"{kind} vectors are of another take"
    found = [hit for hit in still.search_words("speech", f"take{take}", 99, [video_id]) if hit[0] == video_id]
    assert len(found) == len(record.speech), f"{len(found)} of {len(record.speech)} lines have the words of take {take}"
    return take


def look_at_store(root: Path, acks: Path) -> None:
    """Assert that a reader, then the doctor, then a writer find all that was promised."""
    promised = [json.loads(line) for line in acks.read_text().splitlines()] if acks.exists() else []
    committed = {video_id: take for word, video_id, take, *_ in promised if word == "commit"}
    with Store.open(root) as store:
        for video_id in VIDEOS:
            take, least = take_of(store, video_id), committed.get(video_id, 0)
            assert least <= take <= least + 1, f"take {take} of {video_id}, {least} was promised"
    serious = [str(finding) for finding in check(root) if finding.serious]
    assert not serious, serious
    with Store.open(root, write=True) as store:
        for video_id in VIDEOS:
            take = take_of(store, video_id)
            assert take >= committed.get(video_id, 0), f"take {take} of {video_id} after opening for writing"
            acknowledge(str(acks), "commit", video_id, take)  # what somebody has seen is promised, too
            take += 1
            kept = {i for word, v, t, *i in promised if word == "segment" and (v, t) == (video_id, take) for i in i}
            if kept:
                done = store.journal(video_id, PROFILE, f"take={take}").done("pictures")
                assert kept <= done, f"segments {kept} of take {take} were promised, {done} are there"
    assert check(root) == [], "the writer leaves nothing to mend"


def contents(root: Path) -> dict[str, Any]:
    """Return all that a store answers, but for when it was written and as what version."""
    with Store.open(root) as store:
        return {row.video_id: _contents(store, row.video_id) for row in store.videos()}


def _contents(store: Store, video_id: str) -> dict[str, Any]:
    [row] = [asdict(row) for row in store.videos() if row.video_id == video_id]
    frames = store.frames(video_id)
    features = store.features(video_id, range(len(frames)))
    return {
        "row": {name: value for name, value in row.items() if name not in ("version", "indexed_at")},
        "lists": [store.clips(video_id), frames, store.speech(video_id), store.texts(video_id), store.damage(video_id)],
        "pictures": [store.thumbnail(f"{video_id}:{i}") for i in range(len(frames))],
        "features": {name: rows.tobytes() for name, rows in features.items()},
        "vectors": {kind: store.vectors(video_id, kind).tobytes() for kind in ("frames", "speech", "texts")},
    }


def soak_store(kills: int, seed: int, folder: Path) -> Tally:
    """Kill the synthetic victim; a run that reaches its end must have made what an undisturbed one makes."""
    root, acks = folder / "store", folder / "acks"
    with forked_attempts() as make:
        for name in ("first", "whole"):  # the first one starts the server, the second is timed
            began = time.monotonic()
            assert make(__file__, "work_store", str(folder / name), str(folder / f"{name}-acks"))(60) == 0
            span_s = time.monotonic() - began
        wanted = contents(folder / "whole")

        def finish() -> None:
            assert contents(root) == wanted, "the store differs from an undisturbed one"
            shutil.rmtree(root)
            acks.unlink()

        attempt = make(__file__, "work_store", str(root), str(acks))
        return kill_loop(attempt, lambda: look_at_store(root, acks), kills, seed, span_s=span_s, finish=finish)


def read_until_closed(root: Path, num_threads: int) -> None:
    """Read a store from many threads until standard input closes; print how often, and what was wrong."""
    counts, problems, stop = [0] * num_threads, list[str](), threading.Event()

    def read(number: int) -> None:
        takes = dict.fromkeys(VIDEOS, 0)
        while not stop.is_set():
            try:
                for video_id in VIDEOS:
                    take = take_of(store, video_id)
                    assert take >= takes[video_id], f"take {take} after {takes[video_id]}"
                    takes[video_id] = take
                counts[number] += 1
            except (AssertionError, HicomAgentError) as error:
                problems.append(f"{type(error).__name__}: {error}")

    with Store.open(root) as store:
        threads = [threading.Thread(target=read, args=(number,)) for number in range(num_threads)]
        for thread in threads:
            thread.start()
        print("reading", flush=True)
        sys.stdin.read()
        stop.set()
        for thread in threads:
            thread.join()
    print(json.dumps({"reads": counts, "problems": problems[:5]}))


def main() -> int:
    """Run all victims; exit code 1 if any store was found bad."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--victim", choices=("store", "indexer"), action="append", help="default: both")
    parser.add_argument("--serve-forks", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve_forks:
        serve_forks()
        return 0
    if options.read:
        read_until_closed(options.read, 4)
        return 0
    bad = False
    for victim in options.victim or ("store", "indexer"):
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            if victim == "store":
                tally = soak_store(options.kills, options.seed, Path(folder))
            else:
                indexer = load_module(str(Path(__file__).with_name("soak_indexer.py")))
                tally = indexer.soak_indexer(options.kills, options.seed, Path(folder), sys.modules[__name__])
        print(
            json.dumps({"victim": victim, **asdict(tally), "seconds": round(time.monotonic() - began, 1)}), flush=True
        )
        bad = bad or bool(tally.bad)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
