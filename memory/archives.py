"""One file for videos that travel: a plain tar of generations behind a list of what it holds.

    hicom-agent-export.json              format, and of each video what its manifest says: files, sizes, SHA-256
    <video_id>/vectors.safetensors ...   the files of each generation, as they lie in the store

The same videos give the same bytes. An archive is taken for hostile until every byte of it is checked: headers are
read one by one as plain files of known names and sizes, and none of tarfile's extensions (links, long names, sparse
files, extended headers) is ever followed. Nothing is written outside a private folder of the store before that.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from hicom_agent.errors import InputError, SetupError, StoreCorrupt, StoreTooNew
from hicom_agent.memory import queries
from hicom_agent.memory.catalog import published
from hicom_agent.memory.disk import make_folder, plain_errors, remove_folder, write_file
from hicom_agent.memory.foreign import INCOMING, MAX_META_BYTES, MAX_VECTORS_BYTES, check_sense, read_blocks
from hicom_agent.memory.generations import FILES, Manifest, check_video_id
from hicom_agent.memory.shards import Taken, adopt_generation, check_widths, reading, sealed
from hicom_agent.memory.store import Store
from hicom_agent.types import Progress

FORMAT = 1
INDEX = "hicom-agent-export.json"
MAX_BYTES = 1 << 38
_MAX_INDEX_BYTES = 1 << 26
_MAX_WORD_CHARS = 1000
_SPARE_BYTES = 1 << 26  # of the disk, for the catalogue
_BLOCK_BYTES = 1 << 20
_END = 2 * tarfile.BLOCKSIZE
_SHA256 = re.compile(r"[0-9a-f]{64}")
Show = Callable[[Progress], None]
Sealed = Sequence[tuple[Path, Manifest]]


def export(
    source: Path, video_ids: Sequence[str] | None, target: Path, on_progress: Show = lambda progress: None
) -> list[str]:
    """Write videos of the store in the folder `source` (None: all) into the new file `target`; return their ids.

    The file appears when it is whole. Raises UnknownVideo, InputError, StoreCorrupt, StoreTooNew, SetupError.
    """
    target = Path(target).absolute()
    if target.exists() or not target.parent.is_dir():
        raise InputError(f"{target} {'is there already' if target.exists() else 'is in no folder'}; give a new file")
    with reading(source) as db:
        if video_ids is None and not published(db):
            raise InputError(f"the store {source} is empty; run hicom-agent index VIDEO")
        wanted = published(db) if video_ids is None else {name: queries.where(db, name) for name in video_ids}
        found = [sealed(source, wanted[video_id]) for video_id in sorted(wanted)]
        try:
            write_file(target, _archive(found, on_progress))
        except OSError as error:
            raise SetupError(f"cannot write {target}: {error.strerror or error}; free space there") from error
    return sorted(wanted)


def _archive(found: Sealed, on_progress: Show) -> Iterator[bytes]:
    rows = [
        {
            "video_id": manifest.video_id,
            "profile": manifest.profile,
            "settings_key": manifest.settings_key,
            "committed_at": manifest.committed_at,
            "files": {name: {"sha256": digest, "size": size} for name, (digest, size) in manifest.files.items()},
        }
        for _, manifest in found
    ]
    index = json.dumps({"format": FORMAT, "videos": rows}, indent=1).encode()
    yield from _member(INDEX, len(index), [index])
    done, total = 0, sum(manifest.num_bytes for _, manifest in found)
    for folder, manifest in found:
        on_progress(Progress("exporting", done, total, "bytes", manifest.video_id))
        for name, (digest, size) in manifest.files.items():
            blocks = _checked(folder / name, digest, size)
            yield from _member(f"{manifest.video_id}/{name}", size, blocks)
        done += manifest.num_bytes
    yield bytes(_END)


def _member(name: str, size: int, blocks: Iterator[bytes] | list[bytes]) -> Iterator[bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    yield info.tobuf(tarfile.GNU_FORMAT)
    yield from blocks
    yield bytes(-size % tarfile.BLOCKSIZE)


def _checked(path: Path, digest: str, size: int) -> Iterator[bytes]:
    found = sha256()
    for block in read_blocks(path, size):
        found.update(block)
        yield block
    if found.hexdigest() != digest:
        raise StoreCorrupt(f"{path} is not what was written; run hicom-agent doctor --repair")


def import_archive(
    target: Store, file: Path, max_bytes: int = MAX_BYTES, on_progress: Show = lambda progress: None
) -> list[Taken]:
    """Take over all videos of an archive, as `adopt` does; nothing of it unless every byte of it is well.

    Raises InputError, which names the first fault; StoreTooNew, SetupError.
    """
    with _opened(Path(file)) as stream, plain_errors(target.root):
        manifests = _read_index(stream, file, max_bytes)
        total = sum(manifest.num_bytes for manifest in manifests)
        _check_sizes(stream, file, total, target.root)
        make_folder(target.root / INCOMING)
        staging = Path(tempfile.mkdtemp(dir=target.root / INCOMING))
        try:
            _unpack(stream, file, manifests, staging, on_progress)
            for manifest in manifests:
                _check_video(target, staging / manifest.video_id, manifest, file)
            return list(_adopt_all(target, manifests, staging, file, on_progress))
        finally:
            remove_folder(target.root / INCOMING)


def _adopt_all(
    target: Store, manifests: Sequence[Manifest], staging: Path, file: Path, on_progress: Show
) -> Iterator[Taken]:
    for number, manifest in enumerate(manifests):
        on_progress(Progress("remembering", number, len(manifests), "videos", manifest.video_id))
        folder = staging / manifest.video_id
        try:
            taken = adopt_generation(target, folder, manifest)
        except StoreCorrupt as error:  # it does not fit to one before it
            taken = Taken(manifest.video_id, "", "refused", why=str(error).replace(str(folder), f"{file}"))
        remove_folder(folder)
        yield replace(taken, source=str(file))


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        stream = os.fdopen(os.open(file, flags), "rb")
    except OSError as error:
        raise InputError(f"cannot open {file}: {error.strerror or error}") from error
    with stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise InputError(f"{file} is no regular file")
        yield stream


def _read_index(stream: IO[bytes], file: Path, max_bytes: int) -> list[Manifest]:
    name, size = _read_header(stream, file) or ("", 0)
    if name != INDEX or not 0 <= size <= _MAX_INDEX_BYTES:
        raise InputError(f"{file} is no archive of hicom-agent: it does not begin with a list {INDEX}")
    try:
        body = json.loads(b"".join(_read_body(stream, file, name, size)))
        if body["format"] > FORMAT:
            raise StoreTooNew(f"{file} has format {body['format']}, this version knows {FORMAT}; update hicom-agent")
        if type(body["format"]) is not int or body["format"] != FORMAT:
            raise ValueError(f"format {body['format']!r:.40}")
        manifests = [_make_manifest(row) for row in body["videos"]]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(f"the list in {file} makes no sense: {error}") from error
    if len({manifest.video_id for manifest in manifests}) != len(manifests):
        raise InputError(f"the list in {file} has a video twice")
    total = sum(manifest.num_bytes for manifest in manifests)
    if total > max_bytes:
        raise InputError(f"{file} says that it holds {total} bytes, at most {max_bytes} are taken")
    return manifests


def _make_manifest(row: Mapping[str, Any]) -> Manifest:
    """Return what a line of the list says, with what it cannot be refused."""
    files, at = row["files"], row["committed_at"]
    if set(files) != set(FILES) or type(at) is not float or not 0 <= at < time.time() + 86400:
        raise ValueError(f"files {sorted(files)!r:.200}, committed at {at!r:.40}")
    for name, fact in files.items():
        size = fact["size"]
        if type(size) is not int or not 0 <= size < 1 << 62 or not _SHA256.fullmatch(fact["sha256"]):
            raise ValueError(f"{name} has {size!r:.40} bytes and the SHA-256 {fact['sha256']!r:.80}")
    for name, most in (("meta.json", MAX_META_BYTES), ("vectors.safetensors", MAX_VECTORS_BYTES)):
        if files[name]["size"] > most:
            raise ValueError(f"{name} has {files[name]['size']} bytes, at most {most} are read")
    words = [row["profile"], row["settings_key"]]
    if not all(isinstance(word, str) and len(word.encode()) <= _MAX_WORD_CHARS for word in words):
        raise ValueError(f"{words!r:.200} are no names")
    facts = {name: (files[name]["sha256"], files[name]["size"]) for name in FILES}
    return Manifest(check_video_id(row["video_id"]), "", words[0], words[1], at, facts, "")


def _check_sizes(stream: IO[bytes], file: Path, total: int, root: Path) -> None:
    left = os.fstat(stream.fileno()).st_size - stream.tell()
    if left < total:
        raise InputError(f"{file} is cut short: {left} bytes where {total} should follow")
    needed, free = 2 * total + _SPARE_BYTES, shutil.disk_usage(root).free
    if free < needed:
        raise SetupError(f"{root} has {free} bytes free and needs {needed}; free space or choose another with --store")


def _unpack(stream: IO[bytes], file: Path, manifests: Sequence[Manifest], staging: Path, on_progress: Show) -> None:
    """Write the members into `staging`; raises InputError unless they are exactly what the list says."""
    expected = {f"{m.video_id}/{name}": fact for m in manifests for name, fact in m.files.items()}
    left, done = set(expected), 0
    for manifest in manifests:
        (staging / manifest.video_id).mkdir(mode=0o700)
    while (header := _read_header(stream, file)) is not None:
        name, size = header
        if name not in left:
            raise InputError(f"{file} holds {name!r:.80} {'twice' if name in expected else 'which is not in its list'}")
        if size != expected[name][1]:
            raise InputError(f"{file}: {name} has {size} bytes, its list says {expected[name][1]}")
        left.remove(name)
        digest = sha256()
        with (staging / name).open("xb") as out:
            for block in _read_body(stream, file, name, size):
                digest.update(block)
                out.write(block)
        if digest.hexdigest() != expected[name][0]:
            raise InputError(f"{file}: {name} does not have its checksum")
        done += size
        on_progress(Progress("checking", done, sum(size for _, size in expected.values()), "bytes"))
    if left:
        raise InputError(f"{file} has no {min(left)}")


def _read_header(stream: IO[bytes], file: Path) -> tuple[str, int] | None:
    """Return name and size of the next member, None at the end of the archive.

    The size may be any number: it is the caller's to compare.
    """
    at, block = stream.tell(), stream.read(tarfile.BLOCKSIZE)
    if block and not block.strip(b"\0"):
        while rest := stream.read(_BLOCK_BYTES):
            if rest.strip(b"\0"):
                raise InputError(f"{file} goes on after its end")
        if stream.tell() - at < _END:
            raise InputError(f"{file} is cut short: its end is missing")
        return None
    try:
        info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except (tarfile.HeaderError, ValueError, OverflowError) as error:
        raise InputError(f"{file} is no plain tar at byte {at}: {error}") from error
    if info.type != tarfile.REGTYPE:
        raise InputError(f"{file}: {info.name!r:.80} is of type {info.type!r}; only regular files are taken")
    return info.name, info.size


def _read_body(stream: IO[bytes], file: Path, name: str, size: int) -> Iterator[bytes]:
    left = size
    while left:
        block = stream.read(min(_BLOCK_BYTES, left))
        if not block:
            raise InputError(f"{file} ends in the middle of {name}")
        left -= len(block)
        yield block
    if stream.read(-size % tarfile.BLOCKSIZE).strip(b"\0"):
        raise InputError(f"{file} hides something after {name}")


def _check_video(target: Store, folder: Path, manifest: Manifest, file: Path) -> None:
    try:
        check_sense(folder, manifest, file / manifest.video_id)
        check_widths(target, folder, manifest)
    except StoreCorrupt as error:
        raise InputError(str(error).replace(str(folder), f"{file}/{manifest.video_id}")) from error
