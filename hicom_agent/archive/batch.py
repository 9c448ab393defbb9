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
from hicom_agent.archive.work import Settled, make_row, merge
from hicom_agent.errors import HicomAgentError
from hicom_agent.types import Answer, Progress


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

    @property
    def exit_code(self) -> int:
        """Return 0 if every question has its answer, 2 if not."""
        return 2 if self.failed or self.faults else 0


@dataclass(slots=True)
class Batch:
    """One run over a plan."""

    plan: Plan
    ledger: Ledger
    workers: Workers
    store: Path  # that new videos are merged into, where workers leave them in shards
    max_videos: int = 16  # asked for one question to the archive
    on_progress: Callable[[Progress], None] = lambda progress: None
    summary: Summary = field(default_factory=Summary)
    settled: dict[str, Settled] = field(default_factory=dict)
    _not_planned: int = 0  # failed before anything was asked
    _notes: dict[str, str] = field(default_factory=dict)  # what is being watched
    _parts: dict[str, dict[str, tuple[str, Answer]]] = field(default_factory=dict)  # id of a question to the archive

    def run(self) -> Summary:
        """Do all that is left of the plan.

        Raises SetupError where answers cannot be written; what was written is kept.
        """
        began_s = time.monotonic()
        self.summary.earlier = self.plan.num_answered
        for fault in self.plan.faults:
            self._fail(fault)
        self._not_planned = self.summary.failed
        with self.workers:
            self._work(self.plan.units)
            if self.plan.archive:
                self._ask_archive()
        self.ledger.settle()
        self.summary.seconds = round(time.monotonic() - began_s, 3)
        return self.summary

    # ------------------------------------------------------------------ videos

    def _work(self, units: Sequence[Unit]) -> None:
        """Let units be done, and write what comes of them."""
        left = {unit.target: {ask.id: ask for ask in unit.asks} for unit in units}
        for unit, event in self.workers.run(units) if units else ():
            assert unit is not None
            if "settled" in event:
                self._settle(Settled(**event["settled"]))
            elif "row" in event:
                left[unit.target].pop(event["row"]["id"], None)
                self._take(event["row"], unit)
            elif "failed" in event:
                ask = left[unit.target].pop(event["failed"]["id"])
                self._fail(Fault("question", ask.id, f"{self._name(unit.target)}: {event['reason']}", (ask.id,)))
            elif "lost" in event:
                ids = tuple(ask.id for ask in left.pop(unit.target, {}).values() if ask.video)
                self._fail(Fault("video", unit.target, event["lost"], ids))
            elif "prepared" in event:
                self.summary.visual_tokens += event["prepared"]
            elif "progress" in event:
                stage, done, total = event["progress"]
                self._notes[unit.target] = (
                    f"{stage} {Path(unit.target).name} {100 * done / total if total else 0:.0f} %"
                )
            elif "end" in event:
                self._notes.pop(unit.target, None)
            self._tell()

    def _settle(self, settled: Settled) -> None:
        if Path(settled.store) != self.store:
            merge(self.store, Path(settled.store), settled.video_id)
        self.settled[settled.target] = settled
        self.summary.watched_s += settled.watched_s

    def _take(self, row: dict[str, Any], unit: Unit) -> None:
        if row["video"]:
            self._write(row)
            return
        answer = Answer(**{name: row[name] for name in Answer.model_fields if name in row})
        name = self.settled[unit.target].title if unit.target in self.settled else unit.target
        self._parts.setdefault(row["id"], {})[unit.target] = (name, answer)

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

    def _ask_archive(self) -> None:
        """Ask each of them the videos that most likely know, and join what these say."""
        from hicom_agent.agent.join import join_answers  # brings torch, which only workers need otherwise

        videos = sorted({settled.video_id for settled in self.settled.values()})
        units: dict[str, list[Ask]] = {}
        for ask in self.plan.archive:
            try:
                for video_id in self.workers.route(ask.question, videos, self.max_videos) if videos else ():
                    units.setdefault(video_id, []).append(ask)
            except HicomAgentError as error:
                self._fail(Fault("question", ask.id, str(error), (ask.id,)))
        self._work([Unit(video_id, tuple(asks)) for video_id, asks in sorted(units.items())])
        for ask in self.plan.archive:
            parts = [part for _, part in sorted(self._parts.get(ask.id, {}).items())]
            if parts:
                self._write(make_row(ask, join_answers(ask.question, parts)))
            elif not any(ask.id in error["ids"] for error in self.ledger.errors):
                self._fail(Fault("question", ask.id, "no video could be asked", (ask.id,)))

    def _tell(self) -> None:
        done = self.summary.answered + self.summary.failed - self._not_planned
        notes = [f"{self.summary.faults} failed"] if self.summary.faults else []
        notes += list(self._notes.values())[:2]
        self.on_progress(Progress("answering", done, self.plan.num_left, "answers", ", ".join(notes)))
