"""How sure an answer may claim to be: what came of answers of its kind on films whose contents are known.

A raw confidence is a support, a likelihood or a product of both, and means something else on each way to an answer.
One logistic curve for each way makes it the share of such answers that were right; for what was declined, the share
that was rightly declined. `benchmarks/calibrate.py` fits the curves on the tuning half of the quality set.
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
    "unseen": (-0.34, 0.13),  # 39 of 81 right
    "read in vain": (0.27, 0.34),  # 40 of 53, with a model that reads lines again
    "told apart": (0.46, 0.54),  # 1 of 1
    "named": (1.71, 0.33),  # 3 of 3
    "times": (0.14, 0.49),  # 21 of 29
    "whether": (1.68, 0.51),  # 5 of 5
    "quoted": (0.37, 0.42),  # 0 of 1
    "chosen": (1.45, 0.76),  # 53 of 70
    "read": (0.47, 0.6),  # 77 of 90, with the same
    "written": (1.09, 0.33),  # none: the curve of all
    "viewed": (1.09, 0.33),  # none
    "listed": (1.25, 0.49),  # 3 of 3
    "order": (1.09, 0.33),  # none
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
