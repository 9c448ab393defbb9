"""Generations that were made elsewhere: copied byte by byte against their manifest, and looked at before use.

A checksum says that nothing changed on the way, not that whoever made it meant well. So what readers rely on is looked
at too: types, times, counts, and that rows, checksums and pictures fit together. What the numbers of packed patch
features mean is known to their encoder alone.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from hicom_agent.errors import StoreCorrupt
from hicom_agent.memory.disk import crash_point, make_folder, write_file
from hicom_agent.memory.generations import FILES, Manifest, seal
from hicom_agent.memory.records import check_packed, check_record
from hicom_agent.types import Clip, Damage, Record, ScreenText, StoredFrame, Utterance, VideoInfo

INCOMING = "incoming"  # folder of a store where an archive is unpacked; what a killed import left there goes
MAX_META_BYTES = 1 << 28
MAX_VECTORS_BYTES = 1 << 32
_MAX_ROW_BYTES = 1 << 28  # of one picture, or of its packed features
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST = 1e9  # of anything that is counted or timed; more of it is nonsense, and too much to work with
_BLOCK_BYTES = 1 << 20
_STORED = {"frames", "speech", "texts"}
_ROWS = {"rows.kept": "I32", "rows.shown_by": "I32", "rows.thumb_ends": "I64", "crc.thumbs": "U32"}
_NUMBERS = {"U8", "I8", "U16", "I16", "F16", "U32", "I32", "F32", "U64", "I64", "F64", "BOOL"}
_NONSENSE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, SafetensorError)
_open_file: Any = safe_open  # it has no types


def copy_generation(source: Path, manifest: Manifest, target: Path) -> Manifest:
    """Copy a generation into the folder `target`, seal it there, and return its new manifest.

    Every byte is compared with `manifest` while it is copied, and what arrived is looked at before it is sealed.
    Raises StoreCorrupt; what was written by then is the caller's to remove.
    """
    make_folder(target)
    for name in FILES:
        expected = manifest.files[name]
        if write_file(target / name, read_blocks(source / name, expected[1]), last=name == FILES[-1]) != expected:
            raise StoreCorrupt(f"{source / name} is not what was written; run hicom-agent doctor on that store")
        crash_point(name)
    check_sense(target, manifest, source)
    return seal(target, manifest)


def read_blocks(path: Path, num_bytes: int) -> Iterator[bytes]:
    """Give the bytes of a regular file of this size; raises StoreCorrupt for anything else, links too."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode) or facts.st_size != num_bytes:
                raise StoreCorrupt(f"{path} is no file of {num_bytes} bytes; run hicom-agent doctor on that store")
            while num_bytes > 0 and (block := file.read(min(_BLOCK_BYTES, num_bytes))):
                num_bytes -= len(block)
                yield block
    except OSError as error:
        raise StoreCorrupt(f"{path} cannot be read: {error.strerror or error}") from error


def check_sense(folder: Path, manifest: Manifest, named: Path) -> None:
    """Raise StoreCorrupt, naming the generation and its first contradiction, unless readers can work with its files.

    The files are what the manifest says, which is checked before.
    """
    try:
        meta = _read_meta(folder / "meta.json", manifest)
        with (
            _open_file(folder / "vectors.safetensors", framework="numpy") as vectors,
            _open_file(folder / "patches.safetensors", framework="numpy") as patches,
        ):
            small = _read_small(vectors)
            record = _make_record(meta, {name: _read(vectors, name, {"F16"}) for name in _STORED & set(vectors.keys())})
            check_record(record)
            if not _SHA256.fullmatch(record.sha256):
                raise ValueError(f"{record.sha256!r:.80} is no SHA-256")
            _check_order(record)
            _check_rows(record, small)
            _check_patches(patches, small, len(small["rows.kept"]))
        _check_thumbnails(folder / "thumbs.bin", small["rows.thumb_ends"], small["crc.thumbs"])
    except _NONSENSE as error:
        raise StoreCorrupt(f"{named} makes no sense: {error}; index the video again") from error


def widths_of(folder: Path) -> dict[str, int]:
    """Return how many numbers the vectors of a generation have, by kind; raises StoreCorrupt."""
    try:
        with _open_file(folder / "vectors.safetensors", framework="numpy") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in _STORED & set(file.keys())}
    except (*_NONSENSE, OSError) as error:
        raise StoreCorrupt(f"{folder / 'vectors.safetensors'} cannot be read: {error}") from error
    return {name: shape[-1] for name, shape in shapes.items() if len(shape) == 2 and shape[0]}


def _read_meta(path: Path, manifest: Manifest) -> Mapping[str, Any]:
    if path.stat().st_size > MAX_META_BYTES:
        raise ValueError(f"meta.json has {path.stat().st_size} bytes, at most {MAX_META_BYTES} are read")
    meta = json.loads(path.read_bytes())
    if not isinstance(meta, dict):
        raise ValueError("meta.json holds no object")
    for name in ("video_id", "profile", "settings_key"):
        if meta[name] != getattr(manifest, name):
            raise ValueError(f"{name} is {meta[name]!r:.80} in meta.json, {getattr(manifest, name)!r:.80} outside")
    return meta


def _make_record(meta: Mapping[str, Any], vectors: dict[str, NDArray[Any]]) -> Record:
    """Return the record of a meta.json, without pictures and packed features."""
    info = meta["info"]
    path = _text(meta["path"], any_letters=True)
    if "\0" in path or not os.fsencode(path):
        raise ValueError(f"{path!r:.80} is no path")
    return Record(
        video_id=_text(meta["video_id"]),
        sha256=_text(meta["sha256"]),
        path=path,
        title=_text(meta["title"], any_letters=True),
        profile=_text(meta["profile"]),
        settings_key=_text(meta["settings_key"]),
        language=_text(meta["language"]),
        covered_s=_number(meta["covered_s"]),
        info=VideoInfo(
            _number(info["duration_s"]),
            _count(info["width_px"]),
            _count(info["height_px"]),
            _text(info["codec"]),
            _text(info["audio_codec"]),
        ),
        clips=[Clip(_count(i), _number(start), _number(end)) for i, start, end in meta["clips"]],
        frames=[StoredFrame(_number(at), _count(by), _number(novelty), b"") for at, by, novelty in meta["frames"]],
        speech=[Utterance(*_span(*row)) for row in meta["speech"]],
        texts=[ScreenText(*_span(*row)) for row in meta["texts"]],
        damage=[Damage(*_span(*row)) for row in meta["damage"]],
        vectors=vectors,
    )


def _span(start_s: Any, end_s: Any, text: Any) -> tuple[float, float, str]:
    return _number(start_s), _number(end_s), _text(text, any_letters=True)


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not -_MOST < value < _MOST:  # what is no number is not below anything
        raise ValueError(f"{value!r:.80} is no number that can be meant")
    return float(value)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _MOST:
        raise ValueError(f"{value!r:.80} is no count")
    return int(value)


def _text(value: Any, *, any_letters: bool = False) -> str:
    """Return a text; without `any_letters` it has to be one that can be written as UTF-8."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.80} is no text")
    if not any_letters:
        value.encode()
    return value


def _read(file: Any, name: str, kinds: set[str]) -> NDArray[Any]:
    kind = file.get_slice(name).get_dtype()
    if kind not in kinds:
        raise ValueError(f"{name} is of type {kind}, expected {' or '.join(sorted(kinds))}")
    array: NDArray[Any] = file.get_tensor(name)
    return array


def _read_small(file: Any) -> dict[str, NDArray[Any]]:
    """Return the rows and checksums that stand beside the vectors."""
    names = set(file.keys())
    if missing := _ROWS.keys() - names:
        raise ValueError(f"vectors.safetensors has no {min(missing)}")
    wrong = [name for name in names - _STORED - _ROWS.keys() if not name.startswith("crc.")]
    if wrong:
        raise ValueError(f"vectors.safetensors holds {min(wrong)!r:.80}, which nobody reads")
    small = {name: _read(file, name, {_ROWS.get(name, "U32")}) for name in names - _STORED}
    if any(array.ndim != 1 for array in small.values()):
        raise ValueError("rows and checksums are lists")
    return small


def _check_order(record: Record) -> None:
    times: Sequence[tuple[str, list[float]]] = (
        ("frames", [frame.time_s for frame in record.frames]),
        ("clips", [clip.start_s for clip in record.clips]),
    )
    for name, times_s in times:
        if any(later < earlier for earlier, later in pairwise(times_s)):
            raise ValueError(f"{name} are not in time order")


def _check_rows(record: Record, small: Mapping[str, NDArray[Any]]) -> None:
    shown_by = [frame.shown_by for frame in record.frames]
    if small["rows.shown_by"].tolist() != shown_by:
        raise ValueError("what shows each frame is not the same in meta.json and vectors.safetensors")
    if small["rows.kept"].tolist() != [i for i, by in enumerate(shown_by) if by == i]:
        raise ValueError("the kept frames are not the same in meta.json and vectors.safetensors")
    for name, rows in record.vectors.items():
        lengths = np.linalg.norm(rows.astype(np.float32), axis=1)
        if len(rows) and (not rows.shape[1] or not np.all((abs(lengths - 1) < 0.02) | (lengths == 0))):
            raise ValueError(f"vectors of {name} are not of length one")


def _check_patches(file: Any, small: Mapping[str, NDArray[Any]], num_kept: int) -> None:
    names = set(file.keys())
    if names != {name[4:] for name in small if name.startswith("crc.")} - {"thumbs"}:
        raise ValueError("patch features and their checksums are not of the same names")
    for name in names:
        table = file.get_slice(name)
        if table.get_dtype() not in _NUMBERS:
            raise ValueError(f"packed {name!r:.80} holds {table.get_dtype()}, which is no plain number")
        check_packed(name, table.get_shape(), num_kept)
        width = math.prod(table.get_shape()[1:])
        if width > _MAX_ROW_BYTES // 8:
            raise ValueError(f"packed {name} has {width} numbers for each frame")
        checks, step = small[f"crc.{name}"], max(1, _BLOCK_BYTES // max(1, width))
        blocks = (table[start : min(start + step, num_kept)] for start in range(0, num_kept, step))
        if [zlib.crc32(row.tobytes()) for block in blocks for row in block] != checks.tolist():
            raise ValueError(f"packed {name} does not have its checksums")


def _check_thumbnails(path: Path, ends: NDArray[Any], checks: NDArray[Any]) -> None:
    starts = [0, *ends.tolist()]
    if (
        not all(0 <= end - start <= _MAX_ROW_BYTES for start, end in pairwise(starts))
        or starts[-1] != path.stat().st_size
    ):
        raise ValueError("the thumbnails do not fill their file")
    with path.open("rb") as file:
        found = [zlib.crc32(file.read(end - start)) for start, end in pairwise(starts)]
    if found != checks.tolist():
        raise ValueError("the thumbnails do not have their checksums")
