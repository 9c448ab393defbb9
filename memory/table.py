"""The vectors of one kind of one generation as they are searched: rows, what entry each is of, and their cache file.

The file is a head (how many rows of how many numbers, the CRC-32 of the rows, the entries) and then the rows as
float16, as generations hold them. The catalogue has the SHA-256 of the head, so that all of the file is checked each
time it is read: a SHA-256 of the rows too took half of a search in many videos where the processor has none built in,
and eight times as long as the CRC-32, which finds damage as surely. Nothing in the file is trusted before that.
"""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_HEAD = struct.Struct("<III")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Table:
    """Unit vectors of one video."""

    entries: NDArray[np.int32]  # the frame, utterance, text or clip of each row
    rows: NDArray[np.float16]  # [n, e]


def make_table(entries: Sequence[int], vectors: NDArray[np.float32]) -> Table:
    """Return the table of unit vectors [n, e] and the entry that each is of."""
    return Table(np.array(entries, "<i4"), np.ascontiguousarray(vectors, "<f2"))


def dump_table(table: Table) -> tuple[list[bytes], str]:
    """Return a table as the parts of a cache file, and what `load_table` knows it by."""
    rows = table.rows.tobytes()
    head = _HEAD.pack(*table.rows.shape, zlib.crc32(rows)) + table.entries.tobytes()
    return [head, rows], sha256(head).hexdigest()


def load_table(path: Path, digest: str) -> Table | None:
    """Return the table in a cache file, None unless it is what was written."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    table = _parse(data, digest)
    if table is None:
        _LOG.warning("%s is not what was written; the vectors are read from the generation", path)
    return table


def _parse(data: bytes, digest: str) -> Table | None:
    if len(data) < _HEAD.size:
        return None
    num, width, check = _HEAD.unpack_from(data)
    end = _HEAD.size + 4 * num
    if len(data) != end + 2 * num * width or sha256(data[:end]).hexdigest() != digest:
        return None
    if zlib.crc32(memoryview(data)[end:]) != check:
        return None
    entries = np.frombuffer(data, "<i4", num, _HEAD.size)
    return Table(entries, np.frombuffer(data, "<f2", offset=end).reshape(num, width))
