"""Calls of a chat model wait for a busy service, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from hicom_agent.errors import AnswerError
from hicom_agent.llm.calls import LONGEST_WAIT_S, Chat, said

Make = Callable[..., tuple[Chat, list[float]]]


class Told(Exception):
    """A fault as HTTP libraries tell it."""

    def __init__(self, status_code: int, retry_after: str = "") -> None:
        super().__init__(f"status {status_code}")
        self.status_code = status_code
        self.response = type("Response", (), {"headers": {"retry-after": retry_after} if retry_after else {}})


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return a function from what a model does, call after call, to the chat and the waits that it makes."""

    def make(*does: str | Exception, tries: int = 4) -> tuple[Chat, list[float]]:
        left = list(does)

        class Model:
            def invoke(self, _: Any) -> AIMessage:
                now = left.pop(0)
                if isinstance(now, Exception):
                    raise now
                return AIMessage(now)

        waits: list[float] = []
        monkeypatch.setattr("langchain.chat_models.init_chat_model", lambda name, **choices: Model())
        return Chat("fake:model", tries=tries, wait=waits.append), waits

    return make


def test_a_busy_service_is_asked_again_after_longer_and_longer_waits(make: Make) -> None:
    chat, waits = make(Told(429), ValueError("Rate limit reached"), Told(529), "fine")
    assert said(chat.ask([("human", "hello")])) == "fine"
    assert len(waits) == 3 and all(a < b for a, b in zip(waits, waits[1:], strict=False))
    assert 1.5 <= waits[0] <= 2.5 and 6 <= waits[2] <= 10


def test_a_service_that_says_how_long_is_believed_within_reason(make: Make) -> None:
    chat, waits = make(Told(429, "21"), Told(503, "86400"), Told(429, "soon"), "fine")
    chat.ask([("human", "hello")])
    assert waits[:2] == [21.0, LONGEST_WAIT_S] and waits[2] < LONGEST_WAIT_S


@pytest.mark.parametrize("error", [Told(401), Told(400), ValueError("no such model")])
def test_other_faults_are_told_at_once(make: Make, error: Exception) -> None:
    chat, waits = make(error, "fine")
    with pytest.raises(AnswerError, match=str(error)):
        chat.ask([("human", "hello")])
    assert waits == []


def test_patience_ends(make: Make) -> None:
    chat, waits = make(*[Told(429)] * 4, tries=3)
    with pytest.raises(AnswerError, match="status 429"):
        chat.ask([("human", "hello")])
    assert len(waits) == 2
