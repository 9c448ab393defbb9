"""The questions of a batch: JSON lines or CSV of `{id, question, video?, options?}`; bad lines are told and passed."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hicom_agent.errors import InputError

CSV_SHAPE = "its first line has to be id,question or id,question,video,options, with commas between the columns"
JSON_SHAPE = 'give lines such as {"id": "1", "question": "when ...?"}'
MAX_ID_CHARS = 200
MAX_OPTIONS, MAX_OPTION_CHARS = 26, 1000


@dataclass(frozen=True, slots=True)
class Query:
    """One question of a batch."""

    id: str
    question: str
    video: str = ""  # path, id or title of the one video that it is about; "" for the archive
    options: tuple[str, ...] = ()  # to choose from


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that cannot be worked on, and why."""

    kind: str  # "question" or "video"
    name: str  # "line 7", or the video as it was given
    reason: str
    ids: tuple[str, ...] = ()  # of the questions that have no answer because of it


def read_questions(path: Path, max_chars: int = 2000) -> tuple[list[Query], list[Fault]]:
    """Return the questions of a file in order, and the lines that are none.

    A file whose name ends in .csv has a header and commas, with "|" between options; any other is JSON lines.
    Raises InputError if the file cannot be read, or holds no question at all.
    """
    queries: dict[str, Query] = {}
    faults = []
    is_csv = path.suffix.lower() == ".csv"
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            for number, fields in _csv(file) if is_csv else _json_lines(file):
                try:
                    query = _query(fields, max_chars)
                    if query.id in queries:
                        raise ValueError(f"the id {query.id!r} was given before")
                    queries[query.id] = query
                except ValueError as error:
                    faults.append(Fault("question", f"line {number}", str(error)))
    except (OSError, csv.Error) as error:
        raise InputError(f"cannot read the questions {path}: {error}") from error
    if not queries:
        why = f"; {faults[0].name}: {faults[0].reason}" if faults else ""
        raise InputError(f"no question in {path}: {CSV_SHAPE if is_csv else JSON_SHAPE}{why}")
    return list(queries.values()), faults


def _json_lines(file: Any) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                fields = json.loads(line)
            except (ValueError, RecursionError) as error:
                fields = ValueError(f"no JSON: {str(error)[:100]}")
            yield number, fields


def _csv(file: Any) -> Iterator[tuple[int, Any]]:
    rows = csv.DictReader(file)
    for fields in rows:
        options = [text for text in (fields.get("options") or "").split("|") if text.strip()]
        yield rows.line_num, {**fields, "options": options}


def _query(fields: Any, max_chars: int) -> Query:
    """Return the question in a line; raises ValueError that says what is wrong with it."""
    if isinstance(fields, ValueError):
        raise fields
    if not isinstance(fields, dict):
        raise ValueError("expected an object with id and question")
    name = fields.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int) or not str(name).strip():
        raise ValueError("no id: give each question a text or a number of its own")
    question, video = fields.get("question"), fields.get("video")
    video = "" if video is None else video
    if not isinstance(question, str) or not question.strip():
        raise ValueError("no question")
    if not isinstance(video, str):
        raise ValueError("video is no text: give a path, an id or a title")
    for what, text, most in (
        ("id", str(name), MAX_ID_CHARS),
        ("question", question, max_chars),
        ("video", video, 4096),
    ):
        if len(text) > most:
            raise ValueError(f"the {what} has {len(text)} characters; at most {most} are read")
        if not text.isprintable() and what != "question":
            raise ValueError(f"the {what} holds characters that cannot be shown")
    clean = question.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()
    return Query(str(name).strip(), clean, video, _options(fields.get("options") or []))


def _options(options: Any) -> tuple[str, ...]:
    if not isinstance(options, list) or not all(isinstance(option, str) and option.strip() for option in options):
        raise ValueError("options is no list of texts")
    if any(len(option) > MAX_OPTION_CHARS or not option.isprintable() for option in options):
        raise ValueError(f"an option has over {MAX_OPTION_CHARS} characters, or some that cannot be shown")
    if options and not 2 <= len(set(options)) == len(options) <= MAX_OPTIONS:
        raise ValueError(f"give 2 to {MAX_OPTIONS} different options, got {len(options)}")
    return tuple(options)
