"""What a build has come to, in two files that a kill at any moment leaves mendable.

NAME.ledger.jsonl      the truth: settings, films watched, and for each clip asked its pairs and what was rejected; a
                       line is on the disk before the next clip is noted, so no clip that was answered is asked again
NAME.jsonl             the pairs that the ledger tells of, in its order: what training reads
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from hicom_agent.errors import InputError, SetupError
from hicom_agent.pairs.clips import Film, Scene
from hicom_agent.pairs.terms import check_same

Key = tuple[str, float, float]  # path, start and end of a clip
KINDS = ("settings", "film", "clip")


def key_of(film: Film, scene: Scene) -> Key:
    """Return what a clip is known by."""
    return film.path, scene.start_s, scene.end_s


def ledger_file(out: Path) -> Path:
    """Return where the ledger of a file of pairs is."""
    return out.with_name(f"{out.stem}.ledger.jsonl")


class Past:
    """What earlier runs noted; reading it changes nothing."""

    def __init__(self, out: Path) -> None:
        """Read the ledger of `out`; raises InputError for files that no build wrote, SetupError for the disk."""
        self.file, self.out = ledger_file(out), out
        self.settings: dict[str, Any] | None = None
        self.films: dict[str, Film] = {}
        self.done: set[Key] = set()
        self.calls = self.tokens_in = self.tokens_out = 0
        self.end = 0  # bytes of whole lines
        for row, num_bytes in _read(self.file):
            self.take(row)
            self.end += num_bytes
        with on_disk(out):
            held = out.exists() and out.stat().st_size
        if held and self.settings is None:
            raise InputError(f"{out} holds something that no ledger tells of ({self.file.name}); give another --out")

    def take(self, row: Mapping[str, Any]) -> None:
        """Note a row; raises InputError for one that no build wrote."""
        try:
            (kind,) = row
            value = row[kind]
            if kind == "settings":
                self.settings = dict(value)
            elif kind == "film":
                film = Film.from_row(value)
                self.films[film.path] = film
            elif kind == "clip":
                self.done.add((value["video"], value["start"], value["end"]))
                self.calls += value["calls"]
                self.tokens_in += value["tokens_in"]
                self.tokens_out += value["tokens_out"]
            else:
                raise ValueError(kind)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{self.file} was not written by this version; give another --out") from error

    def check(self, settings: dict[str, Any]) -> None:
        """Raise InputError unless these are the settings that it was begun with, if it was."""
        if self.settings is not None:
            check_same(self.settings, settings, str(self.out))

    def clips(self) -> Iterator[dict[str, Any]]:
        """Return what is noted of each clip, from the file."""
        for row, _ in _read(self.file):
            if "clip" in row:
                yield row["clip"]


class Ledger(Past):
    """Both files, locked and open for more."""

    def __init__(self, out: Path, settings: dict[str, Any]) -> None:
        """Open and mend the files of `out`.

        Raises InputError where another build writes them, they were begun with other settings, or hold something else;
        SetupError for the disk.
        """
        with on_disk(out):
            out.parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(out.with_name(f".{out.name}.lock"), timeout=0, thread_local=False)
            try:
                self._lock.acquire()
            except Timeout as error:
                raise InputError(f"another build writes {out}; wait for it, or give another --out") from error
        self._files: list[IO[bytes]] = []
        try:
            super().__init__(out)
            self.check(settings)
            with on_disk(out):
                self._ledger = self._open(self.file)
                self._ledger.truncate(self.end)
                self._pairs = self._open(out)
            self._mend()
            if self.settings is None:
                self._note({"settings": settings})
        except BaseException:
            self.close()
            raise

    def add_film(self, film: Film) -> None:
        """Note a film that was watched."""
        self._note({"film": film.as_row()})

    def add_clip(self, clip: dict[str, Any]) -> None:
        """Note a clip that was answered, with its `pairs`, and append these; raises SetupError where the disk fails."""
        self._note({"clip": clip})
        self._append(self._pairs, b"".join(line_of(pair) for pair in clip["pairs"]), self.out)

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files:
            file.close()
        self._lock.release()

    def _note(self, row: dict[str, Any]) -> None:
        self._append(self._ledger, line_of(row), self.file)
        self.take(row)

    def _open(self, path: Path) -> IO[bytes]:
        file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        self._files.append(file)
        return file

    def _append(self, file: IO[bytes], data: bytes, path: Path) -> None:
        with on_disk(path):
            end = file.seek(0, os.SEEK_END)
            try:
                if file.write(data) < len(data):
                    raise OSError(errno.ENOSPC, "the disk is full")
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise

    def _mend(self) -> None:
        """Make the pairs what the ledger tells; raises InputError where whole lines of them are something else."""
        lines = (line_of(pair) for clip in self.clips() for pair in clip["pairs"])
        with on_disk(self.out), self.out.open("rb") as written:
            end, missing = 0, b""
            for line in lines:
                missing = line
                if written.read(len(line)) != line:
                    break
                end, missing = end + len(line), b""
            written.seek(end)
            rest = written.read(1 << 20)
        if b"\n" in rest and b"\0" not in rest:
            raise InputError(f"{self.out} was changed since it was written; put it back, or give another --out")
        with on_disk(self.out):
            self._pairs.truncate(end)
        if missing:
            self._append(self._pairs, b"".join([missing, *lines]), self.out)


def _read(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the rows of a ledger and their lengths in bytes, but for a last line that a kill cut short."""
    with on_disk(path):
        file = path.open("rb") if path.exists() else None
    if file is None:
        return
    with file:
        for number, line in enumerate(file, 1):
            torn = not line.endswith(b"\n") or b"\0" in line
            if torn and not file.read(1):
                return
            try:
                row = json.loads(line)
                if not isinstance(row, dict) or torn:
                    raise ValueError("no row")
            except (ValueError, RecursionError) as error:
                raise InputError(f"line {number} of {path} was not written by a build; give another --out") from error
            yield row, len(line)


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn what the disk raises into one line."""
    try:
        yield
    except OSError as error:
        raise SetupError(f"cannot write {path}: {error.strerror or error}; what was written is kept") from error


def line_of(row: Mapping[str, Any]) -> bytes:
    """Return a row as a line; names that are no text (of files) keep their bytes as escapes."""
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(row).encode() + b"\n"
