"""Several rankings made one, by reciprocal rank; and not too many of one video."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

RANK_OFFSET = 60  # of reciprocal rank fusion (Cormack and others, 2009)
T = TypeVar("T")
Key = TypeVar("Key", str, tuple[str, int])


def fuse(rankings: Iterable[Sequence[Key]], offset: int = RANK_OFFSET) -> dict[Key, float]:
    """Return the reciprocal-rank score of every video, or (video, row), that stands in any ranking, best first.

    >>> list(fuse([[("v", 1), ("v", 2)], [("v", 2)]]))
    [('v', 2), ('v', 1)]
    """
    scores: dict[Key, float] = {}
    for ranking in rankings:
        for rank, key in enumerate(ranking):
            scores[key] = scores.get(key, 0.0) + 1 / (offset + rank + 1)
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))


def cap(best: Sequence[T], per_video: int, video_of: Callable[[T], str]) -> list[T]:
    """Return what comes best first without more than `per_video` of one video.

    >>> cap(["a1", "a2", "b1"], 1, lambda each: each[0])
    ['a1', 'b1']
    """
    num: Counter[str] = Counter()
    kept = []
    for each in best:
        num[video_of(each)] += 1
        if num[video_of(each)] <= per_video:
            kept.append(each)
    return kept
