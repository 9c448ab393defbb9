"""Shots into clips: lengths that can be searched and encoded."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import ceil

from hicom_agent.types import Clip

ALONE_S = 1.0  # frames are sampled once a second: a shorter clip might hold none and never be found


def make_clips(
    duration_s: float,
    cuts: Sequence[float],
    changes: Sequence[float] = (),
    holes: Sequence[tuple[float, float]] = (),
    min_s: float = 2.0,
    max_s: float = 30.0,
) -> list[Clip]:
    """Return clips that cover [0, duration_s] but for the holes, in order, without gap or overlap.

    Clips are min_s to max_s long and span no cut. Where both can't hold, the cut wins down to ALONE_S: a shot of at
    least that is a clip of its own, even if shorter than min_s. A still shorter shot (flash cuts) joins the shorter of
    its neighbours; only such a clip spans a cut, and only beside a hole or in a short video is a clip shorter than
    ALONE_S. Longer shots are split at lasting changes, or evenly where there are none; min_s holds for these pieces.

    >>> [(clip.start_s, clip.end_s) for clip in make_clips(50.0, cuts=[10.0], changes=[14.0, 31.0])]
    [(0.0, 10.0), (10.0, 31.0), (31.0, 50.0)]

    Raises ValueError unless 0 < 2 * min_s <= max_s.
    """
    if not 0 < 2 * min_s <= max_s:
        raise ValueError(f"need 0 < 2 * min_s <= max_s, got {min_s=} and {max_s=}")
    cuts, changes = sorted(cuts), sorted(changes)
    pieces: list[tuple[float, float]] = []
    for start_s, end_s in _covered(duration_s, holes):
        inside = cuts[bisect_right(cuts, start_s) : bisect_left(cuts, end_s)]
        for shot in _join_short(list(pairwise([start_s, *inside, end_s]))):
            pieces += _split_long(shot, changes, min_s, max_s)
    return [Clip(index, start_s, end_s) for index, (start_s, end_s) in enumerate(pieces)]


def _covered(duration_s: float, holes: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the stretches of [0, duration_s] outside of the holes, which may overlap."""
    stretches: list[tuple[float, float]] = []
    position_s = 0.0
    for start_s, end_s in [*sorted(holes), (duration_s, duration_s)]:
        if min(start_s, duration_s) > position_s:
            stretches.append((position_s, min(start_s, duration_s)))
        position_s = max(position_s, end_s)
    return stretches


def _join_short(shots: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the shots with each that is shorter than ALONE_S joined to its shorter neighbour."""
    joined: list[tuple[float, float]] = []
    waiting_s: float | None = None  # where a short shot begins that joins the next one
    for i, (start_s, end_s) in enumerate(shots):
        start_s = start_s if waiting_s is None else waiting_s
        waiting_s = None
        if end_s - start_s >= ALONE_S:
            joined.append((start_s, end_s))
        elif i + 1 < len(shots) and (not joined or _length(shots[i + 1]) <= _length(joined[-1])):
            waiting_s = start_s
        elif joined:
            joined[-1] = (joined[-1][0], end_s)
        else:
            joined.append((start_s, end_s))
    return joined


def _split_long(
    shot: tuple[float, float], changes: Sequence[float], min_s: float, max_s: float
) -> list[tuple[float, float]]:
    """Return the shot in pieces of at most max_s: at the change nearest to its middle, again if need be, or evenly."""
    pieces: list[tuple[float, float]] = []
    waiting = [shot]
    while waiting:
        start_s, end_s = waiting.pop()
        middle_s = (start_s + end_s) / 2
        usable = changes[bisect_left(changes, start_s + min_s) : bisect_right(changes, end_s - min_s)]
        if end_s - start_s <= max_s:
            pieces.append((start_s, end_s))
        elif usable:
            split_s = min(usable, key=lambda change_s: abs(change_s - middle_s))
            waiting += [(split_s, end_s), (start_s, split_s)]
        else:
            count = ceil((end_s - start_s) / max_s)
            edges = [start_s + (end_s - start_s) * n / count for n in range(count)]
            pieces += pairwise([*edges, end_s])
    return pieces


def _length(piece: tuple[float, float]) -> float:
    return piece[1] - piece[0]
