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
    "unseen": (-0.36, 0.06),  # 93 of 212 right
    "read in vain": (0.53, 0.06),  # 89 of 133, with a model that reads lines again
    "told apart": (0.48, 0.53),  # 1 of 1
    "named": (1.76, 0.49),  # 2 of 2
    "times": (0.1, 0.66),  # 52 of 69
    "whether": (2.11, 0.8),  # 22 of 22
    "quoted": (0.5, 0.53),  # 3 of 5
    "chosen": (1.78, 1.07),  # 167 of 210
    "read": (0.38, 0.8),  # 230 of 264, with the same
    "written": (1.35, 0.5),  # none: the curve of all
    "viewed": (1.35, 0.5),  # none
    "listed": (1.96, 0.83),  # 41 of 41
    "order": (1.35, 0.5),  # none
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
