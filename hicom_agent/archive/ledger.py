"""What a batch has come to: answers, one line each and never two of one question, and what is in the way of the rest.

answers.jsonl          appended, on the disk every few lines; a line that a kill cut short is cut off and made again
errors.jsonl           one line for each question or video that failed, with how often; gone when all is well
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hicom_agent.archive.questions import Fault
from hicom_agent.errors import InputError
from hicom_agent.rows import Rows, as_line, plain, read_lines, whole

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
        self.errors_file = errors_beside(out)
        self._now: dict[tuple[str, str], Tried] = {}  # failed in this run
        self._failed_ids: set[str] = set()
        self._told_at = 0.0
        self._rows = Rows(out, "batch", SYNC_LINES, SYNC_S)
        try:
            self.done, end = read_answers(out)  # the question that each line answers
            self._before = _read_errors(self.errors_file)
            self._rows.begin(end)
        except BaseException:
            self._rows.close()
            raise

    def answers(self) -> Iterator[dict[str, Any]]:
        """Return the rows that are written."""
        yield from self._rows

    def add(self, row: Mapping[str, Any]) -> None:
        """Append an answer; raises SetupError where the disk fails, and then nothing of it is kept."""
        key = (row["id"], row["video"])
        assert key not in self.done, f"{key} is answered"
        self._rows.add(row)
        self.done[key] = row["question"]

    def sync(self) -> None:
        """See to it that what was added survives a loss of power; raises SetupError."""
        self._rows.sync()

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

    @property
    def lost_before(self) -> set[str]:
        """Return the videos that stood in the way of earlier runs."""
        return _videos(self._before)

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
        lines = [as_line(tried.as_row()) for tried in (self._before | self._now).values()]
        if lines:
            with whole(self.errors_file) as aside:
                aside.write_bytes(b"".join(lines))
        else:
            with plain(self.errors_file):
                self.errors_file.unlink(missing_ok=True)
        self._told_at = time.monotonic()

    def close(self) -> None:
        """Let go of the files."""
        try:
            if self._now:
                self._tell()
        finally:
            self._rows.close()


def errors_beside(out: Path) -> Path:
    """Return the file of errors of a file of answers."""
    return out.with_name("errors.jsonl" if out.name == "answers.jsonl" else f"{out.stem}-errors.jsonl")


def lost_videos(out: Path) -> set[str]:
    """Return the videos that stood in the way of earlier runs, without a lock; raises InputError as `Ledger`."""
    return _videos(_read_errors(errors_beside(out)))


def _videos(tried: Iterable[tuple[str, str]]) -> set[str]:
    return {name for kind, name in tried if kind == "video"}


def read_answers(out: Path) -> tuple[dict[Key, str], int]:
    """Return the questions of the whole lines of a file of answers, none if it is not there, and where they end.

    Raises InputError for a file that holds something else, SetupError for one that cannot be read.
    """
    done: dict[Key, str] = {}
    end = 0
    for number, row, line_end in read_lines(out, BEGINNING):
        try:
            key, question = (str(row["id"]), str(row["video"])), str(row["question"])
        except (KeyError, TypeError) as error:
            raise InputError(f"line {number} of {out} is no answer; give another --out") from error
        if key in done:
            raise InputError(f"line {number} of {out} answers {key[0]!r} again; give another --out")
        done[key] = question
        end = line_end
    return done, end


def _read_errors(path: Path) -> dict[tuple[str, str], Tried]:
    """Return what earlier runs noted; raises InputError for a file that holds something else."""
    found = {}
    with plain(path):
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
