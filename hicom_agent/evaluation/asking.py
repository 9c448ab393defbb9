"""Who answers: the model alone, the agent, or the server as an agent sees it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from hicom_agent.evaluation.questions import LETTERS, Question, Wording
from hicom_agent.prompts import load_prompt

if TYPE_CHECKING:
    from hicom_agent.build import Workspace


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a question."""

    text: str  # as it was written
    likelihoods: tuple[float, ...] = ()  # of each option, given that one is right; none where nobody tells
    visual_tokens: int = 0
    llm_tokens: int = 0
    frames: int = 0  # that were shown; 0 where clips were looked at
    note: str = ""
    lettered: bool = True  # whether the options were told, with their letters


class Asker(Protocol):
    """Answers questions of one benchmark, one at a time."""

    def __enter__(self) -> Asker: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """Return what decides about its answers."""

    def watch(self, question: Question) -> None:
        """See to it that the question's video is at hand; raises InputError for one that cannot be read."""

    def ask(self, question: Question) -> Reply:
        """Return the answer; raises InputError, AnswerError."""


def word_question(question: Question, wording: Wording, subtitles: Sequence[str] = ()) -> str:
    """Return a question with its options as the benchmark's public evaluation writes it, subtitles before it."""
    letters = LETTERS[: len(question.options)]
    form = "({}) {}" if wording == "brackets" else "{}. {}"
    options = "\n".join(form.format(*each) for each in zip(letters, question.options, strict=True))
    if wording == "best answer":
        basis = "the video and the subtitles" if subtitles else "the video"
        told = f"{', '.join(letters[:-1])}, or {letters[-1]}"
        ask = load_prompt("choice_best", question=question.text, options=options, basis=basis, letters=told).strip()
    else:
        ask = load_prompt("choice_letter", question=question.text, options=options).strip()
    return load_prompt("choice_subtitles", lines="\n".join(subtitles), ask=ask).strip() if subtitles else ask


def agent_settings(work: Workspace, model: str, max_visual_tokens: int | None) -> dict[str, Any]:
    """Return what decides about the answers of the agent, in this process or in a server."""
    given = work.settings
    return {
        "model": model,
        "llm": given.llm,
        "speech": given.speech,
        "ocr": given.ocr,
        "sample_every_s": given.sample_every_s,
        "tokens_at_once": given.max_visual_tokens,
        "max_visual_tokens": max_visual_tokens,
    }


def shares(scores: Sequence[float]) -> tuple[float, ...]:
    """Return likelihoods that sum to 1, from their logarithms."""
    weights = [math.exp(score - max(scores)) for score in scores]
    return tuple(weight / sum(weights) for weight in weights)


def within(limit: int | None, least: int, ask: Callable[[int | None], Reply]) -> Reply:
    """Return the reply of `ask` that took no more visual tokens than the limit.

    The agent ends with the clip that reaches its budget, so one that overran is asked again with a smaller one, down
    to `least`; the note says where even that is too much.
    """
    budget = limit
    while True:
        reply = ask(budget)
        if limit is None or budget is None or reply.visual_tokens <= limit:
            return reply
        budget -= reply.visual_tokens - limit
        if budget < least:
            return replace(reply, note="a single clip takes more visual tokens than the limit")
