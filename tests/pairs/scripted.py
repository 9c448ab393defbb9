"""A chat model that writes replies by a script and notes what it was shown. As a program: a build that is killed."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

Script = Callable[[int, list[BaseMessage]], "str | Exception"]
WORDS = ("amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heron", "inlet", "jetty", "kelp", "larch")


def good_reply(number: int, pairs: int = 3) -> str:
    """Return a reply that all filters pass, and that shares few words with those of other numbers."""
    word = f"{WORDS[number % len(WORDS)]}{number}"
    drafted = [
        ("What colour is the sign of the", "The board near it is painted mostly in", "attribute"),
        ("Who carries a bag beside the", "A tall person with a hat holds luggage made by", "person"),
        ("Where does the boat go after the", "It turns left and vanishes behind rocks called", "order"),
        ("How many birds sit upon the", "Two of them rest there, close together, next to", "count"),
    ]
    return json.dumps(
        {
            "caption": f"A street market on a sunny morning with stalls, crowds and awnings, number {number}.",
            "pairs": [
                {"instruction": f"{ask} {word}?", "description": f"{answer} {word}.", "category": category}
                for ask, answer, category in drafted[:pairs]
            ],
        }
    )


class ScriptedChat(BaseChatModel):
    """Answers call number n with `script(n, messages)`; an exception is raised instead."""

    script: Any
    usage: tuple[int, int] | None = (1000, 200)
    _asked: list[list[BaseMessage]] = PrivateAttr(default_factory=list)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def asked(self) -> list[list[BaseMessage]]:
        """Return the conversations so far."""
        return self._asked

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with self._lock:
            number = len(self._asked)
            self._asked.append(messages)
        answer = self.script(number, messages)
        if isinstance(answer, Exception):
            raise answer
        message = AIMessage(answer)
        if self.usage is not None:
            tokens_in, tokens_out = self.usage
            total = tokens_in + tokens_out
            message.usage_metadata = {"input_tokens": tokens_in, "output_tokens": tokens_out, "total_tokens": total}
        return ChatResult(generations=[ChatGeneration(message=message)])


def pictures_of(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """Return the image blocks of a conversation."""
    blocks = [block for message in messages if isinstance(message.content, list) for block in message.content]
    return [block for block in blocks if isinstance(block, dict) and block["type"] == "image"]


def clip_of(messages: Sequence[BaseMessage]) -> int:
    """Return a number that the pictures of a clip have alone."""
    return sum(str(pictures_of(messages)[0]["base64"]).encode()) % 100_000


def build_and_die(arguments: list[str], log: str, survive: int) -> int:
    """Run a command with a scripted model that notes each call in `log`, and kills the process at call `survive`."""
    import langchain.chat_models

    from hicom_agent.cli import main

    def script(number: int, messages: list[BaseMessage]) -> str:
        with open(log, "a") as file:  # noqa: PTH123
            file.write(f"{clip_of(messages)}\n")
            file.flush()
            os.fsync(file.fileno())
        if number == survive:
            os.kill(os.getpid(), signal.SIGKILL)
        return good_reply(clip_of(messages))

    chat = ScriptedChat(script=script)
    langchain.chat_models.init_chat_model = lambda name, **choices: chat  # type: ignore[assignment]
    return main(arguments)


if __name__ == "__main__":
    sys.exit(build_and_die(sys.argv[3:], sys.argv[1], int(sys.argv[2])))
