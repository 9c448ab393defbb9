"""Multiple choice: the likeliest of given options, by what the film holds of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hicom_agent.agent.confidence import log_odds
from hicom_agent.agent.facts import asks_fact
from hicom_agent.agent.plan import understand
from hicom_agent.llm.grounding import content_words, neutralise
from hicom_agent.prompts import load_prompt
from hicom_agent.types import Answer

HELD = 3.0  # nats for an option whose every word stands in the evidence


class Scorer(Protocol):
    """A language model that tells how likely a text is as an answer."""

    def score(self, system: str, user: str, options: Sequence[str]) -> list[float]:
        """Return for each option the mean log-likelihood of its tokens."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several options, and the answer whose evidence speaks for it."""

    option: str
    likelihoods: dict[str, float]  # of every option, given that one of them is right; they sum to 1
    answer: Answer


def choose(
    question: str, options: Sequence[str], answer: Answer, model: Callable[[], Scorer], presence: Callable[[str], float]
) -> Choice:
    """Return the likeliest option.

    Words count where words were found: how likely the model holds each option after reading them, and whether they
    hold it. What is seen counts where the wording leaves it open: `presence` tells how likely the film shows an option.
    Raises ValueError for fewer than two options, or one given twice.
    """
    if len(set(options)) < max(2, len(options)):
        raise ValueError(f"need two different options at least, got {list(options)}")
    logits = [0.0] * len(options)
    quotes = [citation.quote for citation in answer.citations if citation.quote]
    quotes += [answer.answer] if asks_fact(question) else []
    if quotes:
        lines = [f"- {neutralise(quote)}" for quote in quotes]
        user = load_prompt("answer", evidence="\n".join(lines), question=question)
        logits = model().score(load_prompt("answer_system"), user, options)
        told = answer.answer if len(answer.answer.splitlines()) == 1 else ""  # parts of a question are told with it
        held = {word for text in (*quotes, told) for word in content_words(text)}
        logits = [
            logit + HELD * bool(words and words <= held)
            for logit, words in ((logit, set(content_words(o))) for logit, o in zip(logits, options, strict=True))
        ]
    sub = understand(question)
    if "visual" in sub.sources and (sub.kind == "outline" or answer.abstained or not quotes):
        logits = [logit + log_odds(presence(option)) for logit, option in zip(logits, options, strict=True)]
    weights = [math.exp(logit - max(logits)) for logit in logits]
    likelihoods = {o: round(weight / sum(weights), 4) for o, weight in zip(options, weights, strict=True)}
    return Choice(max(options, key=lambda option: likelihoods[option]), likelihoods, answer)
