"""A file on a disk that fills up."""

from __future__ import annotations

from typing import Any


class FullDisk:
    """An open file that takes ten bytes of what is written next, and no more."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        """Write the first ten bytes."""
        return int(self._file.write(data[:10]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
