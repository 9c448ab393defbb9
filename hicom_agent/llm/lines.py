"""A small language model that reads one line at a time: whether it answers a question, and with which of its words.

It is asked to copy the answer or to write NONE, after examples of both, which tells a near miss from an answer where a
plain question for yes or no does not; best together with what the line and the question share (`agent/rereading.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hicom_agent.llm.grounding import neutralise
from hicom_agent.llm.text import Draft, SmallTextModel
from hicom_agent.prompts import load_prompt

NOTHING = "NONE"
MAX_LINE_CHARS = 800
MAX_TOKENS = 24


class LineReader:
    """Qwen2.5-Coder-1.5B in CTranslate2 int8; greedy, and with the same examples before every line."""

    writes_freely = False

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        """Load the converted model; raises SetupError if the folder or the package does not hold it."""
        self._model = SmallTextModel(folder, threads=threads)
        self._examples = self._model.opening(load_prompt("read_system").strip(), _examples("read_examples"))
        self._abouts = self._model.opening(load_prompt("about_system").strip(), _examples("about_examples"))

    def write(self, system: str, user: str, max_tokens: int = 64) -> Draft:
        """Return the model's answer to one message."""
        return self._model.write(system, user, max_tokens)

    def choose(self, system: str, user: str, options: Sequence[str]) -> Draft:
        """Return the likeliest of options; raises ValueError without options."""
        return self._model.choose(system, user, options)

    def score(self, system: str, user: str, options: Sequence[str]) -> list[float]:
        """Return for each option the mean log-likelihood of its tokens as the answer."""
        return self._model.score(system, user, options)

    def holds(self, question: str, line: str) -> float:
        """Return the log odds that the line holds the answer: of anything but NONE as the next word."""
        logits = self._model.next_logits(self._examples, _ask(question, line))
        nothing = logits[self._model.token(NOTHING)]
        others = np.delete(logits, self._model.token(NOTHING))
        top = float(others.max())
        return top + math.log(float(np.exp(others - top).sum())) - float(nothing)

    def is_about(self, thing: str, line: str) -> float:
        """Return the log odds that the line is about a thing, also in other words: of YES over NO."""
        ask = f'Text: "{neutralise(line)[:MAX_LINE_CHARS]}"\nNamed: {neutralise(thing)}'
        logits = self._model.next_logits(self._abouts, ask)
        return float(logits[self._model.token("YES")] - logits[self._model.token("NO")])

    def extract(self, question: str, line: str) -> Draft | None:
        """Return the words of the line that answer, None if it holds none."""
        draft = self._model.go_on(self._examples, _ask(question, line), MAX_TOKENS)
        return None if not draft.text or NOTHING in draft.text else draft


def _ask(question: str, line: str) -> str:
    return f'Text: "{neutralise(line)[:MAX_LINE_CHARS]}"\nQuestion: {neutralise(question).rstrip(" ?.")}?'


def _examples(name: str) -> list[tuple[str, str]]:
    """Return what was asked and answered before."""
    parts = [part.strip().rpartition("\n") for part in load_prompt(name).split("\n\n") if part.strip()]
    return [(asked, answered) for asked, _, answered in parts]
