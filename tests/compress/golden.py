"""The golden cases: what to make, and what the original made of it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hicom_agent import testing
from hicom_agent.compress import HIComConfig, HIComProjector
from hicom_agent.testing import make_array

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def read_cases(name: str) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        return json.loads((GOLDEN / f"{name}.json").read_text()), dict(arrays)


@cache  # drawing them takes longer than most tests that need them
def draw_weight(seed: int, name: str, *shape: int) -> Tensor:
    drawn: Tensor = testing.make_weights(seed, {name: shape})[name]
    return drawn


def make_weights(case: dict[str, Any]) -> dict[str, Tensor]:
    return {name: draw_weight(case["seed"], name, *shape) for name, shape in case["weights"].items()}


def make_projector(case: dict[str, Any]) -> HIComProjector:
    projector = HIComProjector(HIComConfig.from_checkpoint(case, case["weights"]))
    projector.load_checkpoint(make_weights(case))
    return projector.eval()


def make_inputs(case: dict[str, Any]) -> dict[str, Any]:
    def array(name: str, *shape: int) -> Tensor:
        return torch.from_numpy(make_array(case["seed"], name, shape))

    guided, fine = case["use_guide"] is not None, case["use_guide"] == "fine"
    return {
        "features": array("V", *case["grid"], 1152),
        "patch_embeds": array("E", *case["grid"], 1152) if guided else None,
        "guide": (array("G", 64, 1152) if fine else array("g", 1152)) if guided else None,
        "modal": case["modal"],
        "newline": array("newline", case["hidden_size"]),
    }


def error(found: Tensor, expected: np.ndarray) -> float:
    wanted = torch.from_numpy(expected)
    assert found.shape == wanted.shape
    return float((found - wanted).norm() / wanted.norm())
