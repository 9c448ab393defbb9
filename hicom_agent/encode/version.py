"""Which version of profile nano makes vectors: told from its files, without loading one."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

CODE_VERSION = 3  # raise when a change in nano.py alters vectors


def nano_version(lite0: Path, minilm: Path, labels: Path) -> str:
    """Return what tells these vectors from others."""
    return f"{CODE_VERSION}-{checksum([lite0, minilm / 'model.safetensors', *sorted(labels.glob('*.txt'))])}"


def checksum(paths: Sequence[Path]) -> str:
    """Return eight hex digits that tell one set of files from another; not for security."""
    total = 0
    for path in paths:
        total = zlib.crc32(path.read_bytes(), total)
    return f"{total:08x}"
