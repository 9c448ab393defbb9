"""Compressed tokens on the disk: small, checksummed, appended to one file that is read through a memory map.

Tokens are kept as whole numbers of 8 bits with one scale each; against float32 that turns a token by less than half a
degree (measured in tests/memory/test_tokens.py), and what moments are found by stays exact.
"""

from __future__ import annotations

import mmap
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load
from safetensors.numpy import save as _save

from hicom_agent.types import Clip, CompressedClip

save: Callable[[dict[str, NDArray[Any]]], bytes] = _save  # it has no types
Floats = NDArray[np.float32]


def pack_clip(clip: CompressedClip) -> bytes:
    """Return a compressed clip as bytes from which `unpack_clip` restores it."""
    scales = np.maximum(np.abs(clip.tokens).max(axis=1, initial=0.0), 1e-20) / 127
    return save(
        {
            "tokens": np.round(clip.tokens / scales[:, None]).astype(np.int8),
            "scales": scales.astype(np.float32),
            "times_s": np.asarray(clip.times_s, np.float32),
            "frame_relevance": np.ascontiguousarray(clip.frame_relevance, np.float32),
            "patch_attention": np.ascontiguousarray(clip.patch_attention).astype(np.float16),
            "group_relevance": np.ascontiguousarray(clip.group_relevance, np.float32),
            "attended": np.ascontiguousarray(clip.attended).astype(np.float16),
        }
    )


def unpack_clip(data: bytes, clip: Clip) -> CompressedClip:
    """Return the compressed clip that was packed; raises ValueError for other bytes."""
    arrays = _load(data)
    try:
        groups = arrays["group_relevance"]
        return CompressedClip(
            clip=clip,
            times_s=arrays["times_s"],
            tokens=arrays["tokens"].astype(np.float32) * arrays["scales"][:, None],
            frame_relevance=arrays["frame_relevance"],
            patch_attention=arrays["patch_attention"].astype(np.float32),
            group_relevance=groups,
            attended=arrays["attended"].astype(np.float32),
            score=float(groups.max()),
        )
    except KeyError as error:
        raise ValueError(f"no compressed clip: {error} is missing") from error


def pack_tokens(tokens: Floats) -> bytes:
    """Return tokens [n, d] that a language model reads, in half precision, as it computes."""
    return save({"tokens": np.ascontiguousarray(tokens, np.float16)})


def unpack_tokens(data: bytes) -> Floats:
    """Return the tokens [n, d]; raises ValueError for other bytes."""
    arrays = _load(data)
    if "tokens" not in arrays:
        raise ValueError("no tokens")
    return arrays["tokens"].astype(np.float32)


def _load(data: bytes) -> dict[str, NDArray[Any]]:
    try:
        return dict(load(data))
    except SafetensorError as error:
        raise ValueError(str(error)) from error


class TokenFile:
    """One file of entries; what is read is checked, and what is not whole is as if it were not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._map: mmap.mmap | None = None

    def append(self, entries: Sequence[bytes]) -> list[tuple[int, int, int]]:
        """Write entries at the end; return place, size and CRC-32 of each. One process at a time.

        Nothing waits for the disk: after a loss of power an entry that is not whole is not used.
        """
        places = []
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            at = file.seek(0, os.SEEK_END)
            for data in entries:
                file.write(data)
                places.append((at, len(data), zlib.crc32(data)))
                at += len(data)
        return places

    def read(self, at: int, size: int, crc: int) -> bytes | None:
        """Return an entry, None if it is not there as it was written."""
        if self._map is None or at + size > len(self._map):
            self._open()
        if self._map is None or at + size > len(self._map):
            return None
        data = self._map[at : at + size]
        return data if zlib.crc32(data) == crc else None

    def num_bytes(self) -> int:
        """Return the size of the file."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def close(self) -> None:
        """Let go of the file."""
        if self._map is not None:
            self._map.close()
            self._map = None

    def _open(self) -> None:
        self.close()
        try:
            with self.path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (FileNotFoundError, ValueError):  # an empty file cannot be mapped
            self._map = None
