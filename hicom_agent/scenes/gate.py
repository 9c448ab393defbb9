"""Which sampled frames show something that no earlier one of the video showed, and how they look to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import cv2
import numpy as np

from hicom_agent.types import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hicom_agent.types import Picture

GRID = (32, 18)  # blocks across and down, whatever the picture's shape
COARSE = (4, 2)  # groups of blocks, for a first look
NEW = 18  # difference of one block, of 255, that makes a frame new
LIGHT = 48  # difference of the whole picture's light or tint that does
NEAREST = 64  # earlier frames, alike at a first look, that are compared block by block
HALF = 2  # signatures count in steps of this, so that differences of both signs fit a byte


class ChangeGate:
    """Tells frames that show something new from those that an earlier one shows, however long ago.

    Two frames show the same if no block differs by NEW or more: a small thing in a corner counts; noise, which
    averages out over a block, does not, nor does a camera that adapts its exposure.
    """

    def __init__(self, state: Mapping[str, NDArray[np.generic]] | None = None) -> None:
        """Begin with nothing seen, or with what `state` returned, which may be joined from several parts."""
        num_values = 3 * (GRID[0] * GRID[1] + 1)
        self._num = 0
        self._index = np.zeros(64, np.int64)
        self._fine = np.zeros((64, num_values), np.uint8)
        self._coarse = np.zeros((3 * (COARSE[0] * COARSE[1] + 1), 64), np.uint8)  # frames last: the fast way to reduce
        if state is not None:
            for index, fine in zip(state["index"].tolist(), state["signatures"], strict=True):
                self._keep(index, fine)

    def __len__(self) -> int:
        """Return how many frames were new."""
        return self._num

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return arrays with one row for each frame that was new: its `index` and its `signatures`."""
        return {"index": self._index[: self._num].copy(), "signatures": self._fine[: self._num].copy()}

    def add(self, frame: Frame, index: int) -> tuple[int, float]:
        """Return the index of the frame that shows the same, its own if it is new, and its novelty.

        `index` counts the sampled frames of the video. The novelty is the largest difference of a block, 0 to 1, to
        the nearest earlier frame by this measure (of a new one: the nearest of those that are alike at a first look);
        it is 1 for the first.
        """
        fine = _signature(frame.picture)
        if self._num == 0:
            self._keep(index, fine)
            return index, 1.0
        row, difference = self._nearest(fine)
        if difference < NEW:
            return int(self._index[row]), difference / 255
        self._keep(index, fine)
        return index, difference / 255

    def _nearest(self, fine: NDArray[np.uint8]) -> tuple[int, int]:
        """Return the row of the nearest earlier frame and its difference.

        A difference of means over blocks is never larger than the largest difference of a block (but for rounding).
        So no frame that shows the same is missed, and of hours of others only a few are looked at closely.
        """
        bound = _differences(self._coarse[:, : self._num], _coarse(fine)[:, None]).max(axis=0)
        rows = np.flatnonzero(bound <= NEW // HALF + 1)
        if len(rows) < NEAREST:
            rows = np.argpartition(bound, NEAREST)[:NEAREST] if self._num > NEAREST else np.arange(self._num)
        best_row, best = -1, 256
        for i in range(0, len(rows), NEAREST):
            some = rows[i : i + NEAREST]
            differences = _differences(self._fine[some], fine).max(axis=1)
            if differences.min() < best:
                best_row, best = int(some[differences.argmin()]), int(differences.min())
        return best_row, min(255, HALF * best)

    def _keep(self, index: int, fine: NDArray[np.uint8]) -> None:
        if self._num == len(self._index):
            self._index = np.concatenate([self._index, np.zeros_like(self._index)])
            self._fine = np.concatenate([self._fine, np.zeros_like(self._fine)])
            self._coarse = np.concatenate([self._coarse, np.zeros_like(self._coarse)], axis=1)
        self._index[self._num], self._fine[self._num], self._coarse[:, self._num] = index, fine, _coarse(fine)
        self._num += 1


def thumbnail(frame: Frame, side_px: int = 512, quality: int = 70) -> bytes:
    """Return the frame as a JPEG, longest side at most `side_px`."""
    height, width = frame.picture.shape[:2]
    scale = min(1.0, side_px / max(height, width))
    picture = frame.picture
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    assert done
    return bytes(data)


def _signature(picture: Picture) -> NDArray[np.uint8]:
    """Return brightness and colour of GRID blocks against the picture's medians, and these, as bytes [n].

    The medians are scaled so that a difference of LIGHT in them weighs as much as one of NEW in a block.
    """
    small = cv2.resize(picture, GRID, interpolation=cv2.INTER_AREA)
    blocks = cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb).reshape(-1, 3)
    middle = len(blocks) // 2
    light = np.partition(blocks.T.copy(), middle, axis=1)[:, middle].astype(np.float32)  # 10 times as fast as median
    values = np.concatenate([((blocks - light) / HALF + 128).ravel(), light * (NEW / LIGHT / HALF)])
    signature: NDArray[np.uint8] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return signature


def _differences(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return |left - right| in bytes, which would wrap around in a plain difference."""
    larger: NDArray[np.uint8] = np.maximum(left, right)
    return larger - np.minimum(left, right)


def _coarse(fine: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the means over COARSE groups of blocks, and the medians [n]."""
    width, height = GRID
    across, down = COARSE
    grouped = fine[:-3].reshape(down, height // down, across, width // across, 3)
    means = np.rint(grouped.mean(axis=(1, 3), dtype=np.float32)).astype(np.uint8)
    return np.concatenate([means.ravel(), fine[-3:]])
