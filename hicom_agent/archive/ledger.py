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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from hicom_agent.archive.questions import Fault
from hicom_agent.errors import InputError, SetupError

SYNC_LINES, SYNC_S = 8, 2.0
Key = tuple[str, str]  # id of the question, video ("" for the archive)


@dataclass(frozen=True, slots=True)
class Tried:
    """A fault, and how often it stood in the way."""

    fault: Fault
    tries: int


class Ledger:
    """The output files of one batch, locked while it is open."""

    def __init__(self, out: Path) -> None:
        """Open `out` and read what it holds.

        Raises InputError where another batch writes it or it holds something else, SetupError where the disk fails.
        """
        self.out = out
        self.errors_file = out.with_name(out.stem + "-errors.jsonl" if out.name != "answers.jsonl" else "errors.jsonl")
        self._lock = FileLock(out.with_name(f".{out.name}.lock"), timeout=0, thread_local=False)
        self._unsynced, self._synced_at = 0, time.monotonic()
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            self.done, end = read_answers(out)  # the question that each line answers
            self._file = out.open("ab", buffering=0)
            self._file.truncate(end)
        except Timeout as error:
            raise InputError(f"another batch writes {out}; wait for it, or give another --out") from error
        except OSError as error:
            self._lock.release()
            raise SetupError(f"cannot write {out}: {error.strerror or error}") from error
        except BaseException:
            self._lock.release()
            raise
        self._tried = {(t.fault.kind, t.fault.name): t for t in self._read_errors()}
        self._now: dict[Key, Tried] = {}

    def _read_errors(self) -> Iterator[Tried]:
        try:
            for line in self.errors_file.read_text().splitlines():
                row = json.loads(line)
                yield Tried(Fault(row["kind"], row["name"], row["reason"], tuple(row["ids"])), int(row["tries"]))
        except (OSError, ValueError, KeyError, TypeError):
            return

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
        try:
            if self._file.write(line) < len(line):
                raise OSError(errno.ENOSPC, "the disk is full")
        except OSError as error:
            self._file.truncate(end)
            raise SetupError(f"cannot write {self.out}: {error.strerror or error}; what was written is kept") from error
        self.done[key] = row["question"]
        self._unsynced += 1
        if self._unsynced >= SYNC_LINES or time.monotonic() - self._synced_at > SYNC_S:
            self.sync()

    def sync(self) -> None:
        """See to it that what was added survives a loss of power."""
        os.fsync(self._file.fileno())
        self._unsynced, self._synced_at = 0, time.monotonic()

    def fail(self, fault: Fault) -> None:
        """Note what failed in this run; the file of errors tells it, and how often it failed in all runs."""
        key = (fault.kind, fault.name)
        if key in self._now:
            known = self._now[key]
            ids = tuple(dict.fromkeys((*known.fault.ids, *fault.ids)))
            self._now[key] = Tried(Fault(*key, fault.reason, ids), known.tries)
        else:
            before = self._tried[key].tries if key in self._tried else 0
            self._now[key] = Tried(fault, before + 1)
        self._write_errors()

    @property
    def errors(self) -> list[dict[str, Any]]:
        """Return what failed in this run, as the file of errors tells it."""
        return [_error(tried) for tried in self._now.values()]

    def _write_errors(self) -> None:
        lines = [_line(_error(tried)) for tried in (self._tried | self._now).values()]
        temporary = self.errors_file.with_name(f".{self.errors_file.name}.tmp")
        try:
            temporary.write_bytes(b"".join(lines))
            temporary.replace(self.errors_file)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise SetupError(f"cannot write {self.errors_file}: {error.strerror or error}") from error

    def settle(self) -> None:
        """End a run that did all it could: errors of earlier ones that it did not meet again are forgotten."""
        self.sync()
        self._tried = {}
        if self._now:
            self._write_errors()
        else:
            self.errors_file.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the files."""
        self._file.close()
        self._lock.release()


def read_answers(out: Path) -> tuple[dict[Key, str], int]:
    """Return the questions of the whole lines of a file of answers, none if it is not there, and where they end.

    Raises InputError for a file that holds something else.
    """
    done: dict[Key, str] = {}
    end = 0
    lines = out.read_bytes().split(b"\n")[:-1] if out.exists() else []  # the last was cut short by a kill, or is empty
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            key, question = (str(row["id"]), str(row["video"])), str(row["question"])
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break  # of a machine that lost power
            raise InputError(f"line {number} of {out} is no answer; give another --out") from error
        if key in done:
            raise InputError(f"line {number} of {out} answers {key[0]!r} again; give another --out")
        done[key] = question
        end += len(line) + 1
    return done, end


def _error(tried: Tried) -> dict[str, Any]:
    return asdict(tried.fault) | {"tries": tried.tries}


def _line(row: Mapping[str, Any]) -> bytes:
    """Return a row as a line; names that are no text (of files) keep their bytes as escapes."""
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(row).encode() + b"\n"
