"""A file of JSON rows, one a line, that no kill harms: one process appends, a line that was cut short is made again."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from hicom_agent.errors import InputError, SetupError


class Line(NamedTuple):
    """A whole line of such a file."""

    number: int  # from 1
    row: Any  # None where it is no JSON
    end: int  # where the next line begins


class Rows:
    """Such a file, locked while it is open; rows are on the disk after `sync_lines` of them, or after `sync_s`."""

    def __init__(self, path: Path, who: str, sync_lines: int = 1, sync_s: float = 0.0) -> None:
        """Lock `path`; `who` writes such files, as an error names it. Nothing is changed before `begin`.

        Raises InputError where another process has it open, SetupError for the disk.
        """
        self.path, self._most_lines, self._most_s = path, sync_lines, sync_s
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0, thread_local=False)
        self._unsynced, self._synced_at = 0, time.monotonic()
        self._file: Any = None
        with plain(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire()
            except Timeout as error:
                if not Path(self._lock.lock_file).exists():
                    raise SetupError(f"cannot write {path}: no file can be made in {path.parent}") from error
                raise InputError(f"another {who} writes {path}; wait for it, or give another --out") from error

    def begin(self, end: int) -> None:
        """Append from now on, after `end` bytes; raises SetupError."""
        with plain(self.path):
            self._file = self.path.open("ab", buffering=0)
            self._file.truncate(end)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the rows that are written."""
        self.sync()
        with self.path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row; raises SetupError where the disk fails, and then nothing of it is kept."""
        line = as_line(row)
        end = os.fstat(self._file.fileno()).st_size
        with plain(self.path):
            try:
                if self._file.write(line) < len(line):
                    raise OSError(errno.ENOSPC, "the disk is full")
            except OSError:
                self._file.truncate(end)
                raise
        self._unsynced += 1
        if self._unsynced >= self._most_lines or time.monotonic() - self._synced_at > self._most_s:
            self.sync()

    def sync(self) -> None:
        """See to it that what was added survives a loss of power; raises SetupError."""
        with plain(self.path):
            os.fsync(self._file.fileno())
        self._unsynced, self._synced_at = 0, time.monotonic()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
        self._lock.release()


def read_lines(path: Path, beginning: bytes) -> Iterator[Line]:
    """Yield the whole lines of a file, none if it is not there; each row of ours starts with `beginning`.

    The last one is left out if it can be what a kill or a loss of power left of a row of ours.
    Raises SetupError for a file that cannot be read.
    """
    end = 0
    with plain(path):
        file = path.open("rb") if path.exists() else None
    if file is None:
        return
    with file, plain(path):
        for number, line in enumerate(file, 1):
            if _is_torn(line, beginning) and not file.read(1):
                return
            end += len(line)
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            yield Line(number, row, end)


def _is_torn(line: bytes, beginning: bytes) -> bool:
    body = line.strip(b"\0\n")
    whole = line.endswith(b"\n") and b"\0" not in line
    return not whole and (body.startswith(beginning) or beginning.startswith(body))


@contextmanager
def plain(path: Path) -> Iterator[None]:
    """Turn what the disk raises into one line."""
    try:
        yield
    except OSError as error:
        raise SetupError(f"cannot write {path}: {error.strerror or error}; what was written is kept") from error


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a file beside `path` to be written, which takes its place if nothing fails; raises SetupError."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")  # processes that work together may write the same file
    with plain(path):
        try:
            yield aside
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def as_line(row: Mapping[str, Any]) -> bytes:
    """Return a row as a line; names that are no text (of files) keep their bytes as escapes."""
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(row).encode() + b"\n"
