"""Pictures and frames of videos for training, read as carefully as everything that others made."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hicom_agent.errors import InputError, SetupError, VideoUnreadable
from hicom_agent.video import Limits, open_video, probe, read_frames

if TYPE_CHECKING:
    from hicom_agent.types import Picture

MAX_PICTURE_BYTES = 128 * 2**20
MAX_PICTURE_PX = 64_000_000
FORMATS = ("JPEG", "PNG", "WEBP")
SIDE_PX = 768  # longest side of frames: twice what the tower reads
_LIMITS = Limits(memory_bytes=2 * 2**30, cpu_s=600)


def moments(num_frames: int, start_s: float, end_s: float) -> list[float]:
    """Return the middles of as many equal parts of a stretch.

    Source: specification of HICom, section 4; there by number of the frame, here by time, so that films whose frames
    come at odd times are sampled evenly too.

    >>> moments(4, 0.0, 8.0)
    [1.0, 3.0, 5.0, 7.0]
    """
    return [start_s + (i + 0.5) * (end_s - start_s) / num_frames for i in range(num_frames)]


def read_footage(
    file: Path, num_frames: int, span_s: tuple[float, float] | None = None, roots: Sequence[Path] = ()
) -> list[Picture]:
    """Return frames [h, w, 3] at the middles of equal parts of a video, or of a stretch of it.

    Raises VideoRefused, VideoUnreadable, or InputError for a stretch that begins after the video's end.
    """
    with open_video(file, roots) as opened:
        length_s = probe(opened, _LIMITS).duration_s
        if not length_s:
            raise VideoUnreadable(f"{str(file)!r} does not say how long it is")
        start_s, end_s = span_s or (0.0, length_s)
        if start_s >= length_s:
            raise InputError(f"{str(file)!r} ends at {length_s:.1f} s, before its stretch from {start_s:.1f} s")
        times_s = moments(num_frames, start_s, min(end_s, length_s))
        return [frame.picture for frame in read_frames(opened, times_s, SIDE_PX, _LIMITS)]


def read_picture(file: Path, roots: Sequence[Path] = ()) -> Picture:
    """Return a JPEG, PNG or WebP as [h, w, 3] RGB, upright; raises InputError."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise SetupError("no package 'pillow'; run: pip install 'hicom-agent[train]'") from error
    with open_video(file, roots, MAX_PICTURE_BYTES) as opened, os.fdopen(opened.reopen(), "rb") as data:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # its own word about size comes as an error below
                picture = Image.open(data, formats=FORMATS)
                width, height = picture.size
                if width * height > MAX_PICTURE_PX:
                    raise InputError(f"{str(file)!r} has {width}x{height} pixels, at most {MAX_PICTURE_PX} are read")
                picture.draft("RGB", (SIDE_PX, SIDE_PX))
                if picture.mode.startswith("I"):  # 16 bits, which convert would cut off at 255
                    picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
                made: Picture = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
        except InputError:
            raise
        except Exception as error:  # noqa: BLE001 damaged EXIF alone raises struct.error, TypeError and others
            raise InputError(f"{str(file)!r} is no JPEG, PNG or WebP that can be read: {error}") from error
    return made
