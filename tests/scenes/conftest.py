"""Glimpses and frames of real and made footage, chosen as a decoding pass chooses them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hicom_agent.types import Frame, Glimpse

Picture = NDArray[np.uint8]
Watch = Callable[[Iterable[tuple[float, Picture]]], list[Glimpse]]
STEP_S = 0.2
MUCH = 10.0


def _watch(shown: Iterable[tuple[float, Picture]]) -> list[Glimpse]:
    """Return the first picture in each step of the grid, and all between two that differ much."""
    kept: list[Glimpse] = []
    between: list[Glimpse] = []
    for time_s, picture in shown:
        step = int(time_s / STEP_S + 1e-6)
        if kept and step == int(kept[-1].time_s / STEP_S + 1e-6):
            between.append(Glimpse(time_s, picture, on_grid=False))
            continue
        if kept and cv2.absdiff(kept[-1].picture, picture).mean() >= MUCH:
            kept += between
        between = []
        kept.append(Glimpse(time_s, picture))
    return kept


@pytest.fixture(scope="session")
def watch() -> Watch:
    """Return a function from (time, small picture) of every frame to glimpses."""
    return _watch


@cache
def _decode(path: Path, side_px: int, every_s: float) -> list[tuple[float, Picture]]:
    pictures = []
    next_s = 0.0
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.time is not None
            if frame.time >= next_s - 1e-6:
                scale = side_px / max(frame.width, frame.height)
                size = round(frame.width * scale), round(frame.height * scale)
                pictures.append((frame.time, frame.reformat(*size, format="bgr24", interpolation="AREA").to_ndarray()))
                next_s = (frame.time // every_s + 1) * every_s if every_s else 0.0
    return pictures


@pytest.fixture(scope="session")
def glimpses_of(footage: Path, watch: Watch) -> Callable[[str], list[Glimpse]]:
    """Return a function from the name of a film to its glimpses."""
    return lambda name: watch(_decode(footage / f"{name}-detection.mp4", 64, 0.0))


@pytest.fixture(scope="session")
def frames_of(footage: Path) -> Callable[[str], list[Frame]]:
    """Return a function from the name of a film to a frame each second."""
    return lambda name: [
        Frame(time_s, np.ascontiguousarray(picture[:, :, ::-1]))
        for time_s, picture in _decode(footage / f"{name}-detection.mp4", 512, 1.0)
    ]
