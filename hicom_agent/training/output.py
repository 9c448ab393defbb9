"""What a run leaves in its output folder beside the checkpoint, and what one that was killed left for the next."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hicom_agent.errors import InputError, SetupError
from hicom_agent.training.config import TrainConfig

RESUME, TENSORBOARD = "resume", "tensorboard"  # folders in the output
JOURNAL, SETTINGS, REPORT, PLOT = "log.jsonl", "settings.json", "report.json", "loss.png"
SKIPPED = "skipped.jsonl"
_WITHOUT_EFFECT = {"workers", "device", "logging_steps", "save_steps", "tensorboard", "output"}
WHOLE = "whole"  # in the folder of a point to resume from, written last


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What a run did."""

    stage: str
    output: str
    steps: int
    samples: int  # in one epoch
    skipped: dict[str, str]  # broken samples by name, and why
    loss_start: float  # of the first logged step
    loss_end: float  # mean of the last tenth of the logged steps
    seconds: float  # of this process; less than the whole where it was resumed
    resumed_from: int = 0  # step
    changes: list[str] = field(default_factory=list)  # weights of the projector that were added and dropped
    parameters: dict[str, int] = field(default_factory=dict)  # that learn, by part


def look_at_output(config: TrainConfig, resume: bool) -> tuple[bool, TrainReport | None]:
    """Return whether the output folder holds a run to go on with, and the report of one that is finished.

    Raises InputError where it holds a run under other settings, or what no run of training wrote.
    """
    file = config.output / SETTINGS
    _check_place(config)
    if not resume or not file.is_file():
        return False, None
    before, settings = json.loads(file.read_text()), _settings(config)
    other = next((key for key in settings if before.get(key) != settings[key]), None)
    if other is not None:
        raise InputError(
            f"{str(config.output)!r} holds a run with {other}={before.get(other)!r}, not {settings[other]!r}; "
            "name another output, or start anew with --no-resume"
        )
    report = config.output / REPORT
    return True, TrainReport(**json.loads(report.read_text())) if report.is_file() else None


def _check_place(config: TrainConfig) -> None:
    """Raise InputError for a folder in which something of somebody else would be overwritten."""
    output = config.output
    for key in ("start", "vision_tower", "language_model"):
        given = getattr(config, key)
        if given is not None and given.resolve() == output.resolve():
            raise InputError(f"output {str(output)!r} is also {key}, which training only reads; name another folder")
    if output.exists() and not output.is_dir():
        raise InputError(f"output {str(output)!r} is a file; name a folder")
    if output.is_dir() and not (output / SETTINGS).is_file() and {each.name for each in output.iterdir()} - {RESUME}:
        raise InputError(
            f"output {str(output)!r} holds files of which no training knows; name a new or an empty folder"
        )


def clear_output(config: TrainConfig) -> None:
    """Take away what another run left in the output folder, and note the settings of this one."""
    if int(os.environ.get("RANK", "0")):
        return
    output = config.output
    try:
        for name in (RESUME, TENSORBOARD):
            shutil.rmtree(output / name, ignore_errors=True)
        for name in (JOURNAL, SKIPPED, REPORT, PLOT, "config.json"):
            (output / name).unlink(missing_ok=True)
        output.mkdir(parents=True, exist_ok=True)
        (output / SETTINGS).write_text(json.dumps(_settings(config), indent=1))
    except OSError as error:
        raise SetupError(f"cannot write to {str(output)!r}: {error}") from error


def _settings(config: TrainConfig) -> dict[str, Any]:
    """Return what of a config decides the result."""
    return {key: value for key, value in config.model_dump(mode="json").items() if key not in _WITHOUT_EFFECT}


def find_point(config: TrainConfig, resume: bool) -> Path | None:
    """Return the point to resume from, and forget the log of what came after it."""
    point = _last_point(config.output / RESUME) if resume else None
    journal = config.output / JOURNAL
    if int(os.environ.get("RANK", "0")) == 0 and journal.is_file():
        step = int(point.name.rpartition("-")[2]) if point else 0
        lines = [line for line in read_lines(journal) if line["step"] <= step]
        journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return point


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Return the objects in a file of lines, without what a killed run left of its last one."""
    lines = []
    for text in file.read_text().split("\n") if file.is_file() else []:
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines


def _last_point(folder: Path) -> Path | None:
    """Return the newest whole point to resume from in a folder, None without any."""
    found = [point for point in folder.glob("checkpoint-*") if (point / WHOLE).is_file()]
    return max(found, key=lambda point: int(point.name.rpartition("-")[2]), default=None)
