from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.compress.golden import error, make_inputs, make_projector, read_cases

CASES, OUTPUTS = read_cases("projector")


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_compressor_gives_the_numbers_of_the_original(case: dict[str, Any]) -> None:
    projector, inputs = make_projector(case), make_inputs(case)
    with torch.inference_mode():
        plain, fast = (projector(**inputs, fast=fast) for fast in (False, True))
    assert list(plain.shape) == list(fast.shape) == case["output_shape"]
    assert error(plain, OUTPUTS[case["name"]]) < 1e-5, "plain"
    assert error(fast, OUTPUTS[case["name"]]) < 1e-5, "fast"
