from __future__ import annotations

import pytest

from hicom_agent.training.guides import guide_of

CASES = {
    "<video>\nWhat is on the belt?": "What is on the belt?",
    "What is on the belt?\n<image>": "What is on the belt?",
    "Question: quiet or loud?": "quiet or loud?",
    "Question: question time, when?": "question time, when?",
    "stone on top of the tower?": "stone on top of the tower?",
    "What is it?\nA. a dog\nB. a cat\nAnswer with the option's letter from the given choices directly.": "What is it?",
    "What is it?\nOptions:\n(A) a dog\n(B) a cat\nOnly give the best option.\nBest option: (": "What is it?",
    "Question: What happens?\nOptions:": "What happens?",
    "How many dogs?\nAnswer the question using a single word or phrase.": "How many dogs?",
    "Is it red? Please answer yes or no.": "Is it red?",
    "What does the A. J. Smith sign say?": "What does the A. J. Smith sign say?",
    "Can you answer what the sign says?": "Can you answer what the sign says?",
    "Answer the question using a single word or phrase.": "Answer the question using a single word or phrase.",
}


@pytest.mark.parametrize(("question", "guide"), CASES.items())
def test_a_guide_is_the_bare_question(question: str, guide: str) -> None:
    assert guide_of(question) == guide
