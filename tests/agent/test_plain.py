"""Politeness and indirect speech change nothing of what is asked."""

from __future__ import annotations

import pytest

from hicom_agent.agent.parts import split_question
from hicom_agent.agent.plain import put_plainly
from hicom_agent.agent.plan import understand


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


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("And the rocket?", ["the rocket"]),
        ("What about the man with the hat?", ["the man with the hat"]),
        ("And the old man leaves the house?", ["And the old man leaves the house?"]),
        (
            "How often is the cat seen, and what about the dog?",
            ["How often is the cat seen", "How often is the dog seen"],
        ),
        ("When is the rocket shown, and the cat?", ["When is the rocket shown", "When is the cat shown"]),
        ("Is there a cat, and a rocket?", ["Is there a cat", "Is there a rocket"]),
        ("How much is the ticket, and what about children?", ["How much is the ticket", "what about children?"]),
        ("When does the ferry leave, and the bus?", ["When does the ferry leave, and the bus?"]),
        ("When do the boat, the crane, and the car appear?", ["When do the boat, the crane, and the car appear?"]),
        ("When is the car seen, and what about before that?", ["When is the car seen", "what about before that?"]),
        ("What lies between the chair, and the table?", ["What lies between the chair, and the table?"]),
    ],
)
def test_another_thing_is_asked_the_same(question: str, parts: list[str]) -> None:
    assert split_question(question) == parts


@pytest.mark.parametrize(
    ("question", "sources"),
    [
        ("When does the film mention the museum?", ("speech", "text")),
        ("When is the museum mentioned?", ("speech", "text")),
        ("When are we told what parking costs?", ("speech", "text")),
        ("When does she mention the museum?", ("speech",)),
        ("When is the museum mentioned by the narrator?", ("speech",)),
        ("What does the man tell us?", ("speech",)),
    ],
)
def test_what_is_told_without_a_teller_may_be_said_or_written(question: str, sources: tuple[str, ...]) -> None:
    assert understand(question).sources == sources
