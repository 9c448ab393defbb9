"""The made world of the claim: little films of moving things, and what may be asked about them.

A thing has a colour, a shape, a texture and a written digit, moves along a line, and may come late. Of each pair of
colour and shape there is one, but things share colours, shapes, textures and digits, so that only looking
at the right one answers. Frames are [t, SIDE, SIDE, 3] bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

CELL, CELLS, FRAMES, SIZE = 14, 8, 8, 13  # pixels of a patch, patches a side, frames, pixels of a thing
SIDE = CELL * CELLS
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 80, 230),
    "yellow": (235, 220, 50),
    "purple": (150, 50, 190),
    "orange": (245, 140, 30),
    "white": (245, 245, 245),
    "cyan": (60, 210, 220),
}
SHAPES = ("circle", "square", "triangle", "diamond", "cross")
TEXTURES = ("plain", "striped", "dotted")
DIGITS = tuple(range(10))
PLACES = ("northwest", "northeast", "southwest", "southeast")
MOMENTS = ("start", "early", "late", "end")
KINDS = ("attribute", "place", "order", "count", "moment")
OFTEN = (0.4, 0.2, 0.1, 0.15, 0.15)  # of the kinds
NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight")


_ASKED = (
    "what where when which how many is are the on at first comes does appear there thing things digit texture has end "
    "or with describe ,"
)
VOCABULARY = tuple(
    sorted({*_ASKED.split(), *COLOURS, *SHAPES, *TEXTURES, *map(str, DIGITS), *PLACES, *MOMENTS, *NUMBERS})
)


@dataclass(frozen=True, slots=True)
class Thing:
    colour: str
    shape: str
    texture: str
    digit: int
    path: np.ndarray  # [t, 2], column and row of its cell
    first: int  # frame in which it is first seen; it stays

    @property
    def name(self) -> str:
        return f"{self.colour} {self.shape}"


@dataclass(frozen=True, slots=True)
class World:
    things: tuple[Thing, ...]
    frames: np.ndarray  # [t, SIDE, SIDE, 3]


@cache
def sprite(colour: str, shape: str, texture: str, digit: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels [SIZE, SIZE, 3] and where they are opaque [SIZE, SIZE]."""
    n = 4 * SIZE  # drawn larger, then made small
    middle, third, end = n // 2, n // 4, n - 1
    corners = {
        "square": [(3, 3), (end - 3, 3), (end - 3, end - 3), (3, end - 3)],
        "triangle": [(middle, 0), (end, end - 2), (0, end - 2)],
        "diamond": [(middle, 0), (end, middle), (middle, end), (0, middle)],
    }
    big = np.zeros((n, n), np.uint8)
    if shape == "circle":
        cv2.circle(big, (middle, middle), middle - 1, 255, -1)
    elif shape == "cross":
        big[third : n - third] = big[:, third : n - third] = 255
    else:
        cv2.fillPoly(big, [np.array(corners[shape], np.int32)], 255)
    mask = cv2.resize(big, (SIZE, SIZE), interpolation=cv2.INTER_AREA) > 127
    rgb = np.array(COLOURS[colour], np.float32)
    picture = np.broadcast_to(rgb, (SIZE, SIZE, 3)).copy()
    y, x = np.mgrid[:SIZE, :SIZE]
    dark = {"plain": np.zeros_like(mask), "striped": (x + y) % 4 < 2, "dotted": (x % 3 == 1) & (y % 3 == 1)}[texture]
    picture[dark] *= 0.35
    glyph = np.zeros((SIZE, SIZE), np.uint8)
    cv2.putText(glyph, str(digit), (3, 10), cv2.FONT_HERSHEY_PLAIN, 0.8, 255, 1, cv2.LINE_AA)
    plate = np.zeros_like(mask)
    plate[2:11, 3:10] = True
    picture[plate & mask] = 20
    ink = glyph[..., None] / 255.0
    picture = picture * (1 - ink) + 255 * ink
    return picture.astype(np.uint8), mask | (glyph > 60)


def make_world(random: np.random.Generator) -> World:
    """Return a film of two to five things, fewer where they get in each other's way."""
    count = int(random.integers(2, 6))
    colours = random.permutation(list(COLOURS))[: max(2, count - int(random.integers(1, 3)))]
    shapes = random.permutation(SHAPES)[: int(random.integers(2, 5))]
    pairs = random.permutation([(c, s) for c in colours for s in shapes])[:count]
    taken = np.zeros((FRAMES, CELLS, CELLS), bool)
    things: list[Thing] = []
    for colour, shape in pairs:
        for _ in range(20):
            start, end = random.integers(0, CELLS, 2), random.integers(0, CELLS, 2)
            path = np.rint(start + np.clip(end - start, -4, 4) * np.linspace(0, 1, FRAMES)[:, None]).astype(int)
            if not taken[np.arange(FRAMES), path[:, 1], path[:, 0]].any():
                taken[np.arange(FRAMES), path[:, 1], path[:, 0]] = True
                first = (0, 0, 0, 2, 4, 6)[int(random.integers(6))]
                texture = TEXTURES[int(random.integers(len(TEXTURES)))]
                things.append(Thing(str(colour), str(shape), texture, int(random.integers(10)), path, first))
                break
    return World(tuple(things), draw(random, things))


def draw(random: np.random.Generator, things: list[Thing]) -> np.ndarray:
    """Return frames [t, SIDE, SIDE, 3]; each thing stands in its cell, a pixel off at times."""
    frames = np.empty((FRAMES, SIDE, SIDE, 3), np.uint8)
    ground = random.integers(40, 110, 3)
    frames[:] = np.clip(ground + random.normal(0, 10, (SIDE, SIDE, 1)), 0, 255).astype(np.uint8)
    for thing in things:
        pixels, mask = sprite(thing.colour, thing.shape, thing.texture, thing.digit)
        for t in range(thing.first, FRAMES):
            left, top = thing.path[t] * CELL + random.integers(0, 2, 2)
            frames[t, top : top + SIZE, left : left + SIZE][mask] = pixels[mask]
    return frames


def place(thing: Thing) -> str:
    """Return the quarter of the picture in which a thing ends."""
    x, y = thing.path[-1]
    return ("north" if y < CELLS // 2 else "south") + ("west" if x < CELLS // 2 else "east")


def describe(thing: Thing) -> str:
    """Return all that can be told of a thing, in words."""
    return f"{thing.name} {thing.texture} {thing.digit} {place(thing)} {MOMENTS[thing.first // 2]}"


def ask(random: np.random.Generator, world: World, kind: str = "") -> tuple[str, str, str] | None:
    """Return a question, its answer and its kind; of any kind by default. None where the world has none of it."""
    kind = kind or str(random.choice(KINDS, p=OFTEN))
    things = world.things
    thing, other = (things[i] for i in random.integers(len(things), size=2))
    name = thing.name
    if kind == "describe":
        return f"describe the {name}", describe(thing), kind
    if kind == "attribute":
        if random.random() < 0.6:
            return f"what digit is on the {name}", str(thing.digit), kind
        return f"what texture has the {name}", thing.texture, kind
    if kind == "place":
        return f"where is the {name} at the end", place(thing), kind
    if kind == "moment":
        return f"when does the {name} appear", MOMENTS[thing.first // 2], kind
    if kind == "order":
        if other.first == thing.first or thing.colour == other.colour:
            return None
        earlier = min(thing, other, key=lambda each: each.first)
        return f"which comes first the {name} or the {other.name}", earlier.colour, kind
    what = thing.colour if random.random() < 0.5 else thing.shape
    return f"how many {what} things are there", NUMBERS[sum(what in (t.colour, t.shape) for t in things)], kind
