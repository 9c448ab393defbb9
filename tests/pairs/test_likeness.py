"""Keyframes are unlike each other, by either measure."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hicom_agent.errors import InputError, ModelMissing
from hicom_agent.pairs.likeness import NEEDED, ColourEye, Keyframes, NanoEye, choose_eye, make_eye


def pictures(num: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Return pictures of which each two neighbours are nearly the same."""
    rng = np.random.default_rng(seed)
    plain = [rng.integers(0, 256, (6, 8, 3), np.uint8).repeat(30, 0).repeat(40, 1) for _ in range(num // 2)]
    return [np.clip(p + shift, 0, 255).astype(np.uint8) for p in plain for shift in (0, 3)]


def test_kept_pictures_are_less_alike_than_the_bound_and_the_others_are_like_one_of_them() -> None:
    shown, eye = pictures(24), ColourEye()
    keyframes = Keyframes(eye, 0.9)
    chosen = [*keyframes.choose(shown[:7]), *keyframes.choose([]), *keyframes.choose(shown[7:])]
    vectors = eye.look(shown)
    kept = vectors[chosen]
    assert 2 <= len(kept) <= 12 and chosen[0]
    assert np.max(kept @ kept.T - 2 * np.eye(len(kept))) < 0.9
    assert all((vector @ kept.T).max() >= 0.9 - 1e-6 for vector in vectors)
    assert not any(second for (_, second) in list(pairwise(chosen))[::2])


def test_colours_are_unit_vectors() -> None:
    vectors = ColourEye().look(pictures(6))
    assert vectors.shape == (6, 132)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(6), abs=1e-5)


def test_without_the_models_colours_are_compared_and_nothing_is_fetched(tmp_path: Path) -> None:
    assert choose_eye("auto", tmp_path) == choose_eye("colours", tmp_path) == "colours"
    with pytest.raises(ModelMissing, match="models pull"):
        choose_eye("nano", tmp_path)
    with pytest.raises(InputError, match="expected one of auto, nano, colours"):
        choose_eye("siglip", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.weights
def test_with_the_models_their_pooled_vectors_are_compared(nano: Path) -> None:
    assert choose_eye("auto", nano) == "nano" and len(NEEDED) == 3
    eye = make_eye("nano", nano, threads=1)
    assert isinstance(eye, NanoEye)
    shown = pictures(4)
    cosines = eye.look(shown) @ eye.look(shown).T
    assert np.diag(cosines) == pytest.approx(np.ones(4), abs=1e-4)
    assert cosines[0, 1] > cosines[0, 2]
