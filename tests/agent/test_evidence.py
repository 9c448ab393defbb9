from __future__ import annotations

import pytest

from hicom_agent.agent.plan import understand, wants_names
from hicom_agent.agent.reading import READ_FROM, line_support

LINES = ["The red suitcase stands in the cellar.", "Lighting: 3,750 euros"]


@pytest.mark.parametrize(("question", "index"), [("what colour is the suitcase?", 0), ("What does lighting cost?", 1)])
def test_a_word_that_asks_for_a_colour_or_a_price_is_covered_by_one(question: str, index: int) -> None:
    about = understand(question).about
    assert line_support(question, about, LINES[index], LINES[index], 0.5) > READ_FROM
    assert line_support(question, about, LINES[1 - index], LINES[1 - index], 0.3) < READ_FROM


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
