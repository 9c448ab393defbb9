from __future__ import annotations

import pytest

from hicom_agent.agent.evidence import SUPPORT_FROM, word_support
from hicom_agent.agent.plan import wants_names

LINES = ["The red suitcase stands in the cellar.", "Lighting: 3,750 euros"]


@pytest.mark.parametrize(("question", "index"), [("what colour is the suitcase?", 0), ("What does lighting cost?", 1)])
def test_a_word_that_asks_for_a_colour_or_a_price_is_covered_by_one(question: str, index: int) -> None:
    assert word_support(question, LINES[index], LINES[index], 0.45) > SUPPORT_FROM
    assert word_support(question, LINES[1 - index], LINES[1 - index], 0.3) < SUPPORT_FROM


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("What can be seen on the table?", True),
        ("Which animal crosses the street?", True),
        ("How many people are in the film?", False),
        ("What colour is the car?", False),
        ("Who drives the car?", False),
        ("Summarize the video.", False),
        ("What is the film about?", False),
    ],
)
def test_names_of_things_answer_only_what_asks_for_things(question: str, wanted: bool) -> None:
    assert wants_names(question) is wanted
