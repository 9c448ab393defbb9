"""Politeness and indirect speech change nothing of what is asked."""

from __future__ import annotations

import pytest

from hicom_agent.agent.plain import put_plainly
from hicom_agent.agent.plan import split_question, understand


@pytest.mark.parametrize(
    ("question", "plain"),
    [
        ("Can you tell me what platform the ferry leaves from?", "what platform the ferry leaves from"),
        ("hi, I was wondering if the tour starts at noon", "does the tour starts at noon"),
        ("Would you know whether or not dogs are allowed?", "are dogs allowed"),
        ("Any idea how long the film lasts?", "how long is the film"),
        ("Hello, what does it cost?", "what does it cost?"),
        ("The sign, so what does it say?", "The sign, so what does it say?"),
        ("Tell me the moments when the car is seen", "when the car is seen"),
        ("give me all timestamps where a dog appears", "when a dog appears"),
        ("What happened the time when he left?", "What happened the time when he left?"),
        ("Can you tell me what is said, please?", "what is said"),
        ("Please summarise the video", "Please summarise the video"),
        ("", ""),
        ("?!", "?!"),
    ],
)
def test_a_question_is_put_plainly(question: str, plain: str) -> None:
    assert put_plainly(question) == plain


def test_a_polite_question_asks_for_the_same_kind_of_answer() -> None:
    for polite, plain in (
        ("Could you tell me when the car is seen?", "when is the car seen"),
        ("Do you know if there is a dog?", "is there a dog"),
        ("I wonder how often the car is seen", "how often is the car seen"),
    ):
        assert understand(split_question(polite)[0]).kind == understand(plain).kind


def test_parts_of_a_list_of_questions_are_asked_one_by_one() -> None:
    assert split_question("What is the soup, how much is a ticket and where do I pay?") == [
        "What is the soup",
        "how much is a ticket",
        "where do I pay?",
    ]
    assert len(split_question("And the cat, when is it shown?")) == 1
