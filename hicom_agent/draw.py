"""Pictures for people and agents: a JPEG made small, heat laid over it, and a curve over a film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from hicom_agent.types import clean_text, timecode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hicom_agent.types import Floats, Picture

# ---------------------------------------------------------------------- a frame


def shrink(jpeg: bytes, max_side: int, max_bytes: int) -> bytes:
    """Return a JPEG of at most this size; one that is small enough stays as it is."""
    image = _read(jpeg)
    if max(image.shape[:2]) <= max_side and len(jpeg) <= max_bytes:
        return jpeg
    side = min(max_side, max(image.shape[:2]))
    while True:
        scale = side / max(image.shape[:2])
        data = _as_jpeg(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), 80)
        if len(data) <= max_bytes or side <= 64:
            return data
        side = side * 3 // 4


STRONGEST = 0.8  # how much of the picture full heat covers
DIMMED = 0.8  # brightness of the picture where nothing answers


def paint_heat(jpeg: bytes, heat: NDArray[np.floating], quality: int = 88) -> bytes:
    """Return the JPEG with heat [h, w], 0 to 1, laid over it, as large as it was: dark, violet, orange, yellow.

    The colours differ in brightness too, so that they can be told apart by everybody; heat of 0 lets the picture
    through. The grid covers the whole picture.
    """
    picture = _read(jpeg)
    height, width = picture.shape[:2]
    smooth = np.clip(cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    colours = cv2.applyColorMap(np.round(255 * smooth).astype(np.uint8), cv2.COLORMAP_INFERNO)
    share = (STRONGEST * smooth)[..., None]
    mixed = (DIMMED * (1 - share) * picture + share * colours).astype(np.uint8)
    return _as_jpeg(mixed, quality)


def _read(jpeg: bytes) -> Picture:
    picture: Picture | None = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"need a JPEG, got {len(jpeg)} bytes that are none")
    return picture


def _as_jpeg(picture: Picture, quality: int) -> bytes:
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


# ---------------------------------------------------------------------- a curve

WIDTH, LEFT, RIGHT, TOP, PLOT, AXIS = 1280, 56, 24, 86, 240, 44  # pixels
THUMB_W, THUMB_H, CAPTION = 190, 112, 28
INK, FAINT, GRID = (40, 32, 28), (130, 124, 120), (232, 228, 226)  # BGR
LINE, AREA, SHADE = (140, 74, 20), (240, 222, 200), (160, 222, 255)
TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
NUM_TICKS = 12


@dataclass(frozen=True, slots=True)
class Curve:
    """What a curve over a film shows."""

    title: str
    below: str  # a line in small print under the title
    duration_s: float
    times_s: Floats  # [t]
    values: Floats  # [t], 0 to 1
    threshold: float
    spans_s: Sequence[tuple[float, float]]  # shaded
    borders_s: Sequence[float]  # of clips, as ticks
    pictures: Sequence[tuple[float, float, bytes]]  # time, value and JPEG of frames shown below, by time


def draw_curve(curve: Curve) -> bytes:
    """Return the curve as a PNG of `WIDTH` pixels."""
    strip = THUMB_H + CAPTION if curve.pictures else 0
    page = np.full((TOP + PLOT + AXIS + strip, WIDTH, 3), 255, np.uint8)
    for start_s, end_s in curve.spans_s:
        cv2.rectangle(page, (_x(curve, start_s), TOP), (_x(curve, end_s), TOP + PLOT), SHADE, -1)
    for level in (0.0, 0.5, 1.0):
        cv2.line(page, (LEFT, _y(level)), (WIDTH - RIGHT, _y(level)), GRID, 1)
        write_text(page, f"{level:g}", (LEFT - 10, _y(level) + 5), 0.45, FAINT, align=1.0)
    _draw_values(page, curve)
    _dash(page, _y(curve.threshold))
    _draw_axis(page, curve)
    write_text(page, _fit(curve.title, 0.75), (LEFT, 34), 0.75, INK)
    write_text(page, _fit(curve.below, 0.45), (LEFT, 62), 0.45, FAINT)
    for slot, picture in enumerate(curve.pictures):
        _draw_picture(page, curve, slot, *picture)
    return bytes(cv2.imencode(".png", page)[1].tobytes())


def _x(curve: Curve, time_s: float) -> int:
    return LEFT + round((WIDTH - LEFT - RIGHT) * min(1.0, time_s / max(curve.duration_s, 1e-3)))


def _y(value: float) -> int:
    return TOP + round(PLOT * (1 - value))


def _draw_values(page: Picture, curve: Curve) -> None:
    """Draw each value until the next frame was sampled, for a frame stands until then."""
    after_s = [*curve.times_s.tolist(), curve.duration_s][1:]
    points = [(_x(curve, 0.0), _y(0.0))]
    for time_s, end_s, value in zip(curve.times_s.tolist(), after_s, curve.values.tolist(), strict=True):
        points += [(_x(curve, time_s), _y(value)), (_x(curve, end_s), _y(value))]
    points.append((points[-1][0], _y(0.0)))
    outline = np.array(points, np.int32)
    area = cv2.fillPoly(page.copy(), [outline], AREA)
    cv2.addWeighted(area, 0.6, page, 0.4, 0, dst=page)
    cv2.polylines(page, [outline], False, LINE, 1, cv2.LINE_AA)


def _dash(page: Picture, y: int) -> None:
    for x in range(LEFT, WIDTH - RIGHT, 12):
        cv2.line(page, (x, y), (min(x + 6, WIDTH - RIGHT), y), FAINT, 1)


def _draw_axis(page: Picture, curve: Curve) -> None:
    bottom = TOP + PLOT
    for border_s in curve.borders_s:
        cv2.line(page, (_x(curve, border_s), bottom + 1), (_x(curve, border_s), bottom + 5), FAINT, 1)
    cv2.line(page, (LEFT, bottom), (WIDTH - RIGHT, bottom), INK, 1)
    step_s = next((step for step in TICKS_S if curve.duration_s / step <= NUM_TICKS), TICKS_S[-1])
    for time_s in range(0, int(curve.duration_s) + 1, step_s):
        x = _x(curve, time_s)
        cv2.line(page, (x, bottom), (x, bottom + 9), INK, 1)
        write_text(page, short_time(time_s, curve.duration_s), (x, bottom + 26), 0.45, INK, align=0.5)


def _draw_picture(page: Picture, curve: Curve, slot: int, time_s: float, value: float, jpeg: bytes) -> None:
    picture = _read(jpeg)
    scale = min(THUMB_W / picture.shape[1], THUMB_H / picture.shape[0])
    size = (max(1, round(scale * picture.shape[1])), max(1, round(scale * picture.shape[0])))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    each = (WIDTH - LEFT - RIGHT) / len(curve.pictures)
    middle, top = round(LEFT + each * (slot + 0.5)), TOP + PLOT + AXIS
    left = middle - size[0] // 2
    page[top : top + size[1], left : left + size[0]] = small
    cv2.line(page, (_x(curve, time_s), TOP + PLOT + 32), (middle, top - 2), FAINT, 1, cv2.LINE_AA)
    cv2.circle(page, (_x(curve, time_s), _y(value)), 4, LINE, -1, cv2.LINE_AA)
    words = f"{short_time(time_s, curve.duration_s)}   {value:.2f}"
    write_text(page, words, (middle, top + THUMB_H + 18), 0.45, INK, align=0.5)


def short_time(time_s: float, duration_s: float) -> str:
    """Return a time as M:SS, or as HH:MM:SS in a film of an hour or more.

    >>> short_time(65, 600), short_time(65, 3600)
    ('1:05', '00:01:05')
    """
    return timecode(time_s) if duration_s >= 3600 else f"{int(time_s) // 60}:{int(time_s) % 60:02d}"


def write_text(page: Picture, text: str, at: tuple[int, int], scale: float, colour: Any, *, align: float = 0.0) -> None:
    """Write on one line; `align` is the part of its width that stands left of `at`."""
    width = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]
    where = (round(at[0] - align * width), at[1])
    cv2.putText(page, text, where, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)


def _fit(text: str, scale: float) -> str:
    """Return the text as plain words that fit into one line."""
    text = clean_text(text)[: WIDTH // 4]
    while text and cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0] > WIDTH - LEFT - RIGHT:
        text = text.removesuffix("...")[:-1].rstrip() + "..."
    return text
