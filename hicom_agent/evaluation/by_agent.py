"""Mode `agent`: videos are indexed, then the agent answers the bare question and weighs the options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from hicom_agent.errors import AnswerError
from hicom_agent.evaluation.asking import Reply, agent_settings, within
from hicom_agent.evaluation.films import film_of
from hicom_agent.evaluation.questions import Question
from hicom_agent.tools import index_video

if TYPE_CHECKING:
    from hicom_agent.build import Workspace


class ByAgent:
    """The agent of this package, in this process, under either profile."""

    def __init__(self, work: Workspace, films: Path, max_visual_tokens: int | None) -> None:
        self._work, self._films, self._max_visual_tokens = work, films, max_visual_tokens
        self._ids: dict[str, str] = {}  # of videos that are remembered, by unit

    def __enter__(self) -> ByAgent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """Return what decides about its answers."""
        return agent_settings(self._work, self._work.encoder.version, self._max_visual_tokens)

    def watch(self, question: Question) -> None:
        """Index a question's video, or what is meant of it, if that is new; raises InputError."""
        if question.unit not in self._ids:
            assert question.path is not None
            film = film_of(question.path, question.span_s, self._films, self._work.settings)
            self._ids[question.unit] = index_video(self._work, film).video_id

    def ask(self, question: Question) -> Reply:
        """Return the likelihoods of the options and the answer without them; raises InputError, AnswerError."""
        if len(set(question.options)) < len(question.options):
            raise AnswerError("two options are the same, so the agent cannot choose between them")
        return within(self._max_visual_tokens, 1, lambda budget: self._ask(question, budget))

    def _ask(self, question: Question, max_visual_tokens: int | None) -> Reply:
        from hicom_agent.agent import Budget

        with self._work.store() as store, store.snapshot() as still:
            # what costs nothing would stretch a limit on tokens; without one, the same answers in any order
            still.conditioned.reuse = "same" if max_visual_tokens is None else "nothing"
            budget = Budget.of(None, max_visual_tokens, None)
            video_id = self._ids[question.unit]
            choice = self._work.agent(still).choose(video_id, question.text, question.options, budget)
        spend = choice.answer.spend
        return Reply(
            text=choice.answer.answer,
            likelihoods=tuple(choice.likelihoods[option] for option in question.options),
            visual_tokens=spend.visual_tokens,
            llm_tokens=spend.llm_tokens,
            note="declined" if choice.answer.abstained else "",
            lettered=False,
        )
