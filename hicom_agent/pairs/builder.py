"""Videos into a file of pairs: watched one after the other, their clips asked about by several threads at once."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from hicom_agent.errors import AnswerError, HicomAgentError, InputError
from hicom_agent.pairs.asking import Asked, Chatting, ask_about, estimate_in, example_of, make_messages
from hicom_agent.pairs.filters import Filter, Kept, Rejected
from hicom_agent.pairs.plan import Fault, Plan, Prices, Task, picture_size
from hicom_agent.pairs.watch import stamp, watch_film
from hicom_agent.scenes import thumbnail
from hicom_agent.types import Progress, clean_text

if TYPE_CHECKING:
    from hicom_agent.pairs.clips import Film
    from hicom_agent.pairs.ledger import Ledger, Past
    from hicom_agent.pairs.likeness import Eye
    from hicom_agent.pairs.terms import Terms
    from hicom_agent.types import Frame
    from hicom_agent.video import Limits, OpenedVideo

JPEG_QUALITY = 80
VIDEO_TAG = "<video>\n"  # where the pictures stand in a conversation
FAILED_AT_ONCE, FAILED_IN_A_ROW = 3, 10  # calls after which a model is given up: none answered, some did
Tell = Callable[[Progress], None]
Todo = queue.SimpleQueue["Task | None"]
Done = queue.SimpleQueue["tuple[Task, Asked | Exception]"]
ReadFrames = Callable[[str, list[float], int], "list[Frame]"]


@dataclass(frozen=True, slots=True)
class Footage:
    """How videos are opened and watched."""

    open_video: Callable[[str | Path], OpenedVideo]
    limits: Limits
    make_eye: Callable[[], Eye]
    on_progress: Tell = lambda progress: None


@dataclass(slots=True)
class Run:
    """What one run came to, beside what the ledger keeps."""

    failed: list[Fault] = field(default_factory=list)  # clips, which the next run tries again
    answered: int = 0
    in_a_row: int = 0  # calls that failed since one did not
    stopped: str = ""  # why it asked no more
    broken: bool = False  # it stopped because the model failed
    exit_code: int = 0  # that the failed clips ask for
    seconds: float = 0.0


def watch_films(
    paths: Sequence[Path], terms: Terms, past: Past, footage: Footage, note: Callable[[Film], None]
) -> tuple[list[Film], list[Fault]]:
    """Return the films and the files that are skipped; films that earlier runs watched are not watched again.

    `note` is told each film that was watched now.
    """
    films: dict[str, Film] = {}
    faults: list[Fault] = []
    eye: Eye | None = None
    for path in paths:
        try:
            with footage.open_video(path) as opened:
                film = past.films.get(str(opened.path))
                if film is None:
                    eye = eye or footage.make_eye()
                    film = watch_film(opened, terms, eye, footage.limits, footage.on_progress)
                    note(film)
                elif stamp(opened) != (film.size_bytes, film.mtime_ns):
                    raise InputError(f"{str(opened.path)!r} changed since it was watched; give another --out")
                films[film.path] = film
        except InputError as error:
            faults.append(Fault(str(path), str(error)))
    return list(films.values()), faults


class Builder:
    """Asks about the clips of a plan and keeps what comes back."""

    def __init__(
        self, chat: Chatting, read_frames: ReadFrames, terms: Terms, ledger: Ledger, prices: Prices, jobs: int = 4
    ) -> None:
        self._chat, self._read, self._terms, self._ledger, self._prices = chat, read_frames, terms, ledger, prices
        self._jobs = jobs
        self._filter = Filter()

    def run(self, plan: Plan, on_progress: Tell = lambda progress: None) -> Run:
        """Ask about each clip; each is on the disk before the next is counted.

        Threads are daemons, so that an interrupt need not wait for a model. Raises SetupError where the disk fails.
        """
        run, began_s = Run(), time.monotonic()
        self._remember()
        todo: Todo = queue.SimpleQueue()
        done: Done = queue.SimpleQueue()
        for _ in range(self._jobs):
            threading.Thread(target=self._work, args=(todo, done), daemon=True).start()
        waiting: list[Task] = list(reversed(plan.tasks))
        flying: list[Task] = []
        try:
            while waiting or flying:
                while waiting and len(flying) < self._jobs and not run.stopped:
                    run.stopped = self._too_dear([*flying, waiting[-1]])
                    if not run.stopped:
                        flying.append(waiting.pop())
                        todo.put(flying[-1])
                if not flying:
                    break
                task, found = done.get()
                flying.remove(task)
                self._take(task, found, run)
                note = f"{self._ledger.tokens_out} tokens written"
                on_progress(Progress("asking", run.answered + len(run.failed), len(plan.tasks), "clips", note))
        finally:
            for _ in range(self._jobs):
                todo.put(None)
        run.seconds = time.monotonic() - began_s
        _judge(run, at_end=True)
        return run

    def _remember(self) -> None:
        """Let the filter know the pairs of earlier runs."""
        for clip in self._ledger.clips():
            for pair in clip["pairs"]:
                self._filter.remember(*texts_of(pair))

    def _work(self, todo: Todo, done: Done) -> None:
        while (task := todo.get()) is not None:
            try:
                done.put((task, self._ask(task)))
            except Exception as error:  # noqa: BLE001 told by the thread that waits
                done.put((task, error))

    def _ask(self, task: Task) -> Asked:
        film, scene, side_px = task.film, task.scene, self._terms.side_px
        facts = Path(film.path).stat()
        if (facts.st_size, facts.st_mtime_ns) != (film.size_bytes, film.mtime_ns):
            raise InputError(f"{film.path!r} changed since it was watched; give another --out")
        frames = self._read(film.path, list(scene.pictures_s), side_px)
        jpegs = [thumbnail(frame, side_px, JPEG_QUALITY) for frame in frames]
        size_px = picture_size(film, side_px)
        return ask_about(
            self._chat, make_messages(scene, jpegs, self._terms), lambda messages: estimate_in(messages, size_px)
        )

    def _take(self, task: Task, found: Asked | Exception, run: Run) -> None:
        """Keep what came of a clip; a fault of the model or of the file is noted, any other is raised."""
        if isinstance(found, Asked):
            self._keep(task, found)
            run.answered += 1
            run.in_a_row = 0
            return
        if not isinstance(found, (HicomAgentError, OSError)):
            raise found
        run.failed.append(Fault(f"{task.film.path} at {task.scene.start_s:.3f} s", str(found)))
        run.in_a_row += isinstance(found, AnswerError)
        run.exit_code = max(run.exit_code, found.exit_code if isinstance(found, HicomAgentError) else 2)
        _judge(run)

    def _keep(self, task: Task, asked: Asked) -> None:
        kept: list[Kept] = []
        rejected: list[Rejected] = []
        if asked.reply is None:
            rejected.append(Rejected(asked.fault, description=asked.text))
        else:
            kept, rejected = self._filter.sort(asked.reply)
        scene, caption = task.scene, asked.reply.caption if asked.reply else ""
        name = f"{clean_text(Path(task.film.path).stem)}-{crc32(task.film.path.encode(errors='surrogateescape')):08x}"
        place = {"video": task.film.path, "start": scene.start_s, "end": scene.end_s}
        pairs = [
            {"id": f"{name}-{scene.start_s:.3f}-{number}"} | place | _conversation(pair, caption)
            for number, pair in enumerate(kept, 1)
        ]
        counted = {"calls": asked.calls, "tokens_in": asked.tokens_in, "tokens_out": asked.tokens_out}
        told = {"told": all(asked.usage), "pictures": len(scene.pictures_s)}
        reasons = [asdict(one) | {"description": example_of(one.description)} for one in rejected]
        self._ledger.add_clip(place | counted | told | {"caption": caption, "pairs": pairs, "rejected": reasons})

    def _too_dear(self, tasks: Sequence[Task]) -> str:
        """Return why asking these would cost too much, with all that was spent before; "" if it would not."""
        tokens_in = self._ledger.tokens_in + sum(task.tokens_in for task in tasks)
        tokens_out = self._ledger.tokens_out + sum(task.tokens_out for task in tasks)
        cost = self._prices.cost(tokens_in, tokens_out)
        if cost is None or self._prices.max_cost is None or cost <= self._prices.max_cost:
            return ""
        return f"one clip more would cost more than --max-cost {self._prices.max_cost:g}; raise it to go on"


def _conversation(pair: Kept, caption: str) -> dict[str, Any]:
    """Return a pair in the LLaVA conversation format."""
    return {
        "conversations": [
            {"from": "human", "value": f"{VIDEO_TAG}{pair.instruction}"},
            {"from": "gpt", "value": pair.description},
        ],
        "category": pair.category,
        "caption": caption,
    }


def texts_of(pair: dict[str, Any]) -> tuple[str, str]:
    """Return the instruction and the description of a pair in that format."""
    human, model = (str(turn["value"]) for turn in pair["conversations"])
    return human.removeprefix(VIDEO_TAG), model


def _judge(run: Run, *, at_end: bool = False) -> None:
    """Give the model up if nothing but faults comes of it."""
    enough = FAILED_IN_A_ROW if run.answered else 1 if at_end else FAILED_AT_ONCE
    if not run.broken and run.in_a_row >= enough:
        many = f"the last {run.in_a_row} calls" if run.answered else f"all {run.in_a_row} calls"
        run.stopped = f"{many} failed, and no more was asked; the last said: {run.failed[-1].reason}"
        run.broken = True
