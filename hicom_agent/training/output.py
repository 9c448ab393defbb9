"""What a run leaves in its output folder beside the checkpoint, and what one that was killed left for the next."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from hicom_agent.errors import InputError
from hicom_agent.rows import whole
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


@contextmanager
def locked_output(config: TrainConfig) -> Iterator[None]:
    """Keep other runs from the output folder; raises InputError where one writes it."""
    output = config.output.resolve()
    if not _is_first():
        yield
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(output.with_name(f".{output.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(f"another training writes {str(output)!r}; wait for it, or name another output") from error
    try:
        yield
    finally:
        lock.release()


def look_at_output(config: TrainConfig, resume: bool) -> tuple[bool, TrainReport | None]:
    """Return whether the output folder holds a run to go on with, and the report of one that is finished.

    Raises InputError where it holds a run under other settings, or what no run of training wrote.
    """
    file = config.output / SETTINGS
    check_place(config)
    if not resume or not file.is_file():
        return False, None
    before, settings = _read(file), _settings(config)
    other = next((key for key in settings if before.get(key) != settings[key]), None)
    if other is not None:
        raise InputError(
            f"{str(config.output)!r} holds a run with {other}={before.get(other)!r}, not {settings[other]!r}; "
            "name another output, or start anew with --no-resume"
        )
    report = config.output / REPORT
    try:
        return True, TrainReport(**_read(report)) if report.is_file() else None
    except TypeError as error:
        raise _unknown(report) from error


def check_samples(config: TrainConfig, num_samples: int) -> None:
    """Raise InputError where a run that goes on would see other data than it began with."""
    before = _read(config.output / SETTINGS).get("samples")
    if before != num_samples:
        raise InputError(
            f"{str(config.output)!r} holds a run on {before} samples, and now the data are {num_samples}; "
            "name another output, or start anew with --no-resume"
        )


def _read(file: Path) -> dict[str, Any]:
    """Return what a run wrote; raises InputError for something else."""
    try:
        found = json.loads(file.read_text())
    except (ValueError, RecursionError) as error:
        raise _unknown(file) from error
    if not isinstance(found, dict):
        raise _unknown(file)
    return found


def _unknown(file: Path) -> InputError:
    return InputError(f"{file} was not written by this version; name another output, or start anew with --no-resume")


def check_place(config: TrainConfig) -> None:
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


def clear_output(config: TrainConfig, num_samples: int) -> None:
    """Take away what another run left in the output folder, and note the settings of this one."""
    if not _is_first():
        return
    output = config.output
    for name in (RESUME, TENSORBOARD):
        shutil.rmtree(output / name, ignore_errors=True)
    for name in (JOURNAL, SKIPPED, REPORT, PLOT, "config.json"):
        (output / name).unlink(missing_ok=True)
    output.mkdir(parents=True, exist_ok=True)
    write_whole(output / SETTINGS, {**_settings(config), "samples": num_samples})


def write_whole(file: Path, value: dict[str, Any]) -> None:
    """Write a file of JSON, all of it or nothing."""
    with whole(file) as aside:
        aside.write_text(json.dumps(value, indent=1))


def _is_first() -> bool:
    """Tell whether this is the process that writes, of those that train together."""
    return int(os.environ.get("RANK", "0")) == 0


def _settings(config: TrainConfig) -> dict[str, Any]:
    """Return what of a config decides the result."""
    return {key: value for key, value in config.model_dump(mode="json").items() if key not in _WITHOUT_EFFECT}


def find_point(config: TrainConfig, resume: bool) -> Path | None:
    """Return the point to resume from, and forget the log of what came after it."""
    point = _last_point(config.output / RESUME) if resume else None
    journal = config.output / JOURNAL
    if _is_first():
        _forget_halves(config.output / RESUME)
    if _is_first() and journal.is_file():
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


def _forget_halves(folder: Path) -> None:
    """Take away points whose writer was killed: Trainer keeps the two of the highest steps, whole or not."""
    for point in folder.glob("checkpoint-*"):
        if not (point / WHOLE).is_file():
            shutil.rmtree(point, ignore_errors=True)


def _last_point(folder: Path) -> Path | None:
    """Return the newest whole point to resume from in a folder, None without any."""
    found = [point for point in folder.glob("checkpoint-*") if (point / WHOLE).is_file()]
    return max(found, key=lambda point: int(point.name.rpartition("-")[2]), default=None)
