"""Calls of any chat model of LangChain: a limit of time, patience with busy services, faults in one line."""

from __future__ import annotations

import queue
import random
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hicom_agent.errors import AnswerError, SetupError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

LONGEST_WAIT_S = 60.0
_BUSY = {408, 429, 500, 502, 503, 504, 529}  # HTTP: of a service that may answer later
_BUSY_WORDS = re.compile(r"rate.?limit|too many requests|overloaded|\b(?:429|503|529)\b", re.IGNORECASE)


class Chat:
    """A chat model named like "ollama:qwen3" or "anthropic:claude-sonnet-4-5"; several threads may ask it at once."""

    def __init__(
        self, name: str, *, timeout_s: float = 90.0, tries: int = 1, wait: Callable[[float], object] = time.sleep
    ) -> None:
        """Prepare the model, which is asked `tries` times at most while its service is busy.

        Raises SetupError if its provider's package or key is missing.
        """
        self.name, self._timeout_s, self._tries, self._wait = name, timeout_s, tries, wait
        self._model = self._make(temperature=0)

    @property
    def sees(self) -> bool:
        """Return whether the model reads pictures, as far as LangChain knows it; True where nothing is known."""
        profile = getattr(self._model, "profile", None) or {}
        return profile.get("image_inputs") is not False

    def ask(self, messages: Sequence[Any]) -> Any:
        """Return the message that answers a conversation; raises AnswerError if the model fails."""
        number = 1
        while True:
            answer, error = self._call(messages)
            if error is not None and "temperature" in str(error).lower():
                self._model = self._make()  # models that reason allow none but their own
                answer, error = self._call(messages)
            if error is None:
                return answer
            if number >= self._tries or not _is_busy(error):
                raise AnswerError(f"llm {self.name!r} failed: {one_line(error)}") from error
            self._wait(_pause_s(error, number))
            number += 1

    def _make(self, **choices: Any) -> BaseChatModel:
        from langchain.chat_models import init_chat_model

        try:
            chat: BaseChatModel = init_chat_model(self.name, **choices)
        except ImportError as error:
            raise SetupError(f"llm {self.name!r}: {one_line(error)}") from error
        except Exception as error:  # noqa: BLE001 each provider raises its own for a missing key or a wrong name
            raise SetupError(f"llm {self.name!r} cannot be used: {one_line(error)}") from error
        return chat

    def _call(self, messages: Sequence[Any]) -> tuple[Any, Exception | None]:
        """Return the message or what went wrong. A thread of its own: providers know no common timeout."""
        done: queue.Queue[tuple[Any, Exception | None]] = queue.Queue()

        def run() -> None:
            try:
                done.put((self._model.invoke(list(messages)), None))
            except Exception as error:  # noqa: BLE001 each provider has its own
                done.put((None, error))

        threading.Thread(target=run, daemon=True).start()
        try:
            return done.get(timeout=self._timeout_s)
        except queue.Empty:
            return None, TimeoutError(f"no answer within {self._timeout_s:g} s")


def said(message: Any) -> str:
    """Return the words of a message without what the model thought aloud."""
    return re.sub(r"<think>.*?</think>", "", str(message.text), flags=re.DOTALL).strip()


def one_line(error: BaseException) -> str:
    """Return the kind of an error and the first line of what it says."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first[:240]}" if first else type(error).__name__


def _is_busy(error: Exception) -> bool:
    """Tell whether the service may answer later. Providers share no class of errors, only numbers and words."""
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int):
        return status in _BUSY
    return bool(_BUSY_WORDS.search(f"{type(error).__name__} {error}"))


def _pause_s(error: Exception, number: int) -> float:
    """Return how long to wait after so many tries: as the service asks, else twice as long each time."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        asked_s = float(headers.get("retry-after", 0))
    except (TypeError, ValueError):
        asked_s = 0.0
    own_s = 2.0**number * random.uniform(0.75, 1.25)  # not all at once again
    return min(LONGEST_WAIT_S, max(asked_s, own_s))
