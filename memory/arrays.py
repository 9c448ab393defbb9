"""The arrays of one committed generation: vectors whole, packed patch features by row, thumbnails; all checked."""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from hicom_agent.errors import StoreCorrupt
from hicom_agent.memory.generations import check_file, read_manifest, read_meta, unit
from hicom_agent.memory.table import Table, make_table

_open_file: Any = safe_open  # it has no types
Floats = NDArray[np.float32]


class Generation:
    """The arrays of one generation; what is read is checked: whole files once, rows and thumbnails each time."""

    def __init__(self, folder: Path, manifest_sha256: str) -> None:
        """Open a generation; raises StoreCorrupt unless it is the one with this manifest."""
        self.folder = folder
        self._manifest = read_manifest(folder)
        if self._manifest.sha256 != manifest_sha256:
            raise StoreCorrupt(f"{folder} is not what the catalogue names; run hicom-agent doctor --repair")
        check_file(folder, self._manifest, "vectors.safetensors")
        for name in ("patches.safetensors", "thumbs.bin"):
            check_file(folder, self._manifest, name, only_size=True)
        try:
            self._vectors = _open_file(folder / "vectors.safetensors", framework="numpy")
            self._patches = _open_file(folder / "patches.safetensors", framework="numpy")
        except SafetensorError as error:
            raise StoreCorrupt(f"{folder} cannot be read: {error}; run hicom-agent doctor --repair") from error
        self._small = {n: self._vectors.get_tensor(n) for n in self._vectors.keys() if "." in n}  # noqa: SIM118
        self._packed = sorted(self._patches.keys())

    def vectors(self, kind: str) -> Floats:
        """Return the vectors [n, e] of a kind, n = 0 if there are none."""
        if kind == "clips":
            return self._clips()[1]
        if kind not in self._vectors.keys():  # noqa: SIM118 - the file is no mapping
            return np.zeros((0, 0), np.float32)
        return np.asarray(self._vectors.get_tensor(kind), np.float32)

    def table(self, kind: str) -> Table | None:
        """Return the vectors of a kind and what entry each is of, None if there are none."""
        if kind == "clips":
            entries, vectors = self._clips()
        else:
            vectors = self.vectors(kind)
            entries = self._small["rows.kept"] if kind == "frames" else range(len(vectors))
        return make_table(entries, vectors) if len(vectors) else None

    def _clips(self) -> tuple[Sequence[int], Floats]:
        """Return which clips have frames with vectors, and their mean directions [n, e]."""
        frames = self.vectors("frames")
        if not len(frames):
            return [], frames
        meta = read_meta(self.folder, self._manifest)
        rows = frames[self._rows_for(range(self.num_frames))]  # one for each sampled frame
        times_s = [time_s for time_s, *_ in meta["frames"]]
        means = {
            index: rows[first:after].mean(axis=0)
            for index, start_s, end_s in meta["clips"]
            if (first := bisect_left(times_s, start_s)) < (after := bisect_left(times_s, end_s))
        }
        vectors = unit(np.stack(list(means.values()))) if means else frames[:0]
        return list(means), vectors.astype(np.float16).astype(np.float32)  # as all others are kept

    @property
    def num_frames(self) -> int:
        """Return how many frames were sampled."""
        return len(self._small["rows.shown_by"])

    def features(self, frames: Sequence[int]) -> dict[str, NDArray[Any]]:
        """Return every packed array with one row for each of `frames`; only those rows are read."""
        rows = self._rows_for(frames)
        return {name: self._read_rows(name, rows) for name in self._packed}

    def _rows_for(self, frames: Sequence[int]) -> list[int]:
        """Return the row of each frame; one that was not kept has the row of the kept one that shows the same."""
        wrong = [frame for frame in frames if not 0 <= frame < self.num_frames]
        if wrong:
            raise ValueError(f"no frame {wrong[0]} in {self.folder}; there are {self.num_frames}, counted from 0")
        shown_by = self._small["rows.shown_by"][np.asarray(frames, np.int64)]
        return [int(row) for row in np.searchsorted(self._small["rows.kept"], shown_by)]

    def _read_rows(self, name: str, rows: Sequence[int]) -> NDArray[Any]:
        table = self._patches.get_slice(name)
        parts = [table[start:stop] for start, stop in _runs(rows)]
        array = np.concatenate(parts) if parts else table[0:0]
        checks = self._small[f"crc.{name}"]
        for row, data in zip(rows, array, strict=True):
            if zlib.crc32(data.tobytes()) != checks[row]:
                where = f"{self.folder / 'patches.safetensors'} row {row} of {name}"
                raise StoreCorrupt(f"{where} is not what was written; run hicom-agent doctor --repair")
        return array

    def thumbnail(self, frame: int) -> bytes:
        """Return the JPEG of a frame, or of the kept one that shows the same."""
        [row] = self._rows_for([frame])
        ends = self._small["rows.thumb_ends"]
        start = int(ends[row - 1]) if row else 0
        with (self.folder / "thumbs.bin").open("rb") as file:
            file.seek(start)
            data = file.read(int(ends[row]) - start)
        if zlib.crc32(data) != self._small["crc.thumbs"][row]:
            where = f"{self.folder / 'thumbs.bin'} at {start}"
            raise StoreCorrupt(f"{where} is not what was written; run hicom-agent doctor --repair")
        return data


def _runs(rows: Sequence[int]) -> list[tuple[int, int]]:
    """Return stretches [start, stop) of neighbouring rows, in the order of `rows`.

    >>> _runs([4, 5, 6, 9, 2])
    [(4, 7), (9, 10), (2, 3)]
    """
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and runs[-1][1] == row:
            runs[-1] = (runs[-1][0], row + 1)
        else:
            runs.append((row, row + 1))
    return runs
