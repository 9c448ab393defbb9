"""The command `hicom-agent train`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hicom_agent.cli.shared import JsonOption, early, show_json

EPILOG = "Example: hicom-agent train --stage align --config align.yaml --dry-run"


class Stage(StrEnum):
    """What may be trained, in this order."""

    align = "align"
    condition = "condition"
    tune = "tune"


def train(
    stage: Annotated[Stage, typer.Option(help="align, then condition, then tune: each starts from the one before.")],
    config: Annotated[Path, typer.Option(help="YAML or TOML: start, data, output and what differs from the paper.")],
    output: Annotated[Path | None, typer.Option(help="Folder of the checkpoint; default: the config's.")] = None,
    resume: Annotated[bool, typer.Option("--resume/--no-resume", help="Go on where a killed run stopped.")] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Load and check everything, say what would be done.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train HICom on your own footage; the result is a checkpoint for --checkpoint and for the next stage."""
    from hicom_agent.screen import progress_bars
    from hicom_agent.settings import load_settings
    from hicom_agent.training import load_config, plan
    from hicom_agent.training import train as run

    roots = load_settings(early.get()).roots
    given = load_config(config, stage=stage.value, output=output, roots=roots or None)
    if dry_run:
        made = asdict(plan(given))
        show_json(made) if as_json else typer.echo("\n".join(_plan_lines(made)))
        return
    first = int(os.environ.get("RANK", "0")) == 0  # of the processes that torchrun starts, one speaks
    with progress_bars(first) as show:
        report = asdict(run(given, progress=show, resume=resume))
    if first:
        show_json(report) if as_json else typer.echo("\n".join(_report_lines(report)))


def _plan_lines(plan: Mapping[str, Any]) -> list[str]:
    lines = [
        f"stage     {plan['stage']}",
        f"samples   {plan['samples']}{_skipped(plan)}",
        f"steps     {plan['steps']} of {plan['batch']} samples: {plan['micro_batch']} at once, "
        f"{plan['accumulation']} times, on {plan['processes']} processes",
    ]
    lines += [
        f"trained   {part}: {count} parameters at {plan['rates'][part]:g}" for part, count in plan["parameters"].items()
    ]
    return [*lines, f"frozen    {plan['frozen']} parameters", *_change_lines(plan)]


def _report_lines(report: Mapping[str, Any]) -> list[str]:
    again = f" from step {report['resumed_from']}" if report["resumed_from"] else ""
    return [
        f"stage     {report['stage']}: {report['steps']} steps{again} in {report['seconds']:.1f} s",
        f"samples   {report['samples']}{_skipped(report)}",
        f"loss      {report['loss_start']:.4f} at the start, {report['loss_end']:.4f} at the end",
        *_change_lines(report),
        f"written   {_plain(report['output'])}",
    ]


def _skipped(facts: Mapping[str, Any]) -> str:
    return f", and {len(facts['skipped'])} conversations skipped" if facts["skipped"] else ""


def _change_lines(facts: Mapping[str, Any]) -> list[str]:
    return [f"weights   {_plain(change)}" for change in facts["changes"]]


def _plain(text: str) -> str:
    from hicom_agent.screen import plain

    return plain(text)
