from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.compress.golden import error, make_inputs, make_projector, read_cases

CASES, OUTPUTS = read_cases("projector")


@pytest.mark.parametrize("fast", [False, True], ids=["plain", "fast"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_compressor_gives_the_numbers_of_the_original(case: dict[str, Any], fast: bool) -> None:
    projector, inputs = make_projector(case), make_inputs(case)
    with torch.inference_mode():
        tokens = projector(**inputs, fast=fast)
    assert list(tokens.shape) == case["output_shape"]
    assert error(tokens, OUTPUTS[case["name"]]) < 1e-5
