"""Confidence is a probability, and grows with what it is made of."""

from __future__ import annotations

from typing import get_args

import pytest

from hicom_agent.agent.confidence import CURVES, How, calibrate


@pytest.mark.parametrize("how", get_args(How))
def test_every_way_to_an_answer_has_a_curve_that_grows(how: How) -> None:
    assert how in CURVES
    sure = [calibrate(how, raw / 20) for raw in range(21)]
    assert sure == sorted(sure) and sure[0] > 0 and sure[-1] < 1
