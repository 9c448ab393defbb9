"""A batch from plan to summary: units to workers, rows to the ledger, the archive's questions when all is watched."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from hicom_agent.archive.ledger import Ledger
from hicom_agent.archive.local import Event
from hicom_agent.archive.plan import Ask, Plan, Unit
from hicom_agent.archive.questions import Fault
from hicom_agent.archive.work import Settled, make_row, merge, one_line
from hicom_agent.errors import HicomAgentError
from hicom_agent.types import Answer, Progress

AT_ONCE = 64  # questions to the archive that are asked, joined and written together


class Workers(Protocol):
    """What does the units: processes of this machine, or actors of a cluster."""

    def __enter__(self) -> Workers: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def run(self, units: Sequence[Unit]) -> Iterator[Event]:
        """Yield what comes of units, as it comes; `{"end": ...}` closes each."""

    def route(self, question: str, video_ids: Sequence[str], limit: int) -> list[str]:
        """Return the videos that most likely hold the answer, best first."""


@dataclass(slots=True)
class Summary:
    """What a run came to."""

    answered: int = 0
    abstained: int = 0  # of the answered
    earlier: int = 0  # answered by runs before
    failed: int = 0  # questions without an answer
    faults: int = 0  # videos and lines that stand in the way
    watched_s: float = 0.0  # seconds of film that were watched
    visual_tokens: int = 0
    llm_tokens: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Batch:
    """One run over a plan."""

    plan: Plan
    ledger: Ledger
    workers: Workers  # at work already
    store: Path  # that new videos are merged into, where workers leave them in shards
    max_videos: int = 16  # asked for one question to the archive
    on_progress: Callable[[Progress], None] = lambda progress: None
    summary: Summary = field(default_factory=Summary)
    settled: dict[str, Settled] = field(default_factory=dict)  # by target
    _versions: dict[str, str] = field(default_factory=dict)  # of what was merged, by target
    _lost: set[str] = field(default_factory=set)  # targets that could not be watched
    _not_planned: int = 0  # failed before anything was asked
    _notes: dict[str, str] = field(default_factory=dict)  # what is being watched
    _parts: dict[str, dict[str, tuple[str, dict[str, Any]]]] = field(
        default_factory=dict
    )  # of questions to the archive

    def run(self) -> Summary:
        """Do all that is left of the plan.

        Raises SetupError where answers cannot be written; what was written is kept.
        """
        began_s = time.monotonic()
        self.summary.earlier = self.plan.num_answered
        for fault in self.plan.faults:
            self._fail(fault)
        self._not_planned = self.summary.failed
        self._work(self.plan.units)
        for start in range(0, len(self.plan.archive), AT_ONCE):
            self._ask_archive(self.plan.archive[start : start + AT_ONCE])
        self.ledger.settle()
        self.summary.seconds = round(time.monotonic() - began_s, 3)
        return self.summary

    # ------------------------------------------------------------------ videos

    def _work(self, units: Sequence[Unit]) -> None:
        """Let units be done, and write what comes of them."""
        left = {unit.target: {(ask.id, ask.video): ask for ask in unit.asks} for unit in units}
        for unit, event in self.workers.run(units) if units else ():
            assert unit is not None
            asks, target = left[unit.target], unit.target
            if "settled" in event:
                self._settle(Settled(**event["settled"]), asks)
            elif told := event.get("row") or event.get("failed"):
                if asks.pop((told["id"], told["video"]), None) is not None:
                    self._take(told, target, event.get("reason", ""))
            elif "lost" in event:
                self._lose(target, event["lost"], asks)
            elif "prepared" in event:
                self.summary.visual_tokens += event["prepared"]
            elif "progress" in event:
                stage, done, total = event["progress"]
                self._notes[target] = f"{stage} {Path(target).name} {100 * done / total if total else 0:.0f} %"
            elif "end" in event:
                self._notes.pop(target, None)
            self._tell()

    def _settle(self, settled: Settled, asks: dict[tuple[str, str], Ask]) -> None:
        if Path(settled.store) != self.store:
            try:
                self._versions[settled.target] = merge(self.store, Path(settled.store), settled.video_id)
            except HicomAgentError as error:
                self._lose(settled.target, one_line(error), asks)
                return
        self.settled[settled.target] = settled
        self.summary.watched_s += settled.watched_s

    def _lose(self, target: str, reason: str, asks: dict[tuple[str, str], Ask]) -> None:
        """Note a video that cannot be worked on, with all that was to be asked of it."""
        self._lost.add(target)
        self._fail(Fault("video", target, reason, tuple(ask.id for ask in asks.values())))
        asks.clear()

    def _take(self, row: dict[str, Any], target: str, reason: str) -> None:
        """Write a row, or keep it where it is part of an answer; with a reason there is none."""
        if reason:
            where = f" of {self._name(target)}" if row["video"] else ""
            self._fail(Fault("question", row["id"] + where, reason, (row["id"],)))
            return
        row["index_version"] = self._versions.get(target, row["index_version"])  # a shard counts from 1
        if row["video"]:
            self._write(row)
        else:
            self._parts.setdefault(row["id"], {})[target] = (self._name(target), row)

    def _write(self, row: dict[str, Any]) -> None:
        self.ledger.add(row)
        self.summary.answered += 1
        self.summary.abstained += bool(row["abstained"])
        self.summary.visual_tokens += row["spend"]["visual_tokens"]
        self.summary.llm_tokens += row["spend"]["llm_tokens"]

    def _fail(self, fault: Fault) -> None:
        self.ledger.fail(fault)
        self.summary.faults += 1
        self.summary.failed += len(fault.ids) or fault.kind == "question"

    def _name(self, target: str) -> str:
        return self.settled[target].title if target in self.settled else target

    # ------------------------------------------------------------------ questions to all videos

    def _ask_archive(self, asked: Sequence[Ask]) -> None:
        """Ask each of them the videos that most likely know, and join what these say."""
        videos = sorted({settled.video_id for settled in self.settled.values()})
        num_lost = len(self._lost)
        units: dict[str, list[Ask]] = {}
        for ask in asked:
            try:
                for video_id in self.workers.route(ask.question, videos, self.max_videos) if videos else ():
                    units.setdefault(video_id, []).append(ask)
            except HicomAgentError as error:
                self._fail(Fault("question", ask.id, one_line(error), (ask.id,)))
        self._work([Unit(video_id, tuple(asks)) for video_id, asks in sorted(units.items())])
        for ask in asked:
            parts = self._parts.pop(ask.id, {})
            if self.ledger.has_failed(ask.id):
                continue  # a part is missing: the next run asks again
            if parts:
                self._write(join_rows(ask, [part for _, part in sorted(parts.items())], num_lost))
            else:
                self._fail(Fault("question", ask.id, "no video could be asked", (ask.id,)))

    def _tell(self) -> None:
        done = self.summary.answered + self.summary.failed - self._not_planned
        notes = [f"{self.summary.faults} failed"] if self.summary.faults else []
        notes += list(self._notes.values())[:2]
        self.on_progress(Progress("answering", done, self.plan.num_left, "answers", ", ".join(notes)))


def join_rows(ask: Ask, parts: Sequence[tuple[str, dict[str, Any]]], num_lost: int) -> dict[str, Any]:
    """Return one row from those of several videos, each with its title; `num_lost` videos could not be watched.

    Of options, the likelihoods are averaged, those of videos that answer if any does, by how sure these are.
    """
    from hicom_agent.agent.join import join_answers  # brings torch, which only workers need otherwise

    answers = [(title, Answer(**{n: row[n] for n in Answer.model_fields if n in row})) for title, row in parts]
    row = make_row(ask, join_answers(ask.question, answers))
    if num_lost:
        row["spend"]["note"] = "; ".join(
            filter(None, (row["spend"]["note"], f"{num_lost} videos could not be watched"))
        )
    if ask.options:
        telling = [part for _, part in parts if not part["abstained"]] or [part for _, part in parts]
        weight = sum(part["confidence"] for part in telling) or 1.0
        mixed = {o: sum(p["confidence"] * p["likelihoods"][o] for p in telling) / weight for o in ask.options}
        row["likelihoods"] = {option: round(value, 4) for option, value in mixed.items()}
        row["option"] = max(ask.options, key=lambda option: mixed[option])
    return row
