"""Which stretches of a film are asked about, and which of their pictures are shown."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hicom_agent import scenes
from hicom_agent.types import Damage

WINDOW_S = 30.0  # of footage without cuts, as the memory splits it


@dataclass(frozen=True, slots=True)
class Scene:
    """A clip that holds a keyframe. Times are seconds of the video, all of frames that it shows but for the end."""

    start_s: float
    end_s: float
    keyframes_s: tuple[float, ...]
    pictures_s: tuple[float, ...]  # of the pictures that are shown to the model; one of them is a keyframe


@dataclass(frozen=True, slots=True)
class Film:
    """A video that was watched for its clips."""

    path: str  # absolute, without links
    size_bytes: int
    mtime_ns: int
    duration_s: float
    width_px: int
    height_px: int
    num_cuts: int
    num_keyframes: int
    scenes: tuple[Scene, ...]
    damage_s: float = 0.0  # that could not be read

    def as_row(self) -> dict[str, Any]:
        """Return what the ledger keeps."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Film:
        """Return what `as_row` told; raises TypeError or KeyError for something else."""
        found = [
            Scene(clip["start_s"], clip["end_s"], tuple(clip["keyframes_s"]), tuple(clip["pictures_s"]))
            for clip in row["scenes"]
        ]
        return cls(**(row | {"scenes": tuple(found)}))


@dataclass(frozen=True, slots=True)
class Watched:
    """What one pass over a film saw."""

    duration_s: float
    cuts: Sequence[float]
    changes: Sequence[float]
    damage: Sequence[Damage]
    frames_s: Sequence[float]  # of the pictures seen, one a second or so
    keyframes_s: Sequence[float]


def choose_scenes(watched: Watched, num_pictures: int, min_s: float, max_s: float) -> list[Scene]:
    """Return the clips of min_s to max_s that hold a keyframe, in order.

    Shots shorter than min_s are joined to what follows, the last one to what went before; longer ones than max_s are
    split where the picture changes for good, or evenly. A film without cuts becomes windows of WINDOW_S at most.
    """
    holes = [(damage.start_s, damage.end_s) for damage in watched.damage]
    cuts = join_short(watched.cuts, watched.duration_s, holes, min_s)
    longest_s = max_s if watched.cuts else max(2 * min_s, min(max_s, WINDOW_S))
    pieces = scenes.make_clips(watched.duration_s, cuts, watched.changes, holes, min_s, longest_s)
    chosen = []
    for piece in pieces:
        keys = _between(watched.keyframes_s, piece.start_s, piece.end_s)
        if keys and min_s <= piece.end_s - piece.start_s <= max_s:
            frames = _between(watched.frames_s, piece.start_s, piece.end_s)
            pictures = choose_pictures(frames, keys, num_pictures)
            chosen.append(Scene(piece.start_s, piece.end_s, tuple(keys), tuple(pictures)))
    return chosen


def join_short(
    cuts: Sequence[float], duration_s: float, holes: Sequence[tuple[float, float]], min_s: float
) -> list[float]:
    """Return those of the cuts between which at least min_s lie; a hole ends a shot, too.

    >>> join_short([2.0, 4.0, 6.0, 20.0, 28.0], 30.0, [], 5.0)
    [6.0, 20.0]
    """
    edges = [0.0, *(edge for hole in sorted(holes) for edge in hole), duration_s]
    kept: list[float] = []
    for start_s, end_s in zip(edges[::2], edges[1::2], strict=True):
        mine: list[float] = []
        for cut_s in _between(sorted(cuts), start_s, end_s):
            if cut_s - (mine[-1] if mine else start_s) >= min_s:
                mine.append(cut_s)
        if mine and end_s - mine[-1] < min_s:
            mine.pop()
        kept += mine
    return kept


def choose_pictures(frames_s: Sequence[float], keyframes_s: Sequence[float], num: int) -> list[float]:
    """Return the times of `num` frames at most, evenly spread; the first keyframe stands for the one nearest to it.

    >>> choose_pictures([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [4.0], 3)
    [1.0, 4.0, 5.0]
    """
    total = len(frames_s)
    if total <= num:
        return list(frames_s)
    chosen = [frames_s[(2 * i + 1) * total // (2 * num)] for i in range(num)]
    if not set(chosen) & set(keyframes_s):
        key_s = keyframes_s[0]
        nearest = min(range(num), key=lambda i: abs(chosen[i] - key_s))
        chosen[nearest] = key_s
    return sorted(chosen)


def _between(times_s: Sequence[float], start_s: float, end_s: float) -> list[float]:
    """Return those of the sorted times in [start_s, end_s)."""
    return list(times_s[bisect_left(times_s, start_s) : bisect_left(times_s, end_s)])
