from __future__ import annotations

import pytest
import torch

from hicom_agent.compress.direct import attend_groups, attend_whole
from hicom_agent.compress.windows import group_cells, make_window_cells, ungroup_sum, window_starts

SHAPES = [(1, 1, 1), (1, 7, 12), (2, 5, 9), (4, 6, 9), (5, 4, 10), (9, 7, 12), (10, 9, 9), (8, 3, 3)]
WINDOW = (4, 3, 3)


def make_grid(shape: tuple[int, int, int], width: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("length", "size", "starts"),
    [
        (27, 4, [0, 4, 8, 12, 16, 20, 23]),
        (10, 4, [0, 3, 6]),
        (25, 3, [0, 3, 6, 9, 12, 15, 18, 20, 22]),
        (27, 3, list(range(0, 27, 3))),
        (32, 4, list(range(0, 32, 4))),
        (7, 4, [0, 3]),
        (27, 9, [0, 9, 18]),
        (5, 4, [0, 1]),
        (6, 4, [0, 2]),
        (9, 4, [0, 2, 5]),
        (4, 3, [0, 1]),
        (27, 8, [0, 6, 13, 19]),
        (2, 4, [0]),
        (1, 1, [0]),
    ],
)
def test_windows_start_where_the_specification_says(length: int, size: int, starts: list[int]) -> None:
    assert window_starts(length, size) == starts


def test_windows_cover_every_cell_and_no_other_for_any_length() -> None:
    for length in range(1, 80):
        for size in range(1, 16):
            cells = make_window_cells(length, size)
            assert set(cells.flatten().tolist()) == set(range(length)), (length, size)
            assert len(cells) == -(-length // min(size, length))
            starts = cells[:, 0]
            assert (starts[1:] > starts[:-1]).all(), (length, size)


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="length=0"):
        window_starts(0, 3)


@pytest.mark.parametrize("shape", SHAPES)
def test_tokens_equal_those_of_a_plain_loop(shape: tuple[int, int, int]) -> None:
    keys, values, guide = make_grid(shape, 8), make_grid(shape, 5, 1), make_grid((1, 1, 1), 8, 2).flatten()
    tokens = attend_groups(keys, values, guide, WINDOW).tokens
    axes = [window_starts(length, size) for length, size in zip(shape, WINDOW, strict=True)]
    assert tokens.shape == (*(len(axis) for axis in axes), 5)
    for i, t in enumerate(axes[0]):
        for j, h in enumerate(axes[1]):
            for k, w in enumerate(axes[2]):
                box = (slice(t, t + 4), slice(h, h + 3), slice(w, w + 3))
                members = keys[box].reshape(-1, 8)
                weights = torch.softmax(members @ guide / 8**0.5, dim=0)
                expected = (weights[:, None] * values[box].reshape(-1, 5)).sum(0)
                torch.testing.assert_close(tokens[i, j, k], expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_constant_keys_give_the_mean_of_the_group(shape: tuple[int, int, int]) -> None:
    keys, values = torch.ones(*shape, 8), make_grid(shape)
    tokens = attend_groups(keys, values, torch.ones(8), WINDOW, 0.05).tokens
    torch.testing.assert_close(tokens, group_cells(values, WINDOW).mean(dim=3))


def test_a_key_that_answers_the_guide_strongly_is_picked_alone() -> None:
    keys, values, guide = make_grid((8, 6, 6)), make_grid((8, 6, 6), 5, 1), torch.eye(8)[0]
    keys[2, 1, 1] = 1000 * guide
    tokens = attend_groups(keys, values, guide, WINDOW).tokens
    torch.testing.assert_close(tokens[0, 0, 0], values[2, 1, 1])


def test_the_order_of_members_in_a_group_does_not_matter() -> None:
    keys, values, guide = make_grid((4, 3, 3)), make_grid((4, 3, 3), 5, 1), make_grid((1, 1, 1), 8, 2).flatten()
    order = torch.randperm(36, generator=torch.Generator().manual_seed(3))
    other_keys, other_values = (x.flatten(0, 2)[order].reshape(x.shape) for x in (keys, values))
    tokens = attend_groups(keys, values, guide, WINDOW).tokens
    torch.testing.assert_close(tokens, attend_groups(other_keys, other_values, guide, WINDOW).tokens)


def test_global_tokens_are_equal_and_look_at_the_whole_clip() -> None:
    keys, values, guide = make_grid((5, 4, 7)), make_grid((5, 4, 7), 6, 1), make_grid((1, 1, 1), 8, 2).flatten()
    tokens = attend_whole(keys, values, guide, 32, 0.5)
    weights = torch.softmax(keys.flatten(0, 2) @ guide / 0.5, dim=0)
    assert tokens.shape == (32, 6)
    torch.testing.assert_close(tokens, (weights @ values.flatten(0, 2)).expand(32, 6))


def test_release_geometry_gives_the_released_number_of_tokens() -> None:
    keys = torch.zeros(32, 27, 27, 4)
    local = attend_groups(keys, keys, torch.zeros(4), WINDOW)
    assert local.tokens.shape == (8, 9, 9, 4) and local.weights.shape == (8, 9, 9, 36)


def test_members_stand_in_the_order_of_frames_rows_and_columns() -> None:
    for shape in ((8, 6, 9), (7, 4, 10)):
        cells = torch.arange(shape[0] * shape[1] * shape[2]).reshape(*shape, 1)
        first = group_cells(cells, WINDOW)[0, 0, 0, :, 0]
        assert first.tolist() == cells[:4, :3, :3].flatten().tolist()


@pytest.mark.parametrize("shape", SHAPES)
def test_cells_are_found_again_after_grouping(shape: tuple[int, int, int]) -> None:
    cells = make_grid(shape, 1)
    counts = ungroup_sum(torch.ones(group_cells(cells, WINDOW).shape[:4]), shape, WINDOW)
    torch.testing.assert_close(ungroup_sum(group_cells(cells, WINDOW)[..., 0], shape, WINDOW) / counts, cells[..., 0])


def test_half_precision_values_keep_their_type() -> None:
    keys = make_grid((4, 3, 3))
    assert attend_groups(keys, keys.bfloat16(), torch.ones(8), WINDOW).tokens.dtype == torch.bfloat16


def test_groups_that_a_question_made_can_be_trained_on() -> None:
    x = torch.rand(5, 7, 3, 2, requires_grad=True)
    with torch.inference_mode():
        before = group_cells(x, (2, 3, 2))
    groups = group_cells(x, (2, 3, 2))
    torch.autograd.backward(groups.square().sum())
    assert torch.equal(before, groups)
    assert x.grad is not None and (x.grad >= 2 * x - 1e-6).all()  # each cell stands in one group or more
