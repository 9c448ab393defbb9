"""How likely a frame shows what is asked for, as one number that means the same for every question.

The evidence for a thing is the flattened likelihood of the classes that show it, over all cells: a small thing that
fills a cell or two counts, one stray cell at full likelihood hardly. The more classes a thing has, the more of it is
chance. A frame almost all of one colour is evidence against everything: of an empty car park a classifier must say
something, and says spider. A logistic curve, fitted by benchmarks/nano_search.py, makes it a probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from hicom_agent.encode.colours import COLOURS
from hicom_agent.encode.labels import NUM_CLASSES
from hicom_agent.encode.packing import SparseGrids, flatten
from hicom_agent.encode.things import Thing

if TYPE_CHECKING:
    from hicom_agent.types import Floats


FLOOR = np.float32(-12.75)  # log-likelihood of a class that is not among those kept
# weights of the logarithms of: likelihood, number of classes, what is not of the commonest colour; and the constant
CURVE = (1.2, -0.43, 0.92, 4.17)
NAMED_ODDS = 1.4  # logarithm of the odds from which a thing that nobody asked for is named: of many, some seem likely
NARROWER = 0.6  # share of the evidence for a thing that makes one of its kind the better name
EMPTY = 0.05  # a frame is the emptier, the less than this of it is not of its commonest colour
UNSEEABLE = 0.5  # factor for each main thing that no class shows
# factor for what is only close in meaning to classes: of things whose line is taken away 0.57 are still found in the
# films of benchmarks/nano_search.py (0.48 by a factor of 0.5), 0.055 and of things without class 0.052 found falsely
GUESSED = 0.7
CONTEXT = 0.3  # how much a place or a person that is not seen takes away
COLOUR_CENTRE, COLOUR_WIDTH = 0.05, 0.015  # share of a cell, above the frame's usual, at which a colour is believed
SHARE_WIDTH = 0.04  # around the share of a frame from which a colour is believed to be that of grass, sky or water
# Of 150 pictures with a car or a bottle pasted in, the likeliest cell lies on the thing in 26 %: the network sees 1.4
# cells to each side, and the cells around a thing say its name as loudly as its own. Blurred by REACH it is 87 %, and
# 99 % if a cell that is all of one colour, bare ground or a black bar, has a fifth of a say (patch attention: 32 %).
REACH = 1.0  # cells, one standard deviation
BARE, MIXED = 0.2, 0.2  # say of a cell of one colour; share of other colours from which it has all its say


def find_presence(things: Sequence[Thing], grids: SparseGrids) -> Floats:
    """Return for each frame how likely it shows all `things`, [t] in 0 to 1."""
    main = choose_main(things)
    seen = {thing: _find_one(thing, grids) for thing in things if thing.classes}
    believed = [seen[thing] for thing in main if thing.classes]
    if not believed:
        return np.zeros(len(grids.shapes), np.float32)
    total: Floats = np.min(believed, axis=0)
    for thing in things:
        if thing in main:
            total = total * np.float32(1 if thing.classes else UNSEEABLE)
        elif thing in seen:
            total = total * (1 - CONTEXT + CONTEXT * seen[thing])
    return total


def locate(things: Sequence[Thing], grids: SparseGrids) -> list[Floats]:
    """Return for each frame where the evidence of `find_presence` lies, [h, w]: its strongest place is its presence.

    Of several main things every place counts that shows one of them.
    """
    presence = find_presence(things, grids)
    places = [np.zeros(shape, np.float32) for shape in grids.shapes.tolist()]
    for thing in choose_main(things):
        for frame, (cells, place) in enumerate(zip(_weigh_cells(thing, grids), places, strict=True)):
            near = cv2.GaussianBlur(
                cells[: place.size].reshape(place.shape), (0, 0), REACH, borderType=cv2.BORDER_CONSTANT
            )
            places[frame] = np.maximum(place, near / max(float(near.max()), 1e-9))
    return [place * sure for place, sure in zip(places, presence, strict=True)]


def choose_main(things: Sequence[Thing]) -> list[Thing]:
    """Return what must be seen: things; without any, persons; without those, places."""
    for role in ("main", "person", "context"):
        chosen = [thing for thing in things if thing.role == role]
        if any(thing.classes for thing in chosen):
            return chosen
    return list(things)


def weigh(classes: Sequence[int], grids: SparseGrids) -> Floats:
    """Return the evidence that one of `classes` is there, [t, 3], in the order of `CURVE`."""
    chosen = _shows(classes)[grids.classes]  # [t, cells, k]
    frame = (flatten(grids) * chosen).sum((1, 2)) / grids.num_cells
    many = np.full(len(frame), np.log(max(1, len(classes))))
    return np.stack([_log(frame), many, _fill(grids)], axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Groups:
    """Several groups of classes, and which is a kind of which."""

    members: NDArray[np.bool_]  # [n, 1000]
    evidence: Floats  # [1000, n]: one where a class is a member
    log_sizes: Floats  # [n]
    is_kind_of: NDArray[np.bool_]  # [n, n]: the second has some of the members of the first and no others


def make_groups(groups: Sequence[Sequence[int]]) -> Groups:
    """Return groups given by their classes, none of them empty."""
    members = np.stack([_shows(classes) for classes in groups])
    wide, sizes = members.astype(np.float32), members.sum(1)
    is_kind_of = (wide @ wide.T == sizes[None]) & (sizes[None] < sizes[:, None])
    return Groups(members, wide.T, np.log(sizes.astype(np.float32)), is_kind_of)


def rank_things(groups: Groups, grids: SparseGrids, limit: int) -> list[list[int]]:
    """Return for each frame which of several groups of classes it shows, surest first, at most `limit`.

    A class speaks for one of them only: where a cat is named, the same evidence does not name an animal as well.
    """
    t = len(grids.shapes)
    frame = np.zeros((t, NUM_CLASSES), np.float32)
    rows = np.broadcast_to(np.arange(t)[:, None, None], grids.classes.shape)
    np.add.at(frame, (rows, grids.classes), flatten(grids) / grids.num_cells[:, None, None])
    beside = CURVE[1] * groups.log_sizes + CURVE[2] * _fill(grids)[:, None] + CURVE[3]
    named: list[list[int]] = [[] for _ in range(t)]
    for _ in range(limit):
        evidence = frame @ groups.evidence
        score = CURVE[0] * _log(evidence) + beside
        best = score.argmax(1)
        share = evidence / np.maximum(np.take_along_axis(evidence, best[:, None], 1), 1e-9)
        kinds = np.where(groups.is_kind_of[best] & (share >= NARROWER), score, -np.inf)
        best = np.where(kinds.max(1) > -np.inf, kinds.argmax(1), best)
        for i in np.flatnonzero(score[np.arange(t), best] > NAMED_ODDS):
            named[i].append(int(best[i]))
        frame[groups.members[best]] = 0
    return named


def _fill(grids: SparseGrids) -> Floats:
    """Return the logarithm of how much of each frame is not of its commonest colour, [t], at most 0."""
    commonest = (grids.colours.sum(1) / grids.num_cells[:, None]).max(1)
    filled: Floats = np.log(np.clip((1.003 - commonest) / EMPTY, 1e-3, 1))
    return filled


def _find_one(thing: Thing, grids: SparseGrids) -> Floats:
    score = weigh(thing.classes, grids) @ np.array(CURVE[:3], np.float32) + np.float32(CURVE[3])
    chance: Floats = (GUESSED if thing.guessed else 1) / (1 + np.exp(-score))
    if thing.share:
        return chance * _find_share(thing, grids)
    return chance * _find_colour(thing, grids) if thing.colour else chance


def _weigh_cells(thing: Thing, grids: SparseGrids) -> Floats:
    """Return how much of the evidence for `thing` is each cell's, [t, cells], in no unit."""
    say = BARE + (1 - BARE) * np.clip((1 - grids.colours.max(2)) / MIXED, 0, 1)
    cells: Floats = say * (flatten(grids) * _shows(thing.classes)[grids.classes]).sum(2)
    if thing.share:
        return cells * _shares_of(thing, grids)
    if not thing.colour:
        return cells
    shares = grids.colours[:, :, COLOURS.index(thing.colour)]
    return cells * _trust(shares - _usual(shares, grids)[:, None])


def _find_share(thing: Thing, grids: SparseGrids) -> Floats:
    """Return how surely enough of the cells that count have the colours of what fills a picture."""
    assert thing.share is not None
    counted = np.arange(grids.colours.shape[1]) < _num_counted(thing, grids)[:, None]
    share = (_shares_of(thing, grids) * counted).sum(1) / counted.sum(1)
    sure: Floats = 1 / (1 + np.exp(-(share - thing.share.least) / SHARE_WIDTH))
    return sure.astype(np.float32)


def _shares_of(thing: Thing, grids: SparseGrids) -> Floats:
    """Return how much of each cell has the colours of what fills a picture, or that which was asked for, [t, cells]."""
    assert thing.share is not None
    colours = (thing.colour,) if thing.colour else thing.share.colours
    shares: Floats = grids.colours[:, :, [COLOURS.index(colour) for colour in colours]].sum(2)
    return shares * (np.arange(shares.shape[1]) < _num_counted(thing, grids)[:, None])


def _num_counted(thing: Thing, grids: SparseGrids) -> NDArray[np.int64]:
    """Return how many cells count, [t]: the first ones are the upper ones."""
    rows, columns = grids.shapes.astype(np.int64).T
    return columns * ((rows + 1) // 3).clip(1) if thing.share and thing.share.above else grids.num_cells


def _find_colour(thing: Thing, grids: SparseGrids) -> Floats:
    """Return how surely the cells that show `thing` have more of its colour than the frame has elsewhere."""
    cells = np.cbrt((np.exp(grids.log_likelihoods) * _shows(thing.classes)[grids.classes]).sum(2))  # [t, cells]
    shares = grids.colours[:, :, COLOURS.index(thing.colour)]
    here = (shares * cells / np.maximum(cells.max(1, keepdims=True), 1e-9)).max(1)
    return _trust(here - _usual(shares, grids))


def _usual(shares: Floats, grids: SparseGrids) -> Floats:
    """Return the median over the real cells of each frame, [t]."""
    real = np.arange(shares.shape[1]) < grids.num_cells[:, None]
    usual: Floats = np.nanmedian(np.where(real, shares, np.nan), axis=1)
    return usual


def _trust(excess: Floats) -> Floats:
    sure: Floats = 1 / (1 + np.exp(-(excess - COLOUR_CENTRE) / COLOUR_WIDTH))
    return sure.astype(np.float32)


def _shows(classes: Sequence[int]) -> np.ndarray:
    wanted = np.zeros(NUM_CLASSES, bool)
    wanted[list(classes)] = True
    return wanted


def _log(likelihood: Floats) -> Floats:
    logs: Floats = np.log(np.maximum(likelihood, np.exp(FLOOR)))
    return logs
