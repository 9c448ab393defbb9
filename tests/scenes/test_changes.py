"""What changes and stays changed is found; what passes by is not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hicom_agent.scenes import LEAD_S, TAIL_S, find_changes, segment_changes
from hicom_agent.types import Glimpse


def table(duration_s: float, *things: tuple[float, float, int]) -> list[Glimpse]:
    """Return glimpses of a noisy table on which things stand from a time to a time at a column."""
    rng = np.random.default_rng(0)
    glimpses = []
    for i in range(round(duration_s * 5)):
        picture = np.clip(120 + rng.normal(0, 4, (36, 64, 3)), 0, 255).astype(np.uint8)
        for from_s, to_s, column in things:
            if from_s <= i / 5 < to_s:
                picture[20:28, column : column + 6] = (200, 60, 30)
        glimpses.append(Glimpse(i / 5, picture))
    return glimpses


def test_a_thing_put_down_and_taken_away_are_two_changes() -> None:
    assert find_changes(table(60, (20.0, 41.0, 30))) == pytest.approx([20.0, 41.0], abs=0.21)


def test_a_thing_that_passes_is_no_change() -> None:
    passing = [(20.0 + i * 0.4, 20.4 + i * 0.4, 8 * i) for i in range(8)]
    assert find_changes(table(60, *passing)) == []


def test_two_changes_within_a_moment_are_one() -> None:
    assert find_changes(table(60, (20.0, 60.0, 10), (21.0, 60.0, 40))) == pytest.approx([20.5], abs=0.71)


def test_a_video_shorter_than_what_is_compared_has_no_changes() -> None:
    assert find_changes(table(4, (2.0, 4.0, 10))) == [] == find_changes([])


def test_pictures_that_come_seldom_stand_until_the_next() -> None:
    film = table(60, (20.0, 41.0, 30))[::15]
    assert find_changes(film) == pytest.approx([21.0, 42.0], abs=0.41)


def test_segments_find_together_what_one_search_finds_wherever_the_pass_began() -> None:
    things = [(7.0, 13.0, 3), (19.5, 33.0, 20), (41.0, 52.0, 40), (60.2, 75.0, 5), (69.8, 99.0, 30)]
    film = table(100, *things)
    whole, resumed = [], []
    for start_s in np.arange(0.0, 100.0, 20.0):
        whole += segment_changes(film, start_s, start_s + 20)
        part = [g for g in film if start_s - LEAD_S <= g.time_s < start_s + 20 + TAIL_S]
        resumed += segment_changes(part, start_s, start_s + 20)
    assert whole == resumed == pytest.approx(find_changes(film))
    assert len(whole) == 9


@pytest.mark.footage
def test_bottles_put_on_and_taken_off_are_changes(glimpses_of: Callable[[str], list[Glimpse]]) -> None:
    changes = find_changes(glimpses_of("bottle"))
    for seen_s in (7.2, 11.7, 17.8, 24.8, 31.8):
        assert min(abs(change_s - seen_s) for change_s in changes) <= 1.0, f"none near {seen_s} s in {changes}"
