"""What a tool is to every surface: a name, words that say when to use it, arguments, a result, and how to run it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

MAX_SECONDS = 40.0  # of a call that does not say; clients cut at 60
VIDEO = "id, path, or a unique part of the title of a video; list_videos tells them"


class Arguments(BaseModel):
    """What a caller may give; anything else is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Result(BaseModel):
    """What a caller gets, as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing that an agent may do."""

    name: str
    title: str
    description: str  # the first sentence carries the key words; then when to use it
    arguments: type[Arguments]
    result: type[BaseModel]
    run: Callable[[Any, Any, float], dict[str, Any]]  # workspace or desk, arguments, seconds that it may take
    read_only: bool = True
    shows_pictures: bool = False  # its result is passed on as images, not as JSON
    in_worker: bool = True  # it needs models or the store, which a server keeps in a process of their own


def for_agents(message: str) -> str:
    """Return a message with tools in the place of commands and folders, of which an agent has none.

    >>> for_agents("no indexed video 'x': the store /a/b is empty; run hicom-agent index VIDEO")
    "no indexed video 'x': nothing is indexed yet"
    >>> for_agents("no indexed video 'x'; there are: a; see hicom-agent list")
    "no indexed video 'x'; there are: a; list_videos tells more"
    """
    message = re.sub(r"the store .* is empty; run hicom-agent index VIDEO", "nothing is indexed yet", message)
    return message.replace("see hicom-agent list", "list_videos tells more")


def what_is_wrong(error: ValidationError) -> str:
    """Return one line that names each wrong argument, so that a model can mend its call."""
    return "; ".join(f"{'.'.join(map(str, wrong['loc'])) or 'arguments'}: {wrong['msg']}" for wrong in error.errors())
