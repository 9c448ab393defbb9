from __future__ import annotations

import pytest

from hicom_agent.llm.grounding import ungrounded
from hicom_agent.llm.spans import answer_spans, lacks_answer, lacks_kind, unmet

LINE = "Stir in two cups of flour and a pinch of salt."


@pytest.mark.parametrize(
    ("question", "line"),
    [
        ("When does the ferry leave?", "The ferry leaves at half past ten."),
        ("How much flour is needed?", LINE),
        ("Who is the narrator?", "Narrated by Ines Duarte"),
        ("What is the departure time?", "Platform 4 Departure 16:52"),
        ("What colour is her coat?", "She wears a green coat."),
        ("What is the total price?", "TOTAL $1,299"),
        ("What is the name of the surgeon?", "Dr. Paul Adeyemi, surgeon"),
    ],
)
def test_a_question_is_met_by_a_line_that_answers_it(question: str, line: str) -> None:
    assert unmet(question, ["Something else is said.", line]) == []


@pytest.mark.parametrize(
    ("question", "line", "missing"),
    [
        ("What breed is the dog?", "A dog runs over the lawn.", ["bre"]),
        ("How much sugar is needed?", LINE, ["sugar"]),
        ("What is the name of the chef?", "The chef adds basil to the soup.", ["nam"]),
        ("What colour is the car?", "The car stops.", ["colour"]),
        ("How many cars are there?", "There are cars.", ["many"]),
        ("What brand are the batteries?", "The batteries are in the drawer.", ["brand"]),
    ],
)
def test_what_a_line_does_not_answer_is_named(question: str, line: str, missing: list[str]) -> None:
    assert unmet(question, [line]) == missing


def test_without_evidence_nothing_is_met() -> None:
    assert unmet("Where is the cat?", []) == ["cat"]


def test_every_span_is_grounded_short_and_says_something_new() -> None:
    question = "What is put into the bowl?"
    spans = answer_spans(LINE, question)
    assert "two cups of flour" in spans and "pinch of salt" in spans
    assert all(span in LINE and len(span.split()) <= 6 and not ungrounded(span, [LINE]) for span in spans)
    assert len(spans) == len(set(spans))


def test_who_is_answered_by_a_name_if_there_is_one() -> None:
    line = "Every evening at half past seven, Oliver waters the plants."
    assert answer_spans(line, "Who waters the plants?") == ["Oliver"]
    assert "grandmother" in " ".join(answer_spans("My grandmother opened the place.", "Who opened the place?"))


def test_where_is_answered_by_what_a_word_of_place_leads_to() -> None:
    line = "Denise keeps the spare key in the blue drawer."
    spans = answer_spans(line, "Where is the spare key?")
    assert "blue drawer" in spans and "Denise" not in spans
    assert answer_spans("Platform 6.", "Where does it leave?"), "without such a word any will do"


def test_spans_are_of_the_kind_that_is_asked_for_if_there_are_such() -> None:
    assert answer_spans("She wears a green coat and a white hat.", "What colour is her coat?") == ["green", "white"]
    assert "pinch of salt" not in answer_spans(LINE, "How many cups?")
    assert answer_spans("Nobody came.", "How many guests came?") == ["Nobody"]


@pytest.mark.parametrize("line", ["", "the of and", "!!! ..."])
def test_a_line_without_words_has_no_spans(line: str) -> None:
    assert answer_spans(line, "What is it?") == []


@pytest.mark.parametrize(
    ("line", "question", "lacks"),
    [
        ("The guided tour is at 11:20 with Frida.", "How much is the guided tour?", True),
        ("The guided tour is 4 euros.", "How much is the guided tour?", False),
        ("The exam is on the ninth of June.", "At what time does the exam start?", True),
        ("The exam starts at half past nine.", "At what time does the exam start?", False),
        ("The exam is on June 9 at 8:30.", "At what time does the exam start?", False),
        ("Her name is Martha.", "What is the name of the woman with the old boat house?", False),
        ("The old mill is used for concerts.", "What is the old mill used for?", False),
        ("You pay by card.", "How do I pay?", False),
        ("The ferry leaves at dawn.", "At what time does the ferry leave?", False),
        ("The cat sleeps in the basket.", "What is the cat called?", False),
        ("The cat sleeps in the basket.", "Where does the cat sleep?", False),
    ],
)
def test_a_line_without_the_kind_that_is_asked_for_is_told(line: str, question: str, lacks: bool) -> None:
    assert lacks_kind(line, question) is lacks


@pytest.mark.parametrize(
    ("line", "question", "lacks"),
    [
        ("The last train leaves at a quarter past nine.", "Which platform does the last train leave from?", True),
        ("The last train leaves from platform 6.", "Which platform does the last train leave from?", False),
        ("The 9:30 train goes to Oslo.", "Which train goes to Oslo?", False),
        ("The barrier was quickly repaired on Thursday.", "Who broke the barrier?", True),
        ("The train leaves from platform nine.", "Which platform does the train leave from?", False),
        ("The captain is named Mira.", "Who is the captain?", False),
        ("The hall was crowded when Anna came.", "Who came?", False),
        ("The guide is Fred Wood.", "Who is the guide?", False),
        ("The barrier was repaired by Ines.", "Who repaired the barrier?", False),
    ],
)
def test_a_time_is_no_thing_and_a_passive_names_nobody(line: str, question: str, lacks: bool) -> None:
    assert lacks_answer(line, question) is lacks
