from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hicom_agent.encode.colours import COLOURS, share_colours
from hicom_agent.encode.labels import load_labels
from hicom_agent.encode.nano import choose_grid
from hicom_agent.encode.packing import MAX_CELLS, TOP, SparseGrids, join_grids, make_sparse, pack_grids, unpack_grids
from hicom_agent.encode.presence import GUESSED, choose_main, find_presence, locate, make_groups, rank_things, weigh
from hicom_agent.encode.things import Share, Thing
from hicom_agent.errors import ModelMissing

BOTTLE = Thing("bottle", (440, 898), "main")
HAND = Thing("hand", (), "main")
STREET = Thing("street", (919,), "context")
PERSON = Thing("person", (834,), "person")


def make_values(t: int = 3, h: int = 2, w: int = 3) -> np.ndarray:
    return np.zeros((t, h, w, 1000 + len(COLOURS)), np.float32)


def sparse(values: np.ndarray) -> SparseGrids:
    with np.errstate(divide="ignore"):
        return make_sparse(np.log(values[..., :1000]), values[..., 1000:])


def make_logs(shape: tuple[int, int, int]) -> np.ndarray:
    scores = np.random.default_rng(0).normal(0, 4, (*shape, 1000))
    logs: np.ndarray = (scores - np.log(np.exp(scores).sum(-1, keepdims=True))).astype(np.float32)
    return logs


@pytest.mark.parametrize("shape", [(4, 6, 10), (1, 1, 1), (2, 3, 20)])
def test_unpacking_gives_back_what_was_packed(shape: tuple[int, int, int]) -> None:
    logs, colours = make_logs(shape), np.full((*shape, 11), 1 / 11, np.float32)
    grids = make_sparse(logs, colours)
    again = unpack_grids(pack_grids(grids), 11)
    assert (again.classes == grids.classes).all() and (again.shapes == [shape[1:]]).all()
    kept = np.isfinite(again.log_likelihoods)
    assert np.abs(again.log_likelihoods[kept] - grids.log_likelihoods[kept]).max() <= 0.0251
    assert np.abs(again.colours - grids.colours).max() <= 1 / 30 + 1e-6


def test_the_likeliest_classes_of_each_cell_are_the_ones_kept() -> None:
    logs = make_logs((2, 6, 10))
    grids = make_sparse(logs, np.zeros((2, 6, 10, 11), np.float32))
    best = set(np.argsort(logs[1, 2, 3])[-TOP:].tolist())
    assert set(grids.classes[1, 2 * 10 + 3].tolist()) == best


def test_a_packed_frame_takes_less_than_three_thousand_bytes() -> None:
    packed = pack_grids(make_sparse(make_logs((4, 6, 10)), np.zeros((4, 6, 10, 11), np.float32)))
    assert sum(array.nbytes for array in packed.values()) / 4 < 3000


def test_grids_of_different_shapes_stand_in_one_array() -> None:
    parts = [make_sparse(make_logs(s), np.zeros((*s, 11), np.float32)) for s in ((1, 6, 10), (2, 10, 6), (1, 7, 8))]
    joined = join_grids(parts)
    assert joined.classes.shape == (4, MAX_CELLS, TOP)
    assert joined.shapes.tolist() == [[6, 10], [10, 6], [10, 6], [7, 8]]


@pytest.mark.parametrize("aspect", [16 / 9, 4 / 3, 1, 9 / 16, 2.4, 0.1, 12])
def test_grids_follow_the_picture_and_never_exceed_the_most_cells(aspect: float) -> None:
    rows, columns = choose_grid(aspect)
    assert MAX_CELLS * 0.75 <= rows * columns <= MAX_CELLS
    assert 0.75 < columns / rows / aspect < 1.35


@pytest.mark.parametrize(
    ("pixel", "name"),
    [
        ((255, 0, 0), "red"), ((200, 20, 40), "red"), ((20, 60, 200), "blue"), ((10, 10, 10), "black"),
        ((250, 250, 250), "white"), ((128, 128, 128), "grey"), ((250, 220, 20), "yellow"), ((30, 140, 40), "green"),
        ((250, 130, 10), "orange"), ((110, 70, 30), "brown"), ((120, 20, 160), "purple"), ((250, 150, 180), "pink"),
    ],
)  # fmt: skip
def test_plain_pictures_have_the_colour_a_person_would_name(pixel: tuple[int, int, int], name: str) -> None:
    picture = np.full((1, 64, 96, 3), pixel, np.uint8)
    shares = share_colours(picture, 2, 3)
    assert shares.shape == (1, 2, 3, 11)
    assert (shares[..., COLOURS.index(name)] == 1).all()


def test_each_cell_has_the_colours_of_its_own_place() -> None:
    picture = np.zeros((1, 64, 96, 3), np.uint8)
    picture[0, 32:, 64:] = (255, 0, 0)
    red = share_colours(picture, 2, 3)[0, :, :, COLOURS.index("red")]
    assert red.tolist() == [[0, 0, 0], [0, 0, 1]]


def test_presence_follows_the_classes_that_show_the_thing() -> None:
    values = make_values()
    values[..., 500] = 0.9
    values[1, 0, 1, 898] = 0.9
    values[1, 0, 2, 440] = 0.6
    presence = find_presence([BOTTLE], sparse(values))
    assert presence.argmax() == 1 and presence[0] < 0.05 and ((presence >= 0) & (presence <= 1)).all()


def test_in_a_frame_of_one_colour_nothing_is_seen() -> None:
    values = make_values(2)
    values[..., 898] = 0.02
    values[..., 500] = 0.9
    values[..., 1001] = [[[0.6]], [[1.0]]]
    full, empty = find_presence([BOTTLE], sparse(values))
    assert full > 0.5 > empty < full / 2


def test_cells_that_only_fill_up_the_array_change_nothing() -> None:
    values = np.random.default_rng(0).random((2, 6, 10, 1011), np.float32) / 1000
    grids = sparse(values)
    small = sparse(values[:, :2, :3])
    few = [getattr(small, name)[:, :6] for name in ("classes", "log_likelihoods", "colours")]
    np.testing.assert_allclose(weigh([440], SparseGrids(small.shapes, *few)), weigh([440], small), rtol=1e-5)
    assert grids.num_cells.tolist() == [60, 60] and small.num_cells.tolist() == [6, 6]


def test_more_likely_classes_never_lower_presence() -> None:
    last = -1.0
    for likelihood in (0, 1e-4, 1e-2, 0.1, 0.5, 0.95):
        values = make_values(1)
        values[..., 500] = 1 - likelihood
        values[..., 898] = likelihood
        now = float(find_presence([BOTTLE], sparse(values))[0])
        assert now >= last
        last = now
    assert last > 0.9


def test_a_thing_that_cannot_be_seen_halves_belief_and_alone_is_not_believed() -> None:
    values = make_values()
    values[..., 898] = 0.9
    assert find_presence([HAND, BOTTLE], sparse(values))[0] == pytest.approx(
        find_presence([BOTTLE], sparse(values))[0] / 2
    )
    assert (find_presence([HAND], sparse(values)) == 0).all()
    assert (find_presence([], sparse(values)) == 0).all()


def test_a_place_that_is_not_seen_takes_little_away() -> None:
    values = make_values()
    values[..., 898] = 0.9
    alone = find_presence([BOTTLE], sparse(values))[0]
    assert 0.6 * alone < find_presence([BOTTLE, STREET], sparse(values))[0] < alone


def test_a_person_is_looked_for_where_nothing_else_is_named() -> None:
    assert choose_main([PERSON, STREET]) == [PERSON]
    assert choose_main([PERSON, BOTTLE]) == [BOTTLE]
    assert choose_main([STREET]) == [STREET]


def test_a_colour_must_be_where_the_thing_is() -> None:
    values = make_values(2, 3, 4)
    values[:, 0, 0, 898] = 0.9
    values[..., 500] = 0.1
    blue = 1000 + COLOURS.index("blue")
    values[0, 0, 0, blue] = 0.3
    values[1, 2, 3, blue] = 0.3
    presence = find_presence([replace(BOTTLE, colour="blue")], sparse(values))
    assert presence[0] > 0.5 * find_presence([BOTTLE], sparse(values))[0] > presence[1]


def test_what_fills_a_picture_needs_its_colour_where_it_counts() -> None:
    values = make_values(4, 3, 4)
    values[..., 898] = 0.9
    for frame, (rows, colour) in enumerate([(slice(0, 1), "blue"), (slice(1, 3), "blue"), (slice(0, 3), "red")]):
        values[frame, rows, :, 1000 + COLOURS.index(colour)] = 0.8
    sky = replace(BOTTLE, share=Share(("blue", "white"), 0.4, above=True))
    above, below, red, none = find_presence([sky], sparse(values))
    assert above > 0.9 * find_presence([BOTTLE], sparse(values))[0] and max(below, red, none) < 0.01
    assert find_presence([replace(sky, colour="red")], sparse(values)).argmax() == 2
    lake = find_presence([replace(BOTTLE, share=Share(("blue",), 0.4))], sparse(values))
    assert lake.argmax() == 1 and lake[1] > 0.5
    place = locate([sky], sparse(values))[0]
    assert place.argmax() < 4 and place.max() == pytest.approx(float(above))


def test_what_is_guessed_is_doubted() -> None:
    values = make_values(1)
    values[..., 898] = 0.9
    guessed, known = (find_presence([replace(BOTTLE, guessed=each)], sparse(values))[0] for each in (True, False))
    assert guessed == pytest.approx(GUESSED * known)


def test_things_are_named_surest_first_and_none_for_what_another_explains() -> None:
    values = make_values(3)
    values[0, ..., 281] = 0.6
    values[0, ..., 282] = 0.2
    values[0, ..., 950] = 0.15
    values[1, ..., 100] = 0.9
    animals, cats, fruit = [100, *range(281, 286)], range(281, 286), [950]
    groups = make_groups([animals, cats, fruit])
    assert rank_things(groups, sparse(values), 3) == [[1, 2], [0], []]
    assert rank_things(groups, sparse(values), 1) == [[1], [0], []]


def test_missing_class_names_are_named_with_the_command_that_fetches_them(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="models pull"):
        load_labels(tmp_path)
