from __future__ import annotations

import pytest

from hicom_agent.encode import guide_text


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("When does a car drive through?", "a car drive through"),
        ("Is there a dog anywhere in the video?", "a dog"),
        ("At what time does a hand take a bottle off the table?", "a hand take a bottle off the table"),
        ("Show me all moments where a woman is riding a bicycle", "a woman is riding a bicycle"),
        ("When is a taxi visible?", "a taxi"),
        ("How many bottles are on the table?", "bottles are on the table"),
        ("Can you see an airplane?", "an airplane"),
        ("Could you please show me the red car?", "the red car"),
        ("which animals appear in this film?", "animals"),
        ("blue bottle caps", "blue bottle caps"),
        ("A  microphone \n on a stand.", "a microphone on a stand"),
    ],
)
def test_a_question_becomes_what_to_look_for(question: str, text: str) -> None:
    assert guide_text(question) == text


@pytest.mark.parametrize("question", ["When?", "what is it?", "?", "", "who"])
def test_a_question_of_question_words_only_stays_as_it_is(question: str) -> None:
    assert guide_text(question) in (question, "it")


def test_what_is_left_is_not_shortened_further() -> None:
    for question in ("When does a car drive through?", "show me when there is a dog in the film", "is it there?"):
        assert guide_text(guide_text(question)) == guide_text(question)
