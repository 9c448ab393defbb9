"""What opens and what closes a film is asked for in many words, and only then."""

from __future__ import annotations

import pytest

from hicom_agent.agent.edges import name_edges
from hicom_agent.agent.picks import read_pick
from hicom_agent.agent.plain import put_plainly
from hicom_agent.agent.plan import names_nothing, understand


@pytest.mark.parametrize(
    ("question", "pick"),
    [
        ("What is the opening line?", "first"),
        ("What are the closing words?", "last"),
        ("How does the narration begin?", "first"),
        ("What does the narrator end with?", "last"),
        ("Which sentence ends the film?", "last"),
        ("What text opens the video?", "first"),
        ("What is said at the very end?", "last"),
        ("What is written at the start of the film?", "first"),
        ("What do we hear to begin with?", "first"),
        ("What does she say finally?", "last"),
        ("Which words are spoken first?", "first"),
        ("What is the first sentence that is spoken?", "first"),
    ],
)
def test_the_first_or_last_of_all_words_is_meant(question: str, pick: str) -> None:
    found, rest = read_pick(put_plainly(question).strip("?"))
    assert found == pick
    assert names_nothing(understand(rest))


@pytest.mark.parametrize(
    "question",
    [
        "What time is the opening of the shop",
        "When does the concert end",
        "What is shown at the end of the street",
        "Where is the sentence about the end of the road",
        "What does the card on the door say",
        "What is said about the end of the war",
        "What does the closing sign say",
        "What happens when the bell is heard at the end",
    ],
)
def test_other_ends_and_beginnings_are_left_alone(question: str) -> None:
    assert name_edges(question) == question
