"""How alike two pictures are, for keyframes: by what the packaged encoder sees in them, or by their colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hicom_agent import models
from hicom_agent.errors import InputError, ModelMissing

if TYPE_CHECKING:
    from hicom_agent.types import Floats, Picture

NEEDED = ("lite0", "minilm", "imagenet-labels")
GRID = (3, 4)  # cells down and across whose colours are compared
SIZE_PX = (128, 72)
EYES = ("auto", "nano", "colours")


class Eye(Protocol):
    """What makes a vector of a picture; the cosine of two says how alike they are."""

    name: str

    def look(self, pictures: Sequence[Picture]) -> Floats:
        """Return unit vectors [n, e] of RGB pictures."""


class NanoEye:
    """The pooled vectors of profile nano; its models load with the first picture."""

    name = "nano"

    def __init__(self, folders: Sequence[Path], threads: int = 0) -> None:
        from hicom_agent.encode.nano import NanoEncoder

        lite0, minilm, labels = folders
        self._encoder = NanoEncoder(lite0 / "efficientnet-lite0.pth", minilm, labels, threads)

    def look(self, pictures: Sequence[Picture]) -> Floats:
        """Return unit vectors [n, 384]."""
        return self._encoder.encode_frames(pictures).pooled


class ColourEye:
    """Histograms of eleven named colours over a coarse grid; their cosine is the Bhattacharyya coefficient."""

    name = "colours"

    def look(self, pictures: Sequence[Picture]) -> Floats:
        """Return unit vectors [n, 132]."""
        import cv2

        from hicom_agent.encode.colours import share_colours

        small = np.stack([cv2.resize(picture, SIZE_PX, interpolation=cv2.INTER_AREA) for picture in pictures])
        roots = np.sqrt(share_colours(small, *GRID).reshape(len(pictures), -1))
        vectors: Floats = roots / np.linalg.norm(roots, axis=1, keepdims=True)
        return vectors


def choose_eye(wanted: str, cache: Path) -> str:
    """Return "nano" or "colours"; of auto the first if its models are in the cache. None is fetched.

    Raises ModelMissing where nano is asked for and not here, InputError for another name.
    """
    if wanted not in EYES:
        raise InputError(f"--keyframes {wanted!r}: expected one of {', '.join(EYES)}")
    if wanted == "colours":
        return wanted
    try:
        _folders(cache)
    except ModelMissing:
        if wanted == "nano":
            raise
        return "colours"
    return "nano"


def make_eye(name: str, cache: Path, threads: int) -> Eye:
    """Return what compares pictures; raises ModelMissing."""
    return ColourEye() if name == "colours" else NanoEye(_folders(cache), threads)


def _folders(cache: Path) -> list[Path]:
    return [models.ensure(name, cache, offline=True) for name in NEEDED]


class Keyframes:
    """Pictures of low mutual similarity, chosen one after the other."""

    def __init__(self, eye: Eye, similarity: float) -> None:
        self._eye, self._similarity = eye, similarity
        self._kept: list[Floats] = []

    def choose(self, pictures: Sequence[Picture]) -> list[bool]:
        """Return for each picture whether its cosine to all that were kept, now and before, is below the bound."""
        if not pictures:
            return []
        kept_before = len(self._kept)
        vectors = self._eye.look(pictures)
        nearest = (vectors @ np.stack(self._kept).T).max(axis=1) if kept_before else np.full(len(vectors), -1.0)
        chosen = []
        for vector, cosine in zip(vectors, nearest.tolist(), strict=True):
            since = max((float(vector @ other) for other in self._kept[kept_before:]), default=-1.0)
            chosen.append(max(cosine, since) < self._similarity)
            if chosen[-1]:
                self._kept.append(vector)
        return chosen
