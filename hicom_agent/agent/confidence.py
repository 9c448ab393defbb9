"""How sure an answer may claim to be: what came of answers of its kind on films whose contents are known.

A raw confidence is a support, a likelihood or a product of both, and means something else on each way to an answer.
One logistic curve for each way makes it the share of such answers that were right; for what was declined, the share
that was rightly declined. `benchmarks/calibrate.py` fits the curves on the tuning half of the quality set, and words.
"""

from __future__ import annotations

import math
from typing import Literal

How = Literal[
    "unseen",
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
    "unseen": (-0.81, 0.37),  # 73 of 151 right
    "told apart": (0.46, 0.54),  # 1 of 1 right
    "named": (1.52, 0.3),  # 3 of 3 right
    "times": (-0.44, 0.72),  # 33 of 47 right
    "whether": (1.49, 0.52),  # 5 of 5 right
    "quoted": (0.14, 0.39),  # 0 of 1 right
    "chosen": (1.13, 0.82),  # 84 of 121 right
    "read": (-0.31, 1.35),  # 114 of 148 right, with the reader that is packaged
    "written": (0.79, 0.31),  # none: the curve of all
    "viewed": (0.79, 0.31),  # none: the curve of all
    "listed": (0.64, 0.16),  # 3 of 4 right
    "order": (0.79, 0.31),  # none: the curve of all
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
