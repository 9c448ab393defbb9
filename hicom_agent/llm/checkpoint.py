"""A folder of safetensors: which tensors it has, checked before any is read, then read one by one.

Headers are read by hand, so that a cut or damaged file is told by the name of a tensor before memory is spent.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from hicom_agent.errors import SetupError

MAX_HEADER_BYTES = 100_000_000
_SAMPLE_BYTES, _SAMPLES = 1 << 20, 256
_META = "__metadata__"
_BITS = {"F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "F16": 16, "BF16": 16, "I8": 8, "U8": 8, "BOOL": 8}


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a tensor lies."""

    file: Path
    shape: tuple[int, ...]
    stored: str = ""  # its name in the file, where that is another one


class Checkpoint:
    """The config and the tensors of a model's folder; tensors are read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        """Read config and headers; raises SetupError for what is missing, cut or damaged."""
        self.folder = folder
        self.config = read_json(folder / "config.json")
        self.entries: dict[str, Entry] = {}
        self._files = _find_files(folder)
        for file in self._files:
            for name, entry in _read_header(file):
                if name in self.entries:
                    raise SetupError(f"{file}: {name} is also in {self.entries[name].file.name}")
                self.entries[name] = entry

    def read(self, names: Iterable[str], device: str | torch.device = "cpu") -> Iterator[tuple[str, Tensor]]:
        """Yield the tensors of these names, file by file, each straight to `device` in its stored type."""
        wanted: dict[Path, list[str]] = {}
        for name in names:
            wanted.setdefault(self.entries[name].file, []).append(name)
        for file, inside in wanted.items():
            try:
                with safe_open(str(file), "pt", device=str(device)) as tensors:
                    for name in inside:
                        yield name, tensors.get_tensor(self.entries[name].stored or name)
            except (OSError, SafetensorError) as error:
                raise SetupError(f"{file} cannot be read: {error}; fetch it again") from error

    def fingerprint(self) -> str:
        """Return eight hex digits that tell one checkpoint from another: config, headers, samples of the weights."""
        digest = hashlib.sha256(json.dumps(self.config, sort_keys=True).encode())
        for file in self._files:
            with file.open("rb") as data:
                digest.update(data.read(_SAMPLE_BYTES))
                size = file.stat().st_size
                for part in range(_SAMPLES + 1):
                    data.seek(max(0, part * size // _SAMPLES - _SAMPLE_BYTES // _SAMPLES))
                    digest.update(data.read(_SAMPLE_BYTES // _SAMPLES))
        return digest.hexdigest()[:8]


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; raises SetupError."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise SetupError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise SetupError(f"{path}: need an object, got {type(found).__name__}")
    return found


def _find_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        found = read_json(index).get("weight_map")
        places: dict[str, Any] = found if isinstance(found, dict) else {}
        names = sorted({str(name) for name in places.values()})
        if not names or not all(Path(name).name == name for name in names):
            raise SetupError(f"{index}: need file names of this folder under 'weight_map'")
        files = [folder / name for name in names]
        for file in files:
            if not file.is_file():
                lost = next((tensor for tensor, name in places.items() if name == file.name), "some tensors")
                raise SetupError(f"{file} is missing, which holds {lost}; fetch it again")
        return files
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise SetupError(f"no .safetensors in {folder}; other formats are not read, as they can run code")
    return files


def _read_header(file: Path) -> Iterator[tuple[str, Entry]]:
    """Yield every tensor of a file, after a check that the file holds all its bytes."""
    size = file.stat().st_size
    try:
        with file.open("rb") as data:
            (length,) = struct.unpack("<Q", data.read(8))
            if length > min(size - 8, MAX_HEADER_BYTES):
                raise ValueError(f"its header would have {length} bytes")
            parts = _parse_header(data.read(length))
        entries = []
        for name, dtype, shape, start, end in parts:
            if 8 + length + end > size:
                raise _Short(f"is cut short: {name} ends at byte {8 + length + end} of {size}")
            if dtype not in _BITS or min(shape, default=0) < 0 or (end - start) * 8 != _product(shape) * _BITS[dtype]:
                raise ValueError(f"{name} has {end - start} bytes for {shape} of {dtype}")
            entries.append((name, Entry(file, tuple(shape))))
    except _Short as error:
        raise SetupError(f"{file} {error}; fetch it again") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, struct.error) as error:
        raise SetupError(f"{file} is damaged: {error}; fetch it again") from error
    yield from entries


class _Short(Exception):
    """Say what is missing at the end of a file."""


def _parse_header(text: bytes) -> list[tuple[str, str, list[int], int, int]]:
    """Return name, type, shape, first byte and end of each tensor."""
    tensors = {name: part for name, part in json.loads(text, object_pairs_hook=_once).items() if name != _META}
    found = [(name, part["dtype"], part["shape"], *part["data_offsets"]) for name, part in tensors.items()]
    return sorted(((name, dtype, shape, start, end) for name, dtype, shape, start, end in found), key=lambda x: x[3])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in its header")
    return found


def _product(shape: Iterable[int]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total
