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
    "unseen": (-0.27, 0.09),  # 95 of 197 right
    "read in vain": (0.6, 0.09),  # 91 of 129, with a model that reads lines again
    "told apart": (0.47, 0.53),  # 1 of 1
    "named": (1.08, 0.34),  # 2 of 3
    "times": (1.02, 0.17),  # 54 of 66
    "whether": (2.22, 0.7),  # 24 of 24
    "quoted": (0.4, 0.59),  # 5 of 7
    "chosen": (1.54, 0.84),  # 183 of 229
    "read": (0.37, 0.78),  # 230 of 261, with the same
    "written": (1.37, 0.35),  # none: the curve of all
    "viewed": (1.37, 0.35),  # none
    "listed": (2.05, 0.75),  # 43 of 43
    "order": (1.37, 0.35),  # none
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
