"""Durable jobs: videos to index, in a table that outlives the server; one at a time, each in a process of its own.

A job that a killed server left is taken up again when the next one starts; the indexer resumes where it was.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from filelock import FileLock, Timeout

from hicom_agent.errors import InputError, StoreError
from hicom_agent.pipes import kill_group

State = Literal["queued", "running", "done", "failed", "cancelled"]

LOOK_EVERY_S = 0.2
CLAIM_EVERY_S = 2.0  # how often a server without the lock asks whether the other one is gone
MAX_QUEUED, MAX_PER_OWNER = 200, 50
KILL_AFTER_S = 3.0
_TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
  job_id TEXT PRIMARY KEY, owner TEXT NOT NULL, path TEXT NOT NULL, state TEXT NOT NULL, stage TEXT NOT NULL DEFAULT '',
  done REAL NOT NULL DEFAULT 0, total REAL NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '',
  result TEXT NOT NULL DEFAULT '', made_at REAL NOT NULL, began_at REAL, ended_at REAL
) STRICT
"""
_COLUMNS = "job_id, path, state, stage, done, total, error, result, made_at, began_at, ended_at"


@dataclass(frozen=True, slots=True)
class Job:
    """How far one video is."""

    job_id: str
    path: str
    state: State
    stage: str  # "hashing", "watching", "listening", "remembering"
    done: float  # of `total`, in the stage's unit
    total: float
    error: str  # one line, of a failed job
    result: str  # JSON of the indexer's report, of a done job
    made_at: float  # seconds since 1970
    began_at: float | None
    ended_at: float | None

    @property
    def finished(self) -> bool:
        """Return whether nothing more will happen."""
        return self.state in ("done", "failed", "cancelled")

    @property
    def percent(self) -> float:
        """Return how much of the current stage is done, 0 to 100."""
        if self.state == "done":
            return 100.0
        return round(100 * min(1.0, self.done / self.total), 1) if self.total else 0.0

    @property
    def left_s(self) -> float | None:
        """Return the time that watching still takes at its rate so far, if that can be told."""
        if self.state != "running" or self.stage != "watching" or not self.done or self.began_at is None:
            return None
        return round((time.time() - self.began_at) * (self.total - self.done) / self.done, 1)


class Jobs:
    """The table in a store's folder; `start` makes this process the one that runs them, if no other does."""

    def __init__(self, folder: Path, command: Callable[[str], list[str]]) -> None:
        """`command` gives the process that indexes a path; it tells progress as JSON lines on standard error.

        Raises StoreError if the folder cannot be written.
        """
        self._command = command
        self._path = folder / "jobs.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with self._db() as db:
                db.execute("PRAGMA journal_mode = WAL")  # readers see a job while another process writes it
                db.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"cannot keep jobs in {folder}: {error}") from error
        self._lock = FileLock(str(folder / "jobs.lock"))
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    # ------------------------------------------------------------------ what a caller asks

    def submit(self, path: str, owner: str) -> Job:
        """Return the job for a path; one that is waiting or running already is the same. Raises InputError if full."""
        with self._db() as db:
            db.execute("BEGIN IMMEDIATE")
            waiting = db.execute(
                f"SELECT {_COLUMNS} FROM jobs WHERE owner = ? AND path = ? AND state IN ('queued', 'running')",
                (owner, path),
            ).fetchone()
            if waiting is not None:
                return Job(*waiting)
            (num_all, num_own) = db.execute(
                "SELECT count(*), coalesce(sum(owner = ?), 0) FROM jobs WHERE state IN ('queued', 'running')", (owner,)
            ).fetchone()
            if num_all >= MAX_QUEUED or num_own >= MAX_PER_OWNER:
                raise InputError(f"{num_all} videos are waiting already; try again when some are done")
            job_id = secrets.token_urlsafe(16)
            db.execute(
                "INSERT INTO jobs (job_id, owner, path, state, made_at) VALUES (?, ?, ?, 'queued', ?)",
                (job_id, owner, path, time.time()),
            )
        return self.status(job_id, owner)

    def status(self, job_id: str, owner: str) -> Job:
        """Return a job; raises InputError for an unknown one, and another owner's is unknown."""
        with self._db() as db:
            row = db.execute(f"SELECT {_COLUMNS} FROM jobs WHERE job_id = ? AND owner = ?", (job_id, owner)).fetchone()
        if row is None:
            raise InputError(f"no job {job_id[:40]!r}; index_video gives one")
        return Job(*row)

    def waiting(self, owner: str) -> list[Job]:
        """Return an owner's jobs that are queued or running, the oldest first."""
        unfinished = f"SELECT {_COLUMNS} FROM jobs WHERE owner = ? AND state IN ('queued', 'running') ORDER BY made_at"
        with self._db() as db:
            return [Job(*row) for row in db.execute(unfinished, (owner,))]

    def cancel(self, job_id: str, owner: str) -> Job:
        """Stop a job, or do nothing if it is finished; what was watched so far is kept for the next time."""
        self.status(job_id, owner)
        with self._db() as db:
            db.execute(
                "UPDATE jobs SET state = 'cancelled', ended_at = ? WHERE job_id = ? AND state IN ('queued', 'running')",
                (time.time(), job_id),
            )
        return self.status(job_id, owner)

    # ------------------------------------------------------------------ running them

    def start(self) -> None:
        """Run jobs in a thread until `close`."""
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop running jobs; the one in work is killed, and taken up again by the next server."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(KILL_AFTER_S + 2)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._lock.acquire(timeout=0):
                    self._take_up()
                    while not self._stop.wait(LOOK_EVERY_S):
                        if job := self._next():
                            self._work(job)
            except Timeout:
                self._stop.wait(CLAIM_EVERY_S)

    def _take_up(self) -> None:
        """Queue again what a server that is gone has left."""
        with self._db() as db:
            db.execute("UPDATE jobs SET state = 'queued', stage = '' WHERE state = 'running'")

    def _next(self) -> Job | None:
        with self._db() as db:
            row = db.execute(f"SELECT {_COLUMNS} FROM jobs WHERE state = 'queued' ORDER BY made_at LIMIT 1").fetchone()
            if row is None:
                return None
            db.execute(
                "UPDATE jobs SET state = 'running', began_at = ? WHERE job_id = ? AND state = 'queued'",
                (time.time(), row[0]),
            )
        return Job(*row)

    def _work(self, job: Job) -> None:
        told: list[str] = []
        out: list[str] = []
        with subprocess.Popen(
            self._command(job.path),
            stdin=subprocess.PIPE,  # closes with this process, however it ends, and the child goes too
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout and process.stderr
            readers = [
                threading.Thread(target=self._follow, args=(job.job_id, process.stderr, told), daemon=True),
                threading.Thread(target=_drain, args=(process.stdout, out), daemon=True),
            ]
            for reader in readers:
                reader.start()
            while process.poll() is None:
                if self._stop.wait(LOOK_EVERY_S) or self._state(job.job_id) == "cancelled":
                    kill_group(process, KILL_AFTER_S)
            for reader in readers:
                reader.join()
        if not self._stop.is_set():
            self._finish(job.job_id, process.returncode, "".join(out), told[-1] if told else "")

    def _follow(self, job_id: str, lines: IO[str], told: list[str]) -> None:
        """Keep the progress that a process tells; its other lines are messages."""
        for line in lines:
            try:
                progress = json.loads(line)
                values = (str(progress["stage"]), float(progress["done"]), float(progress["total"]), job_id)
            except (ValueError, TypeError, KeyError):
                told.append(line.strip()[:500])
                continue
            with self._db() as db:
                db.execute("UPDATE jobs SET stage = ?, done = ?, total = ? WHERE job_id = ?", values)

    def _finish(self, job_id: str, code: int, result: str, message: str) -> None:
        state = "done" if code == 0 else "failed"
        error = "" if code == 0 else message or f"the indexer ended with code {code}"
        with self._db() as db:
            db.execute(
                "UPDATE jobs SET state = ?, error = ?, result = ?, ended_at = ? WHERE job_id = ? AND state = 'running'",
                (state, error, result.strip(), time.time(), job_id),
            )

    def _state(self, job_id: str) -> str:
        with self._db() as db:
            row = db.execute("SELECT state FROM jobs WHERE job_id = ?", (job_id,)).fetchone()
        return str(row[0]) if row else "cancelled"

    @contextmanager
    def _db(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=30)) as db, db:
            yield db


def _drain(lines: IO[str], kept: list[str]) -> None:
    kept += list(lines)
