"""Make a film in which a car park and bottles on a table stand among other footage, at known times.

    .venv/bin/python examples/mixed.py FOLDER

Needs ../shared/videos beside the checkout; the other footage is the demo's.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from film import Part, Shot, make_film, place, where
from footage import fetch

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "videos"

# Read off the frames (12.5 a second), from the first sliver of a car or its shadow at the picture's edge to the last:
# a white car goes up; a silver one comes down while a red one goes up; a white one comes down. At all other times there
# is only wet tarmac with bits of white lines and, at the upper edge, a still dark rim. No car is parked in view.
CARS_S = ((4.4, 8.8), (14.4, 19.2), (25.1, 27.8))
EMPTY_S = ((0.0, 4.3), (8.9, 14.3), (19.3, 25.0), (27.9, 30.1))
BOTTLES_S = ((0.0, 39.8),)  # one to three bottles with blue caps at any moment

# Left out because a car is in them: all of "carphone", and "bikes" before 7.48 s.
SCRIPT: tuple[Part, ...] = (
    Shot("music", 0.68, 42.32, 41.64, "a singer; dancers with sunglasses"),
    Shot("cars", 0.0, 13.2, 13.2, "a white car crosses an empty car park"),
    Shot("bunny", 0.0, 5.28, 5.28, "a large rabbit"),
    Shot("bottles", 0.0, 20.0, 20.0, "bottles are taken away and put back"),
    Shot("music", 72.6, 114.76, 42.16, "a hall, a bar, a singer"),
    Shot("cars", 13.2, 30.1, 16.9, "a silver and a red car, then a white one"),
    Shot("bikes", 7.48, 10.0, 2.52, "an old bicycle by a wall"),
    Shot("bottles", 20.0, 39.8, 19.8, "bottles are taken away and put back"),
    Shot("music", 144.0, 203.2, 59.2, "a singer, dancers, a hall"),
)


@dataclass(frozen=True)
class Mixed:
    """The film and what is true of it, in seconds of the film."""

    path: Path
    cars_s: tuple[tuple[float, float], ...]
    empty_s: tuple[tuple[float, float], ...]  # the car park without a car
    bottles_s: tuple[tuple[float, float], ...]


def make_mixed(folder: Path, shared: Path, clips: Mapping[str, Path]) -> Mixed:
    """Make FOLDER/mixed.mp4 from the files of `shared` and the demo's `clips`."""
    sources = {"cars": shared / "car-detection.mp4", "bottles": shared / "bottle-detection.mp4"}
    sources |= {name: clips[name] for name in ("music", "bunny", "bikes")}
    path = folder / "mixed.mp4"
    make_film(SCRIPT, sources, path)
    return Mixed(path, shown("cars", CARS_S), shown("cars", EMPTY_S), shown("bottles", BOTTLES_S))


def shown(source: str, stretches_s: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Return when the film shows these stretches of a source."""
    return tuple(found for start, end in stretches_s for found in where(SCRIPT, source, start, end))


def main() -> int:
    """Make the film in the folder named on the command line, and print what is in it."""
    if len(sys.argv) != 2 or not SHARED.is_dir():
        print(f"usage: mixed.py FOLDER, with {SHARED} beside the checkout", file=sys.stderr)
        return 2
    made = make_mixed(Path(sys.argv[1]), SHARED, fetch(ROOT / ".demo" / "footage"))
    print(made.path)
    for placed in place(SCRIPT):
        print(f"{placed.start_s:7.2f} {placed.end_s:7.2f}  {placed.part}")
    print(f"cars {made.cars_s}\nempty {made.empty_s}\nbottles {made.bottles_s}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
