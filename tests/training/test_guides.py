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
    "What does he answer when asked for his number": "What does he answer when asked for his number",
    "What is it?\n  A. a dog\n\n  B. a cat\nOnly give the best option.": "What is it?",
    # of which a search that goes back and forth would take hours
    f"What?{' ' * 30000}Now?": "What? Now?",
    f"What?{chr(10) * 30000}Options:{chr(10) * 3000}(A) a dog": "What?",
    f"{'answer word ' * 3000}?": f"{'answer word ' * 3000}?",
    "Answer the question using a single word or phrase.": "Answer the question using a single word or phrase.",
}


@pytest.mark.parametrize(("question", "guide"), CASES.items())
def test_a_guide_is_the_bare_question(question: str, guide: str) -> None:
    assert guide_of(question) == guide
