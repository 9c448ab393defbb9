"""What every command shares: options, the workspace, and how results and mistakes are shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hicom_agent.build import Workspace

StoreOption = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of the memory; default: HICOM_AGENT_STORE, else a per-user folder."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", help="auto, nano or hicom-7b; auto takes hicom-7b if its weights and a GPU are here."),
]
CheckpointOption = Annotated[
    Path | None, typer.Option("--checkpoint", help="Folder of the weights of hicom-7b; default: the cache.")
]
TowerOption = Annotated[
    Path | None, typer.Option("--vision-tower", help="Folder with the config and tokenizer of its SigLIP.")
]
LlmOption = Annotated[
    str | None, typer.Option("--llm", help="A LangChain chat model, e.g. ollama:qwen3; default: packaged.")
]
SpeechOption = Annotated[bool | None, typer.Option("--speech/--no-speech", help="Listen to what is said.")]
OcrOption = Annotated[bool | None, typer.Option("--ocr/--no-ocr", help="Read what is written.")]
PARTIAL = 6  # exit code: some of many failed, and the rest is there
early: ContextVar[dict[str, Any]] = ContextVar("early", default={})  # noqa: B039  # options before the command


@contextmanager
def workspace(store: Path | None = None, **flags: Any) -> Iterator[Workspace]:
    """Yield what the tools work on; an option after the command beats the same before it."""
    from hicom_agent.build import Workspace
    from hicom_agent.screen import progress_bars
    from hicom_agent.settings import load_settings

    given = {name: value for name, value in {"store": store, **flags}.items() if value is not None}
    with progress_bars() as show:
        yield Workspace(load_settings(early.get() | given), show)


@contextmanager
def resumable() -> Iterator[None]:
    """Say on Ctrl-C that nothing is lost; the exit code stays 130."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("hicom-agent: interrupted; the same command goes on from there", err=True)
        raise


def show_json(value: Any, indent: int | None = 2) -> None:
    """Print `value` as JSON on standard output."""
    typer.echo(json.dumps(value, indent=indent, ensure_ascii=False, default=str))


def warn(text: str) -> None:
    """Print a line on standard error if there is one to print; the command goes on."""
    from hicom_agent.screen import plain

    if text:
        typer.echo(f"hicom-agent: warning: {plain(text)}", err=True)


def warn_of_no_store(work: Workspace) -> bool:
    """Say so on standard error where the store was never made, and return whether that is so."""
    from hicom_agent.memory.catalog import CATALOG

    missing = not (work.settings.store / CATALOG).exists()
    if missing:
        warn(f"there is no store at {work.settings.store}; hicom-agent index PATH makes one")
    return missing


def complain(error: Exception) -> None:
    """Print one line on standard error."""
    from hicom_agent.screen import plain

    typer.echo(f"hicom-agent: {plain(str(error))}", err=True)
