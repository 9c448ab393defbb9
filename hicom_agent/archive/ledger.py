"""What a batch has come to: answers, one line each and never two of one question, and what is in the way of the rest.

answers.jsonl          appended, on the disk every few lines; a line that a kill cut short is cut off and made again
errors.jsonl           one line for each question or video that failed, with how often; gone when all is well
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from hicom_agent.archive.questions import Fault
from hicom_agent.errors import InputError, SetupError

SYNC_LINES, SYNC_S = 8, 2.0
BEGINNING = b'{"id": '  # of every line that we write
Key = tuple[str, str]  # id of the question, video ("" for the archive)


@dataclass(frozen=True, slots=True)
class Tried:
    """A fault, and how often it stood in the way."""

    fault: Fault
    tries: int

    def as_row(self) -> dict[str, Any]:
        """Return what the file of errors tells of it."""
        return asdict(self.fault) | {"tries": self.tries}


class Ledger:
    """The output files of one batch, locked while it is open."""

    def __init__(self, out: Path) -> None:
        """Open `out` and read what it holds.

        Raises InputError where another batch writes it or a file holds something else, SetupError for the disk.
        """
        self.out = out
        self.errors_file = out.with_name("errors.jsonl" if out.name == "answers.jsonl" else f"{out.stem}-errors.jsonl")
        self._lock = FileLock(out.with_name(f".{out.name}.lock"), timeout=0, thread_local=False)
        self._now: dict[tuple[str, str], Tried] = {}  # failed in this run
        self._failed_ids: set[str] = set()
        self._unsynced, self._synced_at, self._told_at = 0, time.monotonic(), 0.0
        with _plain(out):
            out.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire()
            except Timeout as error:
                raise InputError(f"another batch writes {out}; wait for it, or give another --out") from error
        try:
            self.done, end = read_answers(out)  # the question that each line answers
            self._before = _read_errors(self.errors_file)
            with _plain(out):
                self._file = out.open("ab", buffering=0)
                self._file.truncate(end)
        except BaseException:
            self._lock.release()
            raise

    def answers(self) -> Iterator[dict[str, Any]]:
        """Return the rows that are written."""
        self.sync()
        with self.out.open(encoding="utf-8") as file:
            yield from map(json.loads, file)

    def add(self, row: Mapping[str, Any]) -> None:
        """Append an answer; raises SetupError where the disk fails, and then nothing of it is kept."""
        key = (row["id"], row["video"])
        assert key not in self.done, f"{key} is answered"
        line = _line(row)
        end = os.fstat(self._file.fileno()).st_size
        with _plain(self.out):
            try:
                if self._file.write(line) < len(line):
                    raise OSError(errno.ENOSPC, "the disk is full")
            except OSError:
                self._file.truncate(end)
                raise
        self.done[key] = row["question"]
        self._unsynced += 1
        if self._unsynced >= SYNC_LINES or time.monotonic() - self._synced_at > SYNC_S:
            self.sync()

    def sync(self) -> None:
        """See to it that what was added survives a loss of power; raises SetupError."""
        with _plain(self.out):
            os.fsync(self._file.fileno())
        self._unsynced, self._synced_at = 0, time.monotonic()

    # ------------------------------------------------------------------ errors

    def fail(self, fault: Fault) -> None:
        """Note what failed in this run; the file of errors tells it, and how often it failed in all runs."""
        key = (fault.kind, fault.name)
        known = self._now.get(key)
        if known is None:
            before = self._before[key].tries if key in self._before else 0
            self._now[key] = Tried(fault, before + 1)
        else:
            self._now[key] = replace(known, fault=replace(fault, ids=(*known.fault.ids, *fault.ids)))
        self._failed_ids.update(fault.ids)
        if time.monotonic() - self._told_at > SYNC_S:
            self._tell()

    def has_failed(self, question_id: str) -> bool:
        """Return whether a question met a fault in this run."""
        return question_id in self._failed_ids

    @property
    def errors(self) -> list[dict[str, Any]]:
        """Return what failed in this run, as the file of errors tells it."""
        return [tried.as_row() for tried in self._now.values()]

    def settle(self) -> None:
        """End a run that did all it could: errors of earlier ones that it did not meet again are forgotten."""
        self.sync()
        self._before = {}
        self._tell()

    def _tell(self) -> None:
        """Write the errors of this run, and those of earlier ones; a file without any goes."""
        lines = [_line(tried.as_row()) for tried in (self._before | self._now).values()]
        temporary = self.errors_file.with_name(f".{self.errors_file.name}.tmp")
        with _plain(self.errors_file):
            if lines:
                try:
                    temporary.write_bytes(b"".join(lines))
                    temporary.replace(self.errors_file)
                except OSError:
                    temporary.unlink(missing_ok=True)
                    raise
            else:
                self.errors_file.unlink(missing_ok=True)
        self._told_at = time.monotonic()

    def close(self) -> None:
        """Let go of the files."""
        try:
            if self._now:
                self._tell()
        finally:
            self._file.close()
            self._lock.release()


@contextmanager
def _plain(path: Path) -> Iterator[None]:
    """Turn what the disk raises into one line."""
    try:
        yield
    except OSError as error:
        raise SetupError(f"cannot write {path}: {error.strerror or error}; what was written is kept") from error


def read_answers(out: Path) -> tuple[dict[Key, str], int]:
    """Return the questions of the whole lines of a file of answers, none if it is not there, and where they end.

    Raises InputError for a file that holds something else, SetupError for one that cannot be read.
    """
    done: dict[Key, str] = {}
    end = number = 0
    with _plain(out):
        file = out.open("rb") if out.exists() else None
    if file is None:
        return done, 0
    with file, _plain(out):
        for number, line in enumerate(file, 1):
            if _is_torn(line) and not file.read(1):
                break
            try:
                row = json.loads(line)
                key, question = (str(row["id"]), str(row["video"])), str(row["question"])
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise InputError(f"line {number} of {out} is no answer; give another --out") from error
            if key in done:
                raise InputError(f"line {number} of {out} answers {key[0]!r} again; give another --out")
            done[key] = question
            end += len(line)
    return done, end


def _is_torn(line: bytes) -> bool:
    """Tell whether this can be what a kill or a loss of power left of a line of ours."""
    body = line.strip(b"\0\n")
    whole = line.endswith(b"\n") and b"\0" not in line
    return not whole and (body.startswith(BEGINNING) or BEGINNING.startswith(body))


def _read_errors(path: Path) -> dict[tuple[str, str], Tried]:
    """Return what earlier runs noted; raises InputError for a file that holds something else."""
    found = {}
    with _plain(path):
        lines = path.read_bytes().splitlines() if path.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            fault = Fault(str(row["kind"]), str(row["name"]), str(row["reason"]), tuple(row["ids"]))
            found[fault.kind, fault.name] = Tried(fault, int(row["tries"]))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            why = f"line {number} of {path} was not written by a batch"
            raise InputError(f"{why}; move it away, for errors go there, or give another --out") from error
    return found


def _line(row: Mapping[str, Any]) -> bytes:
    """Return a row as a line; names that are no text (of files) keep their bytes as escapes."""
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(row).encode() + b"\n"
