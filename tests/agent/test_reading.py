"""How surely a line answers, from what it shares with the question."""

from __future__ import annotations

import pytest

from hicom_agent.agent.reading import READ_FROM, line_support


@pytest.mark.parametrize("question", ["Is there a person?", "Is somebody there?", "Are there any people?"])
def test_a_line_that_names_no_person_shows_none(question: str) -> None:
    for line in ("Q", "Small things. a slide show"):
        assert line_support(question, question, line, line, 0.3, topical=True) < 0.1


def test_a_question_that_names_nothing_is_not_answered_by_just_any_line() -> None:
    assert line_support("What is that?", "What is that?", "Q", "Q", 0.3) == 0
    assert line_support("How much is it?", "How much is it?", "It costs 42 euros.", "It costs 42 euros.", 0.4) > 0.2


def test_a_line_that_names_one_may_show_one() -> None:
    question, line = "Is there a person?", "A person waits at the gate."
    assert line_support(question, question, line, line, 0.3, topical=True) > READ_FROM
