"""The acceptance checks of the specification, on layers of small width with weights from seeds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from hicom_agent.compress import HIComConfig, HIComProjector
from hicom_agent.compress.kernels import Rows
from hicom_agent.compress.layers import positions, resample
from hicom_agent.compress.windows import window_starts
from hicom_agent.errors import SetupError
from hicom_agent.testing import make_weights

WIDTH, HIDDEN = 256, 24


def make(code: str, use_guide: str | None = "direct", seed: int = 0, **other: Any) -> HIComProjector:
    given = {"mm_projector_type": code, "use_guide": use_guide, "hidden_size": HIDDEN, "mm_hidden_size": WIDTH}
    projector = HIComProjector(HIComConfig.from_checkpoint({**given, **other}))
    shapes = {name: tuple(parameter.shape) for name, parameter in projector.named_parameters()}
    projector.load_checkpoint(make_weights(seed, shapes))
    return projector.eval().requires_grad_(False)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def clip(t: int, h: int = 6, w: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    return draw(t, h, w, WIDTH), draw(t, h, w, WIDTH, seed=1), draw(WIDTH, seed=2)


@pytest.mark.parametrize("t", [1, 4, 8, 16, 32, 64, 128, 5, 6, 7, 9, 10])
def test_a_video_of_any_length_gives_the_number_of_tokens_that_the_specification_counts(t: int) -> None:
    projector = make("local43_global32")
    features = torch.zeros(1, 1, 1, WIDTH).expand(t, 27, 27, WIDTH)
    tokens = projector(features, features, draw(WIDTH))
    assert tokens.shape == (-(-t // 4) * 81 + 32, HIDDEN)


def test_an_image_gives_113_tokens_and_one_more_with_a_newline() -> None:
    projector, (v, e, g) = make("local43_global32"), clip(1, 27, 27)
    assert len(projector(v, e, g, modal="image")) == 113
    newline = draw(HIDDEN, seed=9)
    tokens = projector(v, e, g, modal="image", newline=newline)
    assert len(tokens) == 114
    torch.testing.assert_close(tokens[81], newline)


@pytest.mark.parametrize(("policy", "ends"), [("no_token", []), ("one_token", [8]), ("frame", [4, 9])])
def test_newlines_stand_where_the_policy_puts_them(policy: str, ends: list[int]) -> None:
    projector = make("local43_global4", mm_newline_position=policy, mm_patch_merge_type="spatial_unpad")
    v, e, g = clip(8)
    newline = torch.full((HIDDEN,), 7.0)
    tokens = projector(v, e, g, newline=newline)
    assert [i for i, token in enumerate(tokens) if (token == 7).all()] == ends
    assert len(projector(v, e, g)) == 8 + 4, "without a vector there are no newlines"


def test_rows_end_with_a_newline_under_the_policy_grid_and_none_is_put_in_a_flat_video() -> None:
    v, e, g = clip(8)
    newline = torch.full((HIDDEN,), 7.0)
    grid = make("local43", mm_newline_position="grid", mm_patch_merge_type="spatial")
    assert [i for i, token in enumerate(grid(v, e, g, newline=newline)) if (token == 7).all()] == [2, 5, 8, 11]
    flat = make("local43", mm_newline_position="grid", mm_patch_merge_type="flat")
    assert len(flat(v, e, g, newline=newline)) == 8


@pytest.mark.parametrize("fast", [False, True])
def test_directly_guided_global_tokens_are_equal_and_learned_queries_do_nothing(fast: bool) -> None:
    projector, (v, e, g) = make("local43_global32"), clip(8)
    before = projector(v, e, g, fast=fast)
    assert (before[-32:] == before[-1]).all()
    projector.global_compressor.query.mul_(3).add_(1)
    torch.testing.assert_close(projector(v, e, g, fast=fast), before)


def test_coarsely_guided_global_tokens_differ() -> None:
    projector, (v, e, g) = make("local43_global32_guidecoarse"), clip(8)
    assert len(projector(v, e, g)[-32:].unique(dim=0)) == 32


@pytest.mark.parametrize("fast", [False, True])
def test_constant_keys_give_the_mean_of_each_group_and_a_huge_key_is_picked_alone(fast: bool) -> None:
    projector, (v, _, g) = make("local43"), clip(4, 3, 3)
    readout = projector.local_compressor.readout
    ones = torch.ones_like(v)
    torch.testing.assert_close(projector(v, ones, g, fast=fast), readout(v.mean((0, 1, 2)))[None], rtol=1e-4, atol=1e-5)
    ones[2, 1, 0] += 1000 * g
    torch.testing.assert_close(projector(v, ones, g, fast=fast), readout(v[2, 1, 0])[None], rtol=1e-4, atol=1e-5)


def test_the_order_of_patches_inside_a_group_changes_nothing() -> None:
    projector, (v, e, g) = make("local43"), clip(4, 3, 3)
    order = torch.randperm(36, generator=torch.Generator().manual_seed(4))
    other_v, other_e = (x.flatten(0, 2)[order].reshape(x.shape) for x in (v, e))
    torch.testing.assert_close(projector(v, e, g), projector(other_v, other_e, g), rtol=1e-4, atol=1e-5)


def test_positions_are_sines_at_even_channels_and_cosines_at_odd_ones() -> None:
    table = positions((3, 2, 2), 8)
    assert table[0, 0, 0].tolist() == [0, 3, 0, 3, 0, 3, 0, 3]
    expected = torch.tensor(2 / 10000 ** (4 / 8)).sin() + 0 + 0
    torch.testing.assert_close(table[2, 0, 0, 4], expected)


def test_base_queries_are_read_at_the_middle_of_each_group() -> None:
    grid = draw(32, 27, 27, 2)
    small = resample(grid, (8, 9, 9))
    torch.testing.assert_close(small[1, 2, 3], (grid[5, 7, 10] + grid[6, 7, 10]) / 2)


CODES = [
    ("local43_global32", "direct"),
    ("local43_global32_guidecoarse", "direct"),
    ("local43_guideoff_global32_guidecoarse", "direct"),
    ("local43_global4", "coarse"),
    ("local43_adaptqkvg_global4_adaptg", "coarse"),
    ("local43_adaptkvg_global4_adaptg", "direct"),
    ("local43_adaptqg_global4", "fine"),
    ("local43_global4", None),
    ("local22", "direct"),
    ("global8_guideoff", "direct"),
]
SHAPES = [(8, 6, 6), (7, 10, 25), (1, 9, 9), (5, 4, 6), (9, 3, 7), (10, 9, 9), (3, 2, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("code", "use_guide"), CODES)
def test_the_fast_path_equals_the_plain_one(code: str, use_guide: str | None, shape: tuple[int, int, int]) -> None:
    projector, (v, e, g) = make(code, use_guide), clip(*shape)
    guide = draw(64, WIDTH, seed=2) if use_guide == "fine" else g
    plain = projector(v, e, guide, fast=False)
    fast = projector(v, e, guide)
    assert (fast - plain).norm() / plain.norm() < 1e-5


@pytest.mark.parametrize("scaled", ["local", "global", "local,global"])
@pytest.mark.parametrize("use_guide", ["direct", "coarse"])
def test_the_fast_path_equals_the_plain_one_with_clip_scale(scaled: str, use_guide: str) -> None:
    projector, (v, e, g) = make("local43_global4", use_guide, use_clip_scale=scaled), clip(7, 6, 7)
    plain = projector(v, e, g, fast=False)
    assert (projector(v, e, g) - plain).norm() / plain.norm() < 1e-5


@pytest.mark.parametrize(("code", "use_guide"), [case for case in CODES if case[1]])
def test_several_questions_at_once_give_what_each_gives_alone(code: str, use_guide: str | None) -> None:
    projector, (v, e, _) = make(code, use_guide), clip(8)
    guides = draw(3, 64, WIDTH, seed=5) if use_guide == "fine" else draw(3, WIDTH, seed=5)
    together = projector(v, e, guides)
    for tokens, guide in zip(together, guides, strict=True):
        torch.testing.assert_close(tokens, projector(v, e, guide), rtol=1e-4, atol=1e-5)


def test_patches_that_are_given_in_parts_are_read_in_parts() -> None:
    projector, (v, e, g) = make("local43_global4"), clip(16)
    asked: list[int] = []

    class Watched(Rows):
        def dot(self, frames: slice, guides: Tensor) -> Tensor:
            asked.append(len(range(*frames.indices(16))))
            return super().dot(frames, guides)

    torch.testing.assert_close(projector(v, Watched(e), g), projector(v, e, g))
    assert sum(asked) == 16 and max(asked) == 4


def test_the_baseline_keeps_196_tokens_of_a_frame() -> None:
    projector, (v, _, _) = make("mlp2x_gelu", None), clip(2, 27, 27)
    assert projector(v).shape == (2 * 196, HIDDEN)
    assert projector(v[:1], modal="image").shape == (729, HIDDEN)


def test_windows_of_the_release_are_those_of_the_specification() -> None:
    assert window_starts(27, 4) == [0, 4, 8, 12, 16, 20, 23] and window_starts(10, 4) == [0, 3, 6]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda state: state.pop("global_compressor.query"), "missing global_compressor.query"),
        (lambda state: state.update(extra=torch.zeros(1)), "unexpected extra"),
        (
            lambda state: state.update({"global_compressor.query": torch.zeros(4, 8)}),
            r"query is \[4, 8\], not \[32, 256\]",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(change: Any, told: str) -> None:
    projector = make("local43_global32")
    state = dict(projector.state_dict())
    change(state)
    with pytest.raises(SetupError, match=told):
        projector.load_checkpoint(state)


def test_stage_weights_with_their_full_names_load() -> None:
    projector, (v, e, g) = make("local43_global32"), clip(4)
    other = make("local43_global32", seed=5)
    other.load_checkpoint({f"model.mm_projector.{name}": x for name, x in projector.state_dict().items()})
    torch.testing.assert_close(other(v, e, g), projector(v, e, g))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": draw(4, 6, WIDTH)}, "features"),
        ({"patch_embeds": None}, "patch_embeds"),
        ({"patch_embeds": draw(5, 6, 6, WIDTH)}, "patch_embeds"),
        ({"guide": None}, "guide"),
        ({"guide": draw(8)}, "guide"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    v, e, g = clip(4)
    with pytest.raises(ValueError, match=message):
        make("local43_global4")(**{"features": v, "patch_embeds": e, "guide": g, **change})
