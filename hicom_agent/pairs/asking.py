"""What is asked of a chat model about a clip, and how its reply is read."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from hicom_agent.llm.calls import said
from hicom_agent.llm.grounding import neutralise
from hicom_agent.pairs.filters import is_refusal
from hicom_agent.pairs.terms import CATEGORIES
from hicom_agent.prompts import load_prompt
from hicom_agent.types import shorten

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from hicom_agent.pairs.clips import Scene
    from hicom_agent.pairs.terms import Terms

PIXELS_A_TOKEN = 750  # of a picture; providers count between 500 and 1000
CAPTION_TOKENS, PAIR_TOKENS = 220, 80  # of a reply, until replies were counted
_FENCE = re.compile(r"\A```(?:json)?\s*\n(.*?)\n?```\Z", re.DOTALL)


class Chatting(Protocol):
    """What asking needs of a chat model."""

    def ask(self, messages: Sequence[Any]) -> Any:
        """Return the message that answers a conversation; raises AnswerError."""


class Drafted(BaseModel):
    """One pair as the model wrote it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    instruction: str
    description: str
    category: str


class Reply(BaseModel):
    """What the model wrote of a clip."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    caption: str
    pairs: list[Drafted]


@dataclass(slots=True)
class Asked:
    """What asking about one clip came to."""

    reply: Reply | None = None
    fault: str = ""  # why there is no reply: the reason that is counted
    text: str = ""  # of the reply that cannot be used
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    usage: list[bool] = field(default_factory=list)  # of each call, whether the model told its tokens


class Malformed(ValueError):
    """Report a reply that is not what was asked for."""


def make_messages(scene: Scene, jpegs: Sequence[bytes], terms: Terms) -> list[BaseMessage]:
    """Return the conversation that asks about a clip, pictures as LangChain's standard image blocks.

    No file name is in it: a name is text from outside, and the pictures need none.
    """
    from langchain_core.messages import HumanMessage, SystemMessage

    number = str(terms.num_pairs)
    seconds = f"{scene.end_s - scene.start_s:.1f}"
    system = load_prompt("pairs_system", number=number, categories=", ".join(CATEGORIES))
    ask = load_prompt("pairs_ask", seconds=seconds, pictures=str(len(jpegs)), number=number)
    content: list[str | dict[str, Any]] = [{"type": "text", "text": ask.strip()}]
    for time_s, jpeg in zip(scene.pictures_s, jpegs, strict=True):
        content.append({"type": "text", "text": f"{time_s - scene.start_s:.1f} s:"})
        content.append({"type": "image", "base64": b64encode(jpeg).decode(), "mime_type": "image/jpeg"})
    return [SystemMessage(system.strip()), HumanMessage(content)]


def estimate_in(messages: Sequence[BaseMessage], size_px: tuple[int, int]) -> int:
    """Return about how many tokens a conversation is, with pictures of this width and height."""
    from langchain_core.messages.utils import count_tokens_approximately

    return count_tokens_approximately(messages, tokens_per_image=ceil(size_px[0] * size_px[1] / PIXELS_A_TOKEN))


def estimate_out(terms: Terms) -> int:
    """Return about how many tokens a reply is."""
    return CAPTION_TOKENS + PAIR_TOKENS * terms.num_pairs


def ask_about(chat: Chatting, messages: list[BaseMessage], estimate: Callable[[list[BaseMessage]], int]) -> Asked:
    """Return what the model says of a clip; a malformed reply gets one try to repair it.

    Tokens are the model's own count, or estimated where it tells none. Raises AnswerError if a call fails.
    """
    from langchain_core.messages import AIMessage, HumanMessage

    asked = Asked()
    for repairs_left in (1, 0):
        message = chat.ask(messages)
        text = said(message)
        _count(asked, message, text, estimate(messages))
        if is_refusal(text) and "{" not in text:
            asked.fault, asked.text = "refused", text
            return asked
        try:
            asked.reply = parse_reply(text)
            return asked
        except Malformed as error:
            asked.fault, asked.text = f"malformed reply: {error}", text
            if repairs_left:
                repair = load_prompt("pairs_repair", why=str(error)).strip()
                messages = [*messages, AIMessage(text or "(nothing)"), HumanMessage(repair)]
    return asked


def parse_reply(text: str) -> Reply:
    """Return a reply, its texts on one line each and without marks of a chat; raises Malformed, which says why.

    >>> parse_reply("The clip shows a car.")
    Traceback (most recent call last):
    hicom_agent.pairs.asking.Malformed: it is not JSON
    """
    fenced = _FENCE.match(text.strip())
    try:
        reply = Reply.model_validate_json(fenced[1] if fenced else text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            raise Malformed("it is not JSON") from error
        where = ".".join("N" if isinstance(part, int) else neutralise(str(part))[:40] for part in first["loc"])
        raise Malformed(f"{where or 'the whole'}: {first['msg'].lower()}") from error
    if not reply.pairs:
        raise Malformed("it has no pairs")
    drafted = [
        Drafted(instruction=neutralise(p.instruction), description=neutralise(p.description), category=p.category)
        for p in reply.pairs
    ]
    return Reply(caption=neutralise(reply.caption), pairs=drafted)


def _count(asked: Asked, message: Any, text: str, estimated_in: int) -> None:
    usage: Any = getattr(message, "usage_metadata", None) or {}
    asked.calls += 1
    asked.usage.append(bool(usage))
    asked.tokens_in += int(usage.get("input_tokens", estimated_in))
    asked.tokens_out += int(usage.get("output_tokens", ceil(len(text) / 4)))


def example_of(text: str) -> str:
    """Return a text as a report quotes it."""
    return shorten(neutralise(text), 160)
