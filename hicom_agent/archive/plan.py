"""Which question goes to which video: one unit of work for each video, with all its questions."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from glob import has_magic, iglob
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from hicom_agent.archive.questions import Fault, Query, read_questions
from hicom_agent.errors import HicomAgentError, InputError, UnknownVideo
from hicom_agent.tools.index_video import SUFFIXES

if TYPE_CHECKING:
    from hicom_agent.memory import Store

Done = Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Ask:
    """One row of the answers that are wanted."""

    id: str
    video: str  # as it stands in the row; "" for an answer from the whole archive
    question: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """One video and what is asked of it; what a worker takes."""

    target: str  # path of a file, or id of a remembered video
    asks: tuple[Ask, ...] = ()


@dataclass(slots=True)
class Plan:
    """All that is to do."""

    units: list[Unit] = field(
        default_factory=list
    )  # every video once, also those that only the archive's questions need
    archive: list[Ask] = field(default_factory=list)  # questions to all of them together
    faults: list[Fault] = field(default_factory=list)
    files: list[str] = field(default_factory=list)  # that were named, whether anything is asked of them or not
    num_answered: int = 0  # by earlier runs

    @property
    def num_left(self) -> int:
        """Return how many answers are to be given."""
        return len(self.archive) + sum(len(unit.asks) for unit in self.units)


def make_plan(
    queries: Sequence[Query],
    files: Sequence[str],
    find: Callable[[str], str],
    remembered: Sequence[str],
    done: Done,
    *,
    each: bool = False,
) -> Plan:
    """Return the units of a batch, without the answers that are there.

    `files` are the archive; without any, the videos that are `remembered` (ids) are. `find` gives the id of a
    remembered video by name, and raises UnknownVideo. A question that names no video goes to every one with `each`.
    Raises InputError where an id was answered for another question.
    """
    own = list(dict.fromkeys(map(_real, files)))
    plan, find_one = Plan(files=own), cache(lambda name: _by_part(own, name) or find(name))
    archive = own or list(remembered)
    names = _by_name(archive)
    asks: dict[str, list[Ask]] = {target: [] for target in archive}
    lost: dict[str, tuple[str, list[str]]] = {}
    for query in queries:
        if not query.video and not each:
            _want(plan, plan.archive, Ask(query.id, "", query.question, query.options), done)
            continue
        targets = archive
        if query.video:
            try:
                targets = [_target(query.video, names, find_one)]
            except UnknownVideo as error:
                lost.setdefault(query.video, (str(error), []))[1].append(query.id)
                continue
        for target in targets:
            ask = Ask(query.id, query.video or target, query.question, query.options)
            _want(plan, asks.setdefault(target, []), ask, done)
    plan.units = [Unit(target, tuple(wanted)) for target, wanted in asks.items() if wanted or plan.archive]
    for name, (why, ids) in lost.items():
        plan.faults.append(Fault("video", name, f"no such file, and {why}", tuple(ids)))
    return plan


def _want(plan: Plan, asks: list[Ask], ask: Ask, done: Done) -> None:
    answered = done.get((ask.id, ask.video))
    if answered is None:
        asks.append(ask)
    elif answered == ask.question:
        plan.num_answered += 1
    else:
        raise InputError(f"the answers hold {ask.id!r} for another question, {answered[:80]!r}; give another --out")


def _by_name(archive: Iterable[str]) -> dict[str, str]:
    """Return the files of the archive by path, name and name without its ending, where only one has that."""
    found: dict[str, str] = {}
    num: Counter[str] = Counter()
    for path in archive:
        for name in {path, Path(path).name, Path(path).stem}:
            found[name] = path
            num[name] += 1
    return {name: path for name, path in found.items() if num[name] == 1}


def _target(name: str, names: Mapping[str, str], find: Callable[[str], str]) -> str:
    """Return the file or remembered video that a question names; raises UnknownVideo."""
    real = _real(name)
    if real in names or os.path.isfile(real):  # noqa: PTH113  # never raises, whatever the name
        return names.get(real, real)
    return names[name] if name in names else find(name)


def _by_part(files: Sequence[str], name: str) -> str | None:
    """Return the file with that in its name, where only one has it."""
    meant = [path for path in files if name.casefold() in Path(path).stem.casefold()]
    return meant[0] if len(meant) == 1 else None


def _real(path: str) -> str:
    return os.path.realpath(os.path.expanduser(path)) if "\0" not in path else path  # noqa: PTH111  # never raises


def shard_name(target: str) -> str:
    """Return the name of the folder in which a video is watched.

    >>> shard_name("/films/a.mp4")
    '11258b8dd71870fe'
    """
    return sha256(target.encode(errors="surrogateescape")).hexdigest()[:16]


def find_videos(paths: Sequence[str]) -> tuple[list[str], list[Fault]]:
    """Return the video files that files, folders and globs name, each once, in order; and what could not be read.

    A file is taken whatever its name, also one that is not there: opening it says what is wrong.
    """
    found: dict[str, None] = {}
    faults: list[Fault] = []

    def note(error: OSError) -> None:
        faults.append(Fault("video", str(error.filename), f"the folder cannot be read: {error.strerror}"))

    for text in paths:
        path = Path(_real(text))
        if os.path.isdir(path):  # noqa: PTH112
            files = [path / name for path, _, names in _walk(path, note) for name in names]
        elif has_magic(text) and not os.path.exists(path):  # noqa: PTH110
            matches = sorted(iglob(str(path), recursive=True))  # noqa: PTH207  # absolute patterns too
            files = [Path(match) for match in matches if Path(match).is_file()]
        else:
            found[_real(text)] = None
            continue
        videos = [str(file.resolve()) for file in files if file.suffix.lower() in SUFFIXES]
        if not videos and not faults:
            faults.append(Fault("video", text, "no video is there" if files else "nothing is there that matches"))
        found.update(dict.fromkeys(videos))
    return list(found), faults


def _walk(folder: Path, note: Callable[[OSError], None]) -> Iterable[tuple[Path, list[str], list[str]]]:
    for path, folders, names in os.walk(folder, onerror=note):
        folders.sort()
        yield Path(path), folders, sorted(names)


def add_lost(plan: Plan, lost: Collection[str], probe: Callable[[str], object]) -> None:
    """Add files that earlier runs could not work on and this one would leave alone: faults again, unless they open."""
    planned = {unit.target for unit in plan.units}
    for path in plan.files:
        if path in lost and path not in planned:
            try:
                probe(path)
            except HicomAgentError as error:
                plan.faults.append(Fault("video", path, error.line))
            else:
                plan.units.append(Unit(path))


def read_job(
    questions: Path, videos: Sequence[str], store: Store, done: Done, max_chars: int, *, each: bool = False
) -> Plan:
    """Return the plan of a batch, with the lines and videos that cannot be worked on.

    Raises InputError where there is nothing to do it with: no questions, or no videos.
    """
    queries, faults = read_questions(questions, max_chars)
    files, unread = find_videos(videos)
    rows = store.videos()
    plan = make_plan(queries, files, store.find_video, [row.video_id for row in rows], done, each=each)
    plan.faults = [*faults, *unread, *plan.faults]
    if not plan.units and not plan.num_answered and not any(fault.ids for fault in plan.faults):
        why = f"; {unread[0].name}: {unread[0].reason}" if unread else ""
        raise InputError(f"no video to ask: name some with --videos, or index some first{why}")
    return plan
