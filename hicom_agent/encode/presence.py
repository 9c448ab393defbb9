"""How likely a frame shows what is asked for, as one number that means the same for every question.

The evidence for a thing is the likelihood of the classes that show it: in the cell where it is highest (a small
thing fills one cell) and, flattened, over the whole frame (a stray cell is not a thing). A logistic curve, fitted
by benchmarks/nano_search.py, makes it a probability. What the encoder cannot see is never given more than a half.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hicom_agent.encode.colours import COLOURS
from hicom_agent.encode.labels import NUM_CLASSES
from hicom_agent.encode.things import Thing

if TYPE_CHECKING:
    from hicom_agent.types import Floats

FLOOR = -12.75  # log-likelihood of a class that is not among those kept
FLATTEN = 3.0  # temperature of the likelihoods averaged over a frame
# weights of: best cell, frame, logarithm of the number of classes; and the constant
CURVE = (0.17, 1.0, -0.06, 3.76)
UNSEEABLE = 0.5  # factor for each main thing that no class shows
CONTEXT = 0.3  # how much a place or a person that is not seen takes away
COLOUR_CENTRE, COLOUR_WIDTH = 0.05, 0.015  # share of a cell, above the frame's usual, at which a colour is believed


def find_presence(things: Sequence[Thing], values: Floats) -> Floats:
    """Return for each frame of V [t, h, w, 1011] how likely it shows all `things`, [t] in 0 to 1."""
    main = choose_main(things)
    if not main:
        return np.zeros(len(values), np.float32)
    seen = {thing: _find_one(thing, values) for thing in things if thing.classes}
    believed = [seen[thing] for thing in main if thing.classes]
    total: Floats = np.min(believed, axis=0) if believed else np.zeros(len(values), np.float32)
    for thing in things:
        if thing in main:
            total = total * (1 if thing.classes else UNSEEABLE)
        elif thing in seen:
            total = total * (1 - CONTEXT + CONTEXT * seen[thing])
    return total.astype(np.float32)


def choose_main(things: Sequence[Thing]) -> list[Thing]:
    """Return what must be seen: things; without any, persons; without those, places."""
    for roles in (("main",), ("person",), ("context",)):
        chosen = [thing for thing in things if thing.role in roles]
        if any(thing.classes for thing in chosen) or (chosen and roles == ("context",)):
            return chosen
    return list(things)


def weigh(classes: Sequence[int], values: Floats) -> tuple[Floats, Floats]:
    """Return the log-likelihoods that one of `classes` is in the best cell, and in the flattened frame, both [t]."""
    likelihoods = values[..., :NUM_CLASSES]
    best = likelihoods[..., list(classes)].sum(-1).max((1, 2))
    flat = np.cbrt(likelihoods)  # a temperature of FLATTEN
    frame = (flat[..., list(classes)].sum(-1) / np.maximum(flat.sum(-1), 1e-9)).mean((1, 2))
    return _log(best), _log(frame)


def _find_one(thing: Thing, values: Floats) -> Floats:
    best, frame = weigh(thing.classes, values)
    slope_best, slope_frame, slope_many, constant = CURVE
    score = slope_best * best + slope_frame * frame + slope_many * np.log(len(thing.classes)) + constant
    chance = 1 / (1 + np.exp(-score))
    return np.asarray(chance * _find_colour(thing, values) if thing.colour else chance, np.float32)


def _find_colour(thing: Thing, values: Floats) -> Floats:
    """Return how surely the cells that show `thing` have more of its colour than the frame has elsewhere."""
    cells = np.cbrt(values[..., list(thing.classes)].sum(-1)).reshape(len(values), -1)
    shares = values[..., NUM_CLASSES + COLOURS.index(thing.colour)].reshape(len(values), -1)
    here = (shares * cells / np.maximum(cells.max(1, keepdims=True), 1e-9)).max(1)
    excess = here - np.median(shares, axis=1)
    return np.asarray(1 / (1 + np.exp(-(excess - COLOUR_CENTRE) / COLOUR_WIDTH)), np.float32)


def _log(likelihood: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(likelihood, np.exp(FLOOR))), np.float32)


def rank_classes(values: Floats, limit: int) -> list[list[int]]:
    """Return for each frame the classes that are likelier there than not, at most `limit`, and at least the first."""
    likelihoods = values[..., :NUM_CLASSES]
    flat = np.cbrt(likelihoods)
    frame = (flat / np.maximum(flat.sum(-1, keepdims=True), 1e-9)).mean((1, 2))  # [t, classes]
    score = CURVE[0] * _log(likelihoods.max((1, 2))) + CURVE[1] * _log(frame) + CURVE[3]
    order = np.argsort(-score, axis=1)[:, :limit]
    return [
        [int(number) for rank, number in enumerate(row) if rank == 0 or scores[number] > 0]
        for row, scores in zip(order, score, strict=True)
    ]
