"""The models that an answer may ask, beside the encoder; each is loaded when it is first needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hicom_agent.agent.compose import Writer
from hicom_agent.agent.evidence import Rank
from hicom_agent.agent.view import Viewer


@dataclass(frozen=True, slots=True)
class Readers:
    """What reads words and clips, of which not every profile has each."""

    writer: Callable[[], Writer]
    viewer: Callable[[], Viewer] | None = None  # a language model that sees
    rereads: bool = False  # the writer is one that reads lines a second time
    rank: Rank | None = None  # reads lines together with what is asked
