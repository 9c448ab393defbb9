"""Files of a benchmark, read strictly: a value that is not as published is one line with file, entry and field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hicom_agent.errors import InputError
from hicom_agent.evaluation.questions import LETTERS

VIDEO_SUFFIXES = (".mp4", ".MP4", ".mkv", ".webm", ".avi", ".mov")
MAX_TEXT_BYTES = 2**28  # of a file of questions or subtitles; the largest published has 7 MB
MAX_NUMBER = 1e12


class Entry:
    """One entry of a file, whose fields are checked as they are read."""

    def __init__(self, fields: Any, where: str) -> None:
        self.where = where
        if not isinstance(fields, Mapping):
            raise InputError(f"{where}: expected an object with fields, got {_shown(fields)}")
        self.fields = fields

    def text(self, name: str) -> str:
        """Return a text that is not empty."""
        value = self._get(name)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(name, "a text")
        return _sound(value)

    def name(self, name: str) -> str:
        """Return a text or a whole number as a text."""
        value = self._get(name)
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else self.text(name)

    def number(self, name: str, default: float | None = None) -> float:
        """Return a finite number."""
        value = self.fields.get(name, default) if default is not None else self._get(name)
        if not is_number(value):
            raise self.wrong(name, "a number")
        return float(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of at least two options, as many as there are letters at most."""
        value = self._get(name)
        value = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        fits = isinstance(value, list) and 2 <= len(value) <= len(LETTERS)
        if not fits or not all(isinstance(each, str | int | float) and str(each).strip() for each in value):
            raise self.wrong(name, f"a list of 2 to {len(LETTERS)} texts")
        return tuple(_sound(str(each)) for each in value)

    def index(self, name: str, count: int) -> int:
        """Return which of `count` options is right, given as a number from 0."""
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < count:
            raise self.wrong(name, f"a number from 0 to {count - 1}")
        return value

    def letter(self, name: str, count: int) -> int:
        """Return which of `count` options is right, given as a letter from A."""
        value = self.text(name)
        if len(value) != 1 or value not in LETTERS[:count]:
            raise self.wrong(name, f"a letter from A to {LETTERS[count - 1]}")
        return LETTERS.index(value)

    def option(self, name: str, options: Sequence[str]) -> int:
        """Return which option is right, given as its text."""
        value = _sound(str(self._get(name)))
        if value not in options:
            raise self.wrong(name, f"one of the candidates {_shown(list(options))}")
        return options.index(value)

    def wrong(self, name: str, expected: str) -> InputError:
        """Return what to raise for a field."""
        return InputError(f"{self.where}: expected {name} to be {expected}, got {_shown(self.fields.get(name))}")

    def _get(self, name: str) -> Any:
        if name not in self.fields:
            raise InputError(f"{self.where}: no field {name!r}; there are: {', '.join(map(str, self.fields))[:200]}")
        return self.fields[name]


def is_number(value: Any) -> bool:
    """Tell whether a value is a number that may be a time: neither NaN nor beyond all films."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MAX_NUMBER


def read_text(path: Path, errors: str = "strict") -> str:
    """Return the text of a file of a benchmark; raises InputError for what is no file, too large or no UTF-8."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_TEXT_BYTES:
            raise InputError(f"cannot read {path}: expected a file of at most {MAX_TEXT_BYTES >> 20} MB")
        return path.read_text(encoding="utf-8-sig", errors=errors)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {str(error)[:200]}") from error


def read_json(path: Path) -> Any:
    """Return what a JSON file holds, a list of the lines if its name ends in jsonl; raises InputError."""
    text = read_text(path)
    lines = [line for line in text.split("\n") if line.strip()] if path.suffix == ".jsonl" else []
    try:
        return [json.loads(line) for line in lines] or json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"cannot read {path}: {str(error)[:200]}") from error


def read_entries(path: Path) -> Iterator[Entry]:
    """Yield the entries of a JSON list, or of JSON lines if the name ends in jsonl; raises InputError."""
    rows = read_json(path)
    if not isinstance(rows, list):
        raise InputError(f"{path}: expected a list of entries, got {_shown(rows)}")
    for number, row in enumerate(rows, 1):
        yield Entry(row, f"entry {number} of {path}")


def peek(path: Path) -> Mapping[str, Any]:
    """Return the first entry of a JSON list or of JSON lines, {} if there is none; never raises."""
    try:
        return next((entry.fields for entry in read_entries(path)), {})
    except InputError:
        return {}


def inside(folder: Path, name: str, where: str) -> Path:
    """Return a file that an entry names; raises InputError for a name that leads out of the folder."""
    if "\0" in name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputError(f"{where}: {_shown(name)} leads out of the benchmark's folder")
    return folder / name


def find_named(folders: Sequence[Path], name: str, where: str) -> Path | None:
    """Return the file or folder of this name in the first folder that has it."""
    return next((path for folder in folders if (path := inside(folder, name, where)).exists()), None)


def find_video(folders: Sequence[Path], stem: str, where: str) -> Path | None:
    """Return the video of this name, whatever its ending, in the first folder that has it."""
    names = (f"{stem}{suffix}" for suffix in VIDEO_SUFFIXES)
    return next((path for name in names if (path := find_named(folders, name, where)) is not None), None)


def first_of(folder: Path, names: Sequence[str]) -> Path | None:
    """Return the first of these files that is there."""
    return next((folder / name for name in names if (folder / name).is_file()), None)


def unlettered(option: str, index: int) -> str:
    """Return an option without the letter that it may begin with.

    >>> unlettered("B. A dog", 1), unlettered("(C) red", 2), unlettered("A. dog", 1)
    ('A dog', 'red', 'A. dog')
    """
    letter = LETTERS[index]
    for mark in (f"{letter}.", f"({letter})", f"{letter})", f"{letter}:"):
        if option.startswith(mark) and option[len(mark) :].strip():
            return option[len(mark) :].strip()
    return option


def _sound(text: str) -> str:
    """Return a text without blanks around it; halves of characters, which no file may hold, become question marks."""
    return text.encode("utf-8", "replace").decode().strip()


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
