"""Questions are read by rule: parts, kind, and where the wording points."""

from __future__ import annotations

import pytest

from hicom_agent.agent.plan import split_question, understand


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When does a car drive through?", "when"),
        ("At what point in the film does the rabbit appear?", "when"),
        ("How many times does a car pass?", "count"),
        ("How often is the bell heard?", "count"),
        ("How long is the bus in view?", "how long"),
        ("Is there a dog in the video?", "whether"),
        ("What time does the museum open?", "open"),
        ("What colour is the suitcase?", "open"),
        ("Who waters the plants?", "open"),
        ("Show me the cat", "when"),
        ("find all cars", "when"),
        ("timestamps of the red car", "when"),
        ("red car", "when"),
        ("phone number", "open"),
        ("phone number?", "open"),
        ("Why?", "open"),
        ("Show me what is written", "open"),
        ("Give me the price of the boat", "open"),
        ("Find out who won", "open"),
        ("Show me how it works", "open"),
        ("Thanks", "open"),
    ],
)
def test_the_kind_of_answer_is_read_from_the_wording(question: str, kind: str) -> None:
    assert understand(question).kind == kind


@pytest.mark.parametrize(
    ("question", "sources"),
    [
        ("What does the narrator say about the suitcase?", ("speech",)),
        ("What is written on the sign?", ("text",)),
        ("When does a bicycle come into view?", ("visual",)),
        ("Where is the red suitcase?", ("speech", "text", "visual")),
        ("What does the sign say?", ("text",)),
        ("What does she say about the sign?", ("speech",)),
        ("Is anyone speaking?", ("speech",)),
        ("Give me the transcript", ("speech",)),
        ("While the sign is shown, what is said?", ("speech",)),
        ("Is someone talking on a phone?", ("speech", "text", "visual")),
        ("Do children pay?", ("speech", "text")),
        ("What is the phone number?", ("speech", "text")),
    ],
)
def test_the_wording_points_to_where_to_look(question: str, sources: tuple[str, ...]) -> None:
    assert understand(question).sources == sources


def test_a_compound_question_is_split_and_a_plain_one_is_not() -> None:
    assert split_question("When does the bus come and what is written on it?") == [
        "When does the bus come",
        "what is written on it?",
    ]
    assert split_question("Where are the bread and the butter?") == ["Where are the bread and the butter?"]
    assert len(split_question("How much does one night cost, and on which day is it closed?")) == 2
    assert split_question("who?") == ["who?"]
    assert split_question("Is there a dog or a red car?") == ["Is there a dog", "Is there a red car"]
    for whole in ("Is it open on Monday or Tuesday?", "Is there a red or blue car?", "Is there a car before or after?"):
        assert len(split_question(whole)) == 1
