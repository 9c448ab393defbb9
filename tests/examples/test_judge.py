"""The judge of the demo: right is right, and no kind of wrong passes."""

from __future__ import annotations

from typing import Any

import pytest
from judge import Verdict, holds, judge, passed, within
from script import Question

WHEN = Question("When?", "seen", "then", ranges_s=((10.0, 20.0), (60.0, 70.0)), names_time=True)
WHERE = Question("Where?", "said", "here", (("cellar", "piano"),), ((30.0, 35.0),))
NOWHERE = Question("Who?", "not in the film", "nobody")


def answer(text: str, *spans: tuple[float, float], abstained: bool = False) -> dict[str, Any]:
    cited = [{"start_s": start, "end_s": end, "modality": "visual"} for start, end in spans]
    return {"answer": text, "abstained": abstained, "reason": "not seen" if abstained else "", "citations": cited}


@pytest.mark.parametrize(
    ("question", "given", "word"),
    [
        (WHERE, answer("It is in the cellar.", (30, 35)), "right"),
        (WHERE, answer("Behind the piano", (28.1, 36.9)), "right"),
        (WHERE, answer("It is in the garden.", (30, 35)), "wrong"),
        (WHERE, answer("It is in the cellar."), "wrong"),
        (WHERE, answer("It is in the cellar.", (30, 35), (40, 41)), "wrong"),
        (WHERE, answer("I did not find this.", (30, 35), abstained=True), "gave up"),
        (WHEN, answer("At 00:00:09-00:00:20 and 00:01:01", (10, 20), (61, 65)), "right"),
        (WHEN, answer("At 00:00:12 and 00:00:40", (12, 13)), "wrong"),
        (WHEN, answer("In the middle", (12, 13)), "wrong"),
        (NOWHERE, answer("I did not find this.", (3, 4), abstained=True), "declined"),
        (NOWHERE, answer("A greyhound", (3, 4)), "answered"),
    ],
)
def test_answer_is_worth_what_a_viewer_would_say(question: Question, given: dict[str, Any], word: str) -> None:
    assert judge(question, given).word == word


def test_citation_is_stray_more_than_two_seconds_outside() -> None:
    stray = judge(WHERE, answer("cellar", (30, 37.1), (27.9, 35))).stray
    assert stray == ("30.0-37.1 s (visual)", "27.9-35.0 s (visual)")


def test_stretch_over_a_gap_is_within_only_if_all_of_it_is_near() -> None:
    assert within(10, 24, [(10, 15), (18, 24)])
    assert not within(10, 24, [(10, 15), (20, 24)])
    assert not within(40, 41, [(10, 15), (20, 24)])


def test_words_match_whole_and_not_inside_timecodes() -> None:
    assert holds("At half-past seven.", ["half past seven"]) and holds("48 200 euros", ["48200"])
    assert holds("Open 9:30 to 17:00", ["9:30"])
    assert not holds("seen at 00:09:30", ["9:30"]) and not holds("at 19:30", ["9:30"]) and not holds("442", ["42"])


def test_one_wrong_answer_passes_and_two_do_not() -> None:
    right, wrong = Verdict("right"), Verdict("wrong")
    assert passed([right, right, wrong]) and not passed([right, wrong, wrong])


def test_one_invented_answer_or_stray_citation_fails_the_demo() -> None:
    assert not passed([Verdict("right"), Verdict("answered")])
    assert not passed([Verdict("right"), Verdict("wrong", stray=("3-4 s",))])
