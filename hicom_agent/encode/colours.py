"""Which of eleven colour names fills how much of each cell: what a classifier of things does not tell."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

COLOURS = ("black", "grey", "white", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
ALIASES = {
    "gray": "grey", "silver": "grey", "dark": "black", "beige": "brown", "tan": "brown", "violet": "purple",
    "magenta": "pink", "turquoise": "blue", "cyan": "blue", "navy": "blue", "golden": "yellow", "blond": "yellow",
    "blonde": "yellow", "scarlet": "red", "crimson": "red", "maroon": "red",
}  # fmt: skip
_BITS = 5  # of each channel that the table looks at
_HUES = ((8, "red"), (20, "orange"), (34, "yellow"), (85, "green"), (130, "blue"), (150, "purple"), (170, "pink"))


def find_colours(words: list[str]) -> dict[int, str]:
    """Return the colours named among `words`, by their position."""
    named = {i: ALIASES.get(word, word) for i, word in enumerate(words)}
    return {i: name for i, name in named.items() if name in COLOURS}


def share_colours(pictures: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.float32]:
    """Return the share of each colour in each cell, [t, rows, columns, 11], of RGB [t, H, W, 3]; every second pixel."""
    t, height, width, _ = pictures.shape
    few = pictures[:, ::2, ::2] >> (8 - _BITS)
    names = _name_table()[few[..., 0], few[..., 1], few[..., 2]].astype(np.int64)  # [t, H/2, W/2]
    cells = names.reshape(t, rows, height // rows // 2, columns, width // columns // 2).transpose(0, 1, 3, 2, 4)
    cells = cells.reshape(t * rows * columns, -1)
    where = cells + len(COLOURS) * np.arange(len(cells))[:, None]
    counts = np.bincount(where.ravel(), minlength=len(cells) * len(COLOURS))
    shares: NDArray[np.float32] = (counts.reshape(t, rows, columns, -1) / cells.shape[1]).astype(np.float32)
    return shares


@cache
def _name_table() -> NDArray[np.uint8]:
    """Return the colour of each RGB triple of `_BITS` bits, [32, 32, 32]."""
    levels = (np.arange(2**_BITS, dtype=np.float32) + 0.5) * 2 ** (8 - _BITS)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).astype(np.uint8)
    hsv = cv2.cvtColor(cube.reshape(1, -1, 3), cv2.COLOR_RGB2HSV)[0]
    return np.array([COLOURS.index(_name(*pixel)) for pixel in hsv.tolist()], np.uint8).reshape(cube.shape[:3])


def _name(hue: int, saturation: int, value: int) -> str:
    """Return the name of a colour in OpenCV's units: hue 0 to 179, the others 0 to 255."""
    if value < 45:
        return "black"
    if saturation < 45 or (saturation < 80 and value < 80):
        return "white" if value > 190 else "grey" if value > 65 else "black"
    name = next((name for limit, name in _HUES if hue < limit), "red")
    if name in ("red", "orange", "yellow") and value < 140 and not (name == "red" and saturation > 150):
        return "brown" if hue < 28 or name == "orange" else name
    return "pink" if name == "red" and saturation < 120 and value > 170 else name
