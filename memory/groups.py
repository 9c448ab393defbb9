"""Entries of groups: so many of each, where one may not crowd out the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def first_of(groups: NDArray[np.int64], each: int) -> NDArray[np.bool_]:
    """Return which entries are among the first `each` of their group.

    >>> first_of(np.array([7, 7, 3, 7]), 2).tolist()
    [True, True, True, False]
    """
    order = np.argsort(groups, kind="stable")
    new = np.flatnonzero(np.diff(groups[order], prepend=groups[order][:1] - 1))
    place = np.arange(len(groups)) - np.repeat(new, np.diff(np.append(new, len(groups))))
    first = np.zeros(len(groups), bool)
    first[order] = place < each
    return first
