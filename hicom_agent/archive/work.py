"""What a worker does with one video: watch it if it is new, then answer what is asked of it.

A new video is watched into a store of its own, a shard, which one worker owns; a shard is merged into the archive's
store when it is whole. So many workers watch at once, and a kill loses the minute in work of each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hicom_agent.archive.plan import Ask, Unit, shard_name
from hicom_agent.build import Workspace
from hicom_agent.errors import HicomAgentError, InputError, StoreBusy
from hicom_agent.memory import Store, adopt
from hicom_agent.memory.disk import remove_folder

if TYPE_CHECKING:
    from hicom_agent.agent import Agent
    from hicom_agent.types import Answer

TOGETHER = 16  # questions whose clips are compressed at once, and that answer from one state of the store
WAIT_S = 120.0  # for another worker's merge, or for a worker that is ending
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Settled:
    """A video that is remembered, and where."""

    target: str
    video_id: str
    title: str
    store: str  # folder
    duration_s: float
    watched_s: float  # of film that this run watched; 0 where it was remembered before


@dataclass(frozen=True, slots=True)
class Hand:
    """The settings of one worker; its models are loaded once."""

    work: Workspace
    shards: Path
    merges: bool = True  # into the store of the settings; else what is new stays in its shard
    max_steps: int | None = None
    max_visual_tokens: int | None = None

    def settle(self, target: str) -> Settled:
        """See to it that a video is remembered; raises what indexing raises."""
        main, shard = self.work.settings.store, self.shards / shard_name(target)
        video_id = self._identify(target)
        known = self._known(video_id, target)
        if known is not None:
            return replace(known, store=str(main if self.merges else self._copy(video_id, shard)))
        with patiently(lambda: Store.open(shard, write=True, token_bytes=self.work.settings.token_bytes)) as store:
            known = self._known(video_id, target)  # by whoever had the shard until now
            if known is not None:
                remove_folder(shard)
                return replace(known, store=str(main))
            try:
                report = self.work.indexer(store).index(target)
            except InputError:  # it can't be read, so there is nothing to go on with
                remove_folder(shard)
                raise
            if self.merges:
                merge(main, shard, report.video_id)
        where = main if self.merges else shard
        return Settled(target, report.video_id, report.title, str(where), report.duration_s, report.covered_s)

    def _identify(self, target: str) -> str:
        """Return the id of a file's content; a target that is no path is one."""
        if not Path(target).is_absolute():
            return target
        with self.work.store() as store:
            return self.work.indexer(store).identify(target)

    def _known(self, video_id: str, target: str) -> Settled | None:
        """Return what is remembered of a video; raises UnknownVideo for one that is named by its id."""
        with self.work.store() as store:
            if Path(target).is_absolute() and self.work.indexer(store).known(video_id) is None:
                return None
            row = store.video(video_id)
        return Settled(target, video_id, row.title, "", row.duration_s, 0.0)

    def _copy(self, video_id: str, shard: Path) -> Path:
        """Return a store with this video that nobody else uses, where workers may not write the archive's."""
        with patiently(lambda: Store.open(shard, write=True)) as store:
            adopt(store, self.work.settings.store, video_id)
        return shard

    def answer(self, settled: Settled, asks: Sequence[Ask]) -> Iterator[dict[str, Any]]:
        """Yield how many tokens were compressed for some questions at once, then a row for each or why it has none."""
        for start in range(0, len(asks), TOGETHER):
            yield from self._answer(settled, asks[start : start + TOGETHER])

    def _answer(self, settled: Settled, asks: Sequence[Ask]) -> Iterator[dict[str, Any]]:
        folder, token_bytes = Path(settled.store), self.work.settings.token_bytes
        with Store.open(folder, token_bytes=token_bytes) as store, store.snapshot() as still:
            # The same rows in any order, whatever was asked before; what costs nothing would stretch a limit on tokens.
            still.conditioned.reuse = "same" if self.max_visual_tokens is None else "nothing"
            agent = self.work.agent(still)
            if len(asks) > 1 and self.max_visual_tokens is None:
                yield {"prepared": agent.prepare(settled.video_id, [ask.question for ask in asks])}
            for ask in asks:
                try:
                    yield {"row": self._row(agent, settled.video_id, ask)}
                except HicomAgentError as error:
                    yield {"failed": asdict(ask), "reason": one_line(error)}

    def _row(self, agent: Agent, video_id: str, ask: Ask) -> dict[str, Any]:
        from hicom_agent.agent import Budget

        budget = Budget.of(None, self.max_visual_tokens, self.max_steps)
        if not ask.options:
            return make_row(ask, agent.ask(video_id, ask.question, budget))
        choice = agent.choose(video_id, ask.question, ask.options, budget)
        return make_row(ask, choice.answer) | {"option": choice.option, "likelihoods": choice.likelihoods}

    def work_on(self, unit: Unit) -> Iterator[dict[str, Any]]:
        """Yield what comes of a unit: where it is remembered, then its rows; or what is in the way."""
        try:
            settled = self.settle(unit.target)
            yield {"settled": asdict(settled)}
            yield from self.answer(settled, unit.asks)
        except Exception as error:  # noqa: BLE001 a fault of ours in one video must not end the work on others
            yield {"lost": one_line(error)}

    def route(self, question: str, video_ids: Sequence[str], limit: int) -> list[str]:
        """Return the videos, of these, that most likely hold the answer, best first."""
        with self.work.store() as store:
            return self.work.agent(store).route(question, list(video_ids), limit)


def one_line(error: Exception) -> str:
    """Return what to tell of a fault."""
    if isinstance(error, HicomAgentError):
        return error.line
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def make_row(ask: Ask, answer: Answer) -> dict[str, Any]:
    """Return a line of the answers."""
    return {"id": ask.id, "video": ask.video, **answer.model_dump(mode="json", exclude={"steps", "warning"})}


def merge(into: Path, shard: Path, video_id: str) -> str:
    """Make a shard's video one of a store, remove the shard, and return its version; raises StoreError, SetupError."""
    with patiently(lambda: Store.open(into, write=True)) as store:
        version = adopt(store, shard, video_id)
    remove_folder(shard)
    return version


def patiently(begin: Callable[[], _T]) -> _T:
    """Return what `begin` gives, tried again while somebody else writes the store; raises StoreBusy at last."""
    until_s = time.monotonic() + WAIT_S
    while True:
        try:
            return begin()
        except StoreBusy:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.1)


def unit_of(fields: dict[str, Any]) -> Unit:
    """Return the unit that `asdict` made these fields of."""
    asks = tuple(Ask(a["id"], a["video"], a["question"], tuple(a["options"])) for a in fields["asks"])
    return Unit(fields["target"], asks)
