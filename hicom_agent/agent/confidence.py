"""How sure an answer may claim to be: what came of answers of its kind on films whose contents are known.

A raw confidence is a support, a likelihood or a product of both, and means something else on each way to an answer.
One logistic curve for each way makes it the share of such answers that were right; for what was declined, the share
that was rightly declined. `benchmarks/calibrate.py` fits the curves on all sets of questions but the reported half.
"""

from __future__ import annotations

import math
from typing import Literal

How = Literal[
    "unseen",
    "read in vain",
    "told apart",
    "named",
    "times",
    "whether",
    "quoted",
    "chosen",
    "read",
    "written",
    "viewed",
    "listed",
    "order",
]
CURVES: dict[How, tuple[float, float]] = {  # way: constant, factor of the logarithm of the raw odds
    "unseen": (-0.39, 0.1),  # 90 of 199 right
    "read in vain": (0.5, 0.09),  # 86 of 126, with a model that reads lines again
    "told apart": (0.47, 0.53),  # 1 of 1
    "named": (1.02, 0.3),  # 2 of 3
    "times": (0.79, 0.17),  # 53 of 68
    "whether": (2.15, 0.68),  # 22 of 22
    "quoted": (0.3, 0.54),  # 4 of 6
    "chosen": (1.46, 0.89),  # 179 of 228
    "read": (-0.04, 0.9),  # 229 of 266, with the same
    "written": (1.26, 0.31),  # none: the curve of all
    "viewed": (1.26, 0.31),  # none
    "listed": (1.98, 0.74),  # 41 of 41
    "order": (1.26, 0.31),  # none
}


def calibrate(how: How, raw: float) -> float:
    """Return the probability that an answer that came about this way with this raw confidence is right.

    >>> 0 <= calibrate("times", 0.5) <= calibrate("times", 0.9) <= 1
    True
    """
    constant, factor = CURVES[how]
    return 1 / (1 + math.exp(-(constant + factor * log_odds(raw))))


def log_odds(probability: float) -> float:
    """Return the logarithm of the odds, within limits."""
    kept = min(0.98, max(0.02, probability))
    return math.log(kept / (1 - kept))
