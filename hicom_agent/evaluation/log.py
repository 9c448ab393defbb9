"""What was answered, a line for each question; nothing is asked twice, and other settings never mix.

settings.json          what decides about the answers of this folder; written once
log.jsonl              a line a question, on the disk before the next is asked; log-1-of-4.jsonl of a shard
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from hicom_agent.errors import InputError
from hicom_agent.evaluation.questions import Question
from hicom_agent.rows import Rows, plain, read_lines

BEGINNING = b'{"id": '  # of every line that we write
SETTINGS = "settings.json"


class Shard(NamedTuple):
    """A part of the videos: number `number` of `of`, from 1."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return what "2/4" means; raises InputError."""
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise InputError(f"--shard {text!r} is no part such as 1/4, 2/4, 3/4, 4/4")
        return cls(int(number), int(count))

    def named(self, name: str) -> str:
        """Return a file's or folder's name with the shard in it.

        >>> Shard().named("log.jsonl"), Shard(2, 4).named("log.jsonl"), Shard(2, 4).named("store")
        ('log.jsonl', 'log-2-of-4.jsonl', 'store-2-of-4')
        """
        stem, dot, suffix = name.partition(".")
        return name if self.of == 1 else f"{stem}-{self.number}-of-{self.of}{dot}{suffix}"


def fingerprint(settings: Mapping[str, Any]) -> str:
    """Return a short name of settings: the same for the same."""
    return sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def hash_questions(questions: Iterable[Question]) -> str:
    """Return a short name of all that is asked, so that other questions of the same ids are told apart."""
    told = [[question.id, question.text, question.options, question.answer] for question in questions]
    return sha256(json.dumps(told).encode()).hexdigest()[:12]


def settle(out: Path, settings: Mapping[str, Any]) -> None:
    """Note the settings of a folder; raises InputError, which says what differs, where it was begun with others."""
    file, text = out / SETTINGS, json.dumps(settings, indent=1) + "\n"
    with plain(file):
        out.mkdir(parents=True, exist_ok=True)
        own = out / f".{SETTINGS}.{os.getpid()}"
        try:
            own.write_text(text, encoding="utf-8")
            os.link(own, file)  # another shard may begin at this moment; one of them comes first, and whole
        except FileExistsError:
            pass
        finally:
            own.unlink(missing_ok=True)
    before = read_settings(out)
    if before != json.loads(text):
        names = [name for name in {**before, **settings} if before.get(name) != settings.get(name)]
        changes = "; ".join(f"{name} was {before.get(name)!r} and is {settings.get(name)!r}" for name in names)
        raise InputError(f"{out} was begun with other settings: {changes}; give another --out")


def read_settings(out: Path) -> dict[str, Any]:
    """Return the settings that a folder was begun with; raises InputError where there are none."""
    file = out / SETTINGS
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{out} holds no evaluation: cannot read {file}: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{file} was not written by an evaluation; give another --out")
    return found


def read_log(file: Path, mark: str) -> tuple[list[dict[str, Any]], int]:
    """Return the whole rows of a log and where they end.

    Raises InputError for a line that is none of ours, or of other settings.
    """
    rows, end = [], 0
    for number, row, line_end in read_lines(file, BEGINNING):
        if not isinstance(row, dict) or not {"id", "settings", "reason", "letter"} <= set(row):
            raise InputError(f"line {number} of {file} is no row of an evaluation; give another --out")
        if row["settings"] != mark:
            raise InputError(f"line {number} of {file} was asked with settings {row['settings']}, this is {mark}")
        rows.append(row)
        end = line_end
    return rows, end


def merge_logs(out: Path, mark: str) -> dict[str, dict[str, Any]]:
    """Return the row of each question from all logs of a folder; an answer counts before a failure.

    Raises InputError as `read_log` does.
    """
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(out.glob("log*.jsonl")):
        for row in read_log(file, mark)[0]:
            if row["id"] not in found or found[row["id"]]["reason"]:
                found[row["id"]] = row
    return found


class Log:
    """The log of this run, open for writing, and what all logs of the folder hold."""

    def __init__(self, out: Path, shard: Shard, settings: Mapping[str, Any]) -> None:
        """Raise InputError where the folder is of other settings or another process writes this log; SetupError."""
        settle(out, settings)
        self.mark = fingerprint(settings)
        self._rows = Rows(out / shard.named("log.jsonl"), "evaluation")
        try:
            self._rows.begin(read_log(self._rows.path, self.mark)[1])
            self.known = merge_logs(out, self.mark)
        except BaseException:
            self._rows.close()
            raise

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row, which is on the disk when this returns; raises SetupError."""
        self._rows.add(row)

    def close(self) -> None:
        """Let go of the file."""
        self._rows.close()
