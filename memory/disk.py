"""Files that are either the old or the new one, whatever happens in between."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hicom_agent.errors import SetupError, StoreBusy, StoreCorrupt

CRASH_VARIABLE = "HICOM_AGENT_CRASH_AT"
_BLOCK_BYTES = 1 << 20
_DISK_CODES = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_BUSY_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_CORRUPT_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def crash_point(step: str) -> None:
    """Die here without any clean-up if the crash tests ask for this step, as a lost process would."""
    if os.environ.get(CRASH_VARIABLE) == step:
        os._exit(137)


def write_file(path: Path, parts: Iterable[bytes], *, last: bool = True) -> tuple[str, int]:
    """Write `parts` as one file and return its SHA-256 and size; after the return it survives a loss of power.

    The order is what makes that true: the bytes reach the disk, then the name, then the folder's entry. Of several
    files in one folder only the `last` need see to the folder. When anything fails, the file that was there before
    is untouched and no other one is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    digest, size = hashlib.sha256(), 0
    try:
        with temporary.open("wb") as file:
            for part in parts:
                file.write(part)
                digest.update(part)
                size += len(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - the tests watch this one name
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if last:
        sync_folder(path.parent)
    return digest.hexdigest(), size


def sync_folder(folder: Path) -> None:
    """Make the entries of `folder` survive a loss of power."""
    if os.name == "nt":  # folders cannot be opened there, and need not be
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make `folder`, readable for its owner only, if it is not there."""
    if not folder.is_dir():
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        sync_folder(folder.parent)


def remove_folder(folder: Path, *, first: str = "") -> None:
    """Remove `folder`, the file `first` before all others: without it, what a crash leaves is seen as unfinished."""
    if first:
        (folder / first).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file as hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def plain_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk and SQLite raise inside into one line of our own tree.

    Raises SetupError (disk full, unreadable, read-only, failing), StoreBusy and StoreCorrupt.
    """
    try:
        yield
    except (NotADirectoryError, FileExistsError) as error:
        raise SetupError(
            f"no store can be in {folder}: a file is in the way; choose another folder with --store"
        ) from error
    except OSError as error:
        if error.errno == errno.EROFS:
            raise SetupError(_read_only(folder)) from error
        raise SetupError(f"the disk of {folder} fails: {error.strerror or error}; {_advice(error)}") from error
    except sqlite3.DatabaseError as error:
        raise _plain_error(error, folder) from error


def _read_only(folder: Path) -> str:
    why = os.strerror(errno.EROFS)
    return f"{folder} cannot be written: {why}; its disk is mounted read-only, choose another folder with --store"


def _is_read_only(folder: Path) -> bool:
    """Return whether the disk of a folder is mounted read-only; Windows cannot tell."""
    there = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    return hasattr(os, "statvfs") and bool(os.statvfs(there).f_flag & os.ST_RDONLY)


def _advice(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "allow writing there, or choose another folder with --store"
    return "free space or choose another disk with --store; what was committed before is intact"


def _plain_error(error: sqlite3.DatabaseError, folder: Path) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the family
    if code == sqlite3.SQLITE_READONLY and _is_read_only(folder):
        return SetupError(_read_only(folder))
    if code in _DISK_CODES:
        return SetupError(f"the disk of {folder} fails: {error}; free space or choose another one with --store")
    if code in _BUSY_CODES:
        return StoreBusy(f"the catalogue in {folder} is in use: {error}; try again")
    if code in _CORRUPT_CODES:
        return StoreCorrupt(f"the catalogue in {folder} is damaged: {error}; run hicom-agent doctor --repair")
    return error
