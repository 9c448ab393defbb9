"""The loss of a run as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from hicom_agent.draw import FAINT, GRID, INK, LEFT, LINE, PLOT, RIGHT, TOP, WIDTH, write_text

BOTTOM = 44
SMOOTH = 20  # of so many parts of a run, the mean is drawn over the single steps


def draw_loss(lines: Sequence[Mapping[str, Any]], title: str) -> bytes:
    """Return the loss of logged steps as a PNG: each step faintly, and over it the mean of its neighbours."""
    page = np.full((TOP + PLOT + BOTTOM, WIDTH, 3), 255, np.uint8)
    write_text(page, title, (LEFT, 34), 0.75, INK)
    steps = np.array([line["step"] for line in lines], np.float64)
    losses = np.array([line["loss"] for line in lines], np.float64)
    kept = np.isfinite(losses)
    steps, losses = steps[kept], losses[kept]
    if not len(steps):
        write_text(page, "no step was logged", (LEFT, 62), 0.45, FAINT)
        return bytes(cv2.imencode(".png", page)[1].tobytes())
    write_text(page, f"{losses[0]:.4g} at first, {losses[-1]:.4g} at last", (LEFT, 62), 0.45, FAINT)
    top = float(losses.max()) or 1.0
    for level in np.linspace(0, top, 5):
        y = round(TOP + PLOT * (1 - level / top))
        cv2.line(page, (LEFT, y), (WIDTH - RIGHT, y), GRID, 1)
        write_text(page, f"{level:.3g}", (LEFT - 8, y + 5), 0.4, FAINT, align=1.0)
    span = max(1.0, float(steps[-1] - steps[0]))
    x = LEFT + (steps - steps[0]) / span * (WIDTH - LEFT - RIGHT)
    width = max(1, len(losses) // SMOOTH)
    weights = np.convolve(np.ones(len(losses)), np.ones(width), "same")
    smooth = np.convolve(losses, np.ones(width), "same") / weights
    for values, colour, thick in ((losses, FAINT, 1), (smooth, LINE, 2)):
        points = np.stack([x, TOP + PLOT * (1 - values / top)], -1).round().astype(np.int32)
        cv2.polylines(page, [points[:, None]], False, colour, thick, cv2.LINE_AA)
    for share in (0.0, 0.5, 1.0):
        at = round(LEFT + share * (WIDTH - LEFT - RIGHT))
        write_text(page, f"step {steps[0] + share * span:.0f}", (at, TOP + PLOT + 24), 0.45, FAINT, align=share)
    return bytes(cv2.imencode(".png", page)[1].tobytes())
