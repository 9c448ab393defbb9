from __future__ import annotations

import numpy as np
import pytest

from hicom_agent.compress import compress
from hicom_agent.types import Clip, ClipFeatures, FrameFeatures


def make_clip(shape: tuple[int, int, int], width: int = 8, seed: int = 0) -> ClipFeatures:
    random = np.random.default_rng(seed)
    keys = random.normal(size=(*shape, width)).astype(np.float32)
    keys /= np.linalg.norm(keys, axis=-1, keepdims=True)
    values = random.normal(size=(*shape, 3)).astype(np.float32)
    times_s = np.arange(shape[0], dtype=np.float32)
    return ClipFeatures(Clip(0, 0.0, float(shape[0])), times_s, FrameFeatures(values, keys, keys.mean((1, 2))))


def make_guide(width: int = 8) -> np.ndarray:
    guide: np.ndarray = np.eye(width, dtype=np.float32)[0]
    return guide


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 12), (5, 5, 9), (30, 7, 12)])
def test_attention_sums_to_one_and_shapes_fit_for_any_clip(shape: tuple[int, int, int]) -> None:
    result = compress(make_clip(shape), make_guide(), num_global=2)
    assert result.patch_attention.shape == shape
    assert result.patch_attention.sum() == pytest.approx(1, abs=1e-5)
    assert result.frame_relevance.shape == shape[:1]
    assert result.tokens.shape == (result.group_relevance.size + 2, 3)


def test_attention_is_the_softmax_over_the_clip_where_groups_do_not_overlap() -> None:
    clip = make_clip((8, 6, 9))
    logits = clip.frames.keys @ make_guide() / 0.05
    expected = np.exp(logits - logits.max())
    np.testing.assert_allclose(
        compress(clip, make_guide()).patch_attention, expected / expected.sum(), rtol=1e-4, atol=1e-7
    )


def test_the_frame_the_cell_and_the_group_that_answer_are_the_ones_looked_at() -> None:
    clip = make_clip((12, 6, 9))
    clip.frames.keys[..., 0] = 0
    clip.frames.keys[6, 4, 7] = make_guide()
    result = compress(clip, make_guide())
    assert result.frame_relevance.argmax() == 6
    assert result.patch_attention.argmax() == np.ravel_multi_index((6, 4, 7), (12, 6, 9))
    assert result.group_relevance.argmax() == np.ravel_multi_index((1, 1, 2), (3, 2, 3))


def test_a_short_event_counts_as_much_in_a_long_clip_as_in_a_short_one() -> None:
    long = make_clip((30, 6, 9))
    long.frames.keys[..., 0] = 0
    long.frames.keys[17, 4, 7] = make_guide()
    frames = FrameFeatures(long.frames.values[16:20], long.frames.keys[16:20], long.frames.pooled[16:20])
    short = ClipFeatures(long.clip, long.times_s[16:20], frames)
    assert compress(long, make_guide()).score == pytest.approx(compress(short, make_guide()).score, abs=1e-2)


def test_relevance_lies_between_mean_and_maximum() -> None:
    clip = make_clip((6, 5, 9))
    cosines = clip.frames.keys @ make_guide()
    relevance = compress(clip, make_guide()).frame_relevance
    assert (relevance <= cosines.max((1, 2)) + 1e-6).all() and (relevance >= cosines.mean((1, 2)) - 1e-6).all()


def test_a_guide_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="guide"):
        compress(make_clip((2, 3, 3)), make_guide(9))
