"""Turn decoded frames into pictures: upright, square pixels, 8 bits. Runs in the decoding process."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, cast

import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc, Interpolation, VideoReformatter

from hicom_agent.video.plan import GLIMPSE_SIDE_PX

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

_KEPT = 8  # reformatters; a film has one shape, a hostile one may change it with every frame
# BT.2020 to BT.709 primaries, linear light (ITU-R BT.2087, inverse).
_TO_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)
_WHITE_NITS = 203.0  # of paper in HDR (ITU-R BT.2408)
_PEAK = 1000.0 / _WHITE_NITS


class Shaper:
    """Make pictures of frames; keeps what FFmpeg prepares for a shape, which costs more than a picture."""

    def __init__(self, side_px: int) -> None:
        self._side_px = side_px
        self._reformatters: dict[tuple[object, ...], VideoReformatter] = {}

    def glimpse(self, frame: VideoFrame) -> Picture:
        """Return the frame as it is coded, longest side 64: [h, w, 3] BGR.

        Averaged over areas: sampled points flicker with every bit of noise, and one picture in five costs little.
        """
        scale = GLIMPSE_SIDE_PX / max(frame.width, frame.height)
        size = (max(1, round(frame.width * scale)), max(1, round(frame.height * scale)))
        return self._scaled(frame, size, "bgr24")

    def picture(self, frame: VideoFrame, sar: Fraction | None) -> Picture:
        """Return the frame as a player shows it, longest side at most `side_px`: [h, w, 3] RGB."""
        picture = self._scaled(frame, fit(shown_size(frame, sar), self._side_px), "rgb24")
        if frame.color_trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67):
            picture = tone_mapped(picture, frame.color_trc, frame.color_primaries)
        return upright(picture, frame)

    def _scaled(self, frame: VideoFrame, size: tuple[int, int], pix_fmt: str) -> Picture:
        shape = (frame.width, frame.height, frame.format.name, pix_fmt)
        if shape not in self._reformatters:
            if len(self._reformatters) >= _KEPT:
                self._reformatters.pop(next(iter(self._reformatters)))
            self._reformatters[shape] = VideoReformatter()
        small = self._reformatters[shape].reformat(
            frame,
            *size,
            format=pix_fmt,
            src_colorspace=_colorspace(frame),
            interpolation=Interpolation.AREA,
            threads=1,
        )
        rows: Picture = np.frombuffer(memoryview(small.planes[0]), np.uint8).reshape(size[1], -1)
        return rows[:, : size[0] * 3].reshape(size[1], size[0], 3)


def shown_size(frame: VideoFrame, sar: Fraction | None) -> tuple[int, int]:
    """Return width and height with square pixels, before rotation; the shorter side keeps its size."""
    sar = sar if sar and Fraction(1, 20) < sar < 20 else Fraction(1)
    return (round(frame.width * sar), frame.height) if sar >= 1 else (frame.width, round(frame.height / sar))


def fit(size: tuple[int, int], side_px: int) -> tuple[int, int]:
    """Return the size scaled down so that neither side is longer than `side_px`."""
    scale = min(1.0, side_px / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def turns(frame: VideoFrame) -> tuple[int, bool]:
    """Return how to make the frame upright: quarter turns counterclockwise, after mirroring left to right or not.

    From the display matrix [[a, b, u], [c, d, v], [x, y, w]]: a point of the frame goes to (ax + cy, bx + dy).
    Angles that are no multiple of 90 degrees are left alone, as players do.
    """
    found = cast("dict[Type, bytes]", frame.side_data).get(Type.DISPLAYMATRIX, b"")  # it says that its keys are str
    data = memoryview(found).tobytes()
    if len(data) != 36:
        return 0, False
    a, b, _, c, d = np.sign(np.frombuffer(data, np.int32)[:5]).tolist()
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    return {(1, 0): 0, (0, -1): 1, (-1, 0): 2, (0, 1): 3}.get((a, b), 0), mirrored


def upright(picture: Picture, frame: VideoFrame) -> Picture:
    """Return the picture turned as its frame asks for."""
    quarters, mirrored = turns(frame)
    if mirrored:
        picture = picture[:, ::-1]
    return np.ascontiguousarray(np.rot90(picture, quarters))


def tone_mapped(picture: Picture, transfer: int, primaries: int) -> Picture:
    """Return an HDR picture (PQ or HLG code values in 8 bits) as an ordinary one, RGB in and out.

    Highlights up to 1000 nits are rolled off, diffuse white stays bright (extended Reinhard).
    FFmpeg's own conversion is not used: it took 8 s to prepare for each shape, and clips at diffuse white.
    """
    light = _linear(transfer)[picture]
    if primaries == ColorPrimaries.BT2020:
        light = np.maximum(light @ _TO_709.T, 0)
    luma = light @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    gain = (1 + luma / _PEAK**2) / (1 + luma)
    return (np.clip(light * gain[..., None], 0, 1) ** (1 / 2.2) * 255 + 0.5).astype(np.uint8)


@cache
def _linear(transfer: int) -> NDArray[np.float32]:
    """Return the light of the 256 code values, 1 = diffuse white."""
    value = np.arange(256, dtype=np.float64) / 255
    if transfer == ColorTrc.SMPTE2084:  # SMPTE ST 2084
        power = value ** (1 / 78.84375)
        nits = 10000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
    else:  # HLG, ITU-R BT.2100, on a display of 1000 nits
        scene = np.where(value <= 0.5, value**2 / 3, (np.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12)
        nits = 1000 * scene**1.2
    return (nits / _WHITE_NITS).astype(np.float32)


def _colorspace(frame: VideoFrame) -> Colorspace | None:
    """Return the matrix to assume where the frame does not say: players take BT.709 for HD."""
    unsaid = frame.colorspace not in (0, 1, 4, 5, 6, 7, 9, 10)
    return Colorspace.ITU709 if unsaid and frame.height >= 720 else None
