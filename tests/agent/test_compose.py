"""Answers rest on evidence: times from the index, words that the evidence holds, or a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from hicom_agent.agent.compose import compose
from hicom_agent.agent.evidence import Evidence
from hicom_agent.agent.plan import understand
from hicom_agent.llm.excerpt import is_told_otherwise
from hicom_agent.llm.text import Draft


class Scripted:
    """A language model that says what it is told to, and remembers what it read."""

    writes_freely = True

    def __init__(self, text: str) -> None:
        self.text = text
        self.read: list[str] = []

    def write(self, system: str, user: str, max_tokens: int = 64) -> Draft:
        self.read.append(user)
        return Draft(self.text, 0.9, len(user.split()), len(self.text.split()))

    def choose(self, system: str, user: str, options: Sequence[str]) -> Draft:
        self.read.append(user)
        return Draft(self.text if self.text in options else options[0], 0.9, 1, 1)

    def score(self, system: str, user: str, options: Sequence[str]) -> list[float]:
        self.read.append(user)
        return [-0.1 if option == self.text else -3.0 for option in options]


def said(text: str, support: float = 0.9, start_s: float = 60.0) -> Evidence:
    return Evidence("v", "speech", start_s, start_s + 3, support, text, 0)


def seen(start_s: float, end_s: float, support: float = 0.8) -> Evidence:
    return Evidence("v", "visual", start_s, end_s, support, "sports car", 4)


def test_a_grounded_draft_is_the_answer() -> None:
    model = Scripted("In the kitchen")
    partial = compose(understand("Where is the suitcase?"), [said("The suitcase is in the kitchen.")], lambda: model)
    assert partial.text == "In the kitchen" and not partial.abstained and partial.llm_tokens > 0
    assert "[00:01:00] said: The suitcase is in the kitchen." in model.read[0]


def test_an_invented_answer_is_dropped_for_the_words_themselves() -> None:
    model = Scripted("In the garage, behind a Greyhound")
    partial = compose(understand("Where is the suitcase?"), [said("The suitcase is in the kitchen.")], lambda: model)
    assert "Greyhound" not in partial.text and "The suitcase is in the kitchen." in partial.text


def test_without_support_it_abstains_and_names_the_closest_moments() -> None:
    model = Scripted("A whale")
    partial = compose(understand("What swims?"), [said("Good morning.", 0.2)], lambda: model)
    assert partial.reason == "not seen" and [piece.text for piece in partial.used] == ["Good morning."]
    assert not model.read


def test_when_is_answered_from_the_index_without_a_model() -> None:
    model = Scripted("At noon")
    partial = compose(understand("When does a car drive by?"), [seen(15, 19, 0.9), seen(4, 9)], lambda: model)
    assert partial.text == "At 00:00:04-00:00:09, 00:00:15-00:00:19"
    assert not model.read and [piece.start_s for piece in partial.used] == [4, 15]


def test_where_a_thing_is_that_is_seen_is_told_by_its_moments() -> None:
    partial = compose(understand("Where is the car?"), [seen(15, 19, 0.9), seen(4, 9)], lambda: Scripted("At home"))
    assert partial.text == "Seen at 00:00:04-00:00:09, 00:00:15-00:00:19" and not partial.abstained
    last = compose(understand("Where is the car?"), [seen(15, 19, 0.9), seen(4, 9)], lambda: Scripted(""), "last")
    assert last.text == "Last seen at 00:00:15-00:00:19"


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("When does a car drive by?", "Probably at 00:00:04-00:00:09"),
        ("Where is the car?", "Probably seen at 00:00:04-00:00:09"),
        ("Is there a car?", "Yes, probably seen at 00:00:04-00:00:09"),
    ],
)
def test_what_is_seen_less_than_surely_is_told_with_doubt(question: str, told: str) -> None:
    assert compose(understand(question), [seen(4, 9, 0.4)], None).text == told
    assert "robably" not in compose(understand(question), [seen(4, 9, 0.5)], None).text
    assert compose(understand(question), [seen(4, 9, 0.3)], None).abstained


@pytest.mark.parametrize(
    "question", ["Who repaired the barrier?", "Why was the barrier repaired?", "Where was the barrier repaired?"]
)
def test_a_line_without_a_person_a_reason_or_a_place_is_no_answer(question: str) -> None:
    line = said("The barrier was repaired on Thursday.")
    partial = compose(understand(question), [line], lambda: Scripted("Thursday"))
    assert partial.abstained and partial.used == (line,)


def test_what_pictures_cannot_tell_is_declined_with_the_moment_that_comes_closest() -> None:
    partial = compose(understand("Where does the car come from?"), [seen(15, 19, 0.9)], lambda: Scripted("Home"))
    assert partial.reason == "not seen"
    assert partial.text == "I cannot tell this from the pictures; what comes closest is seen at 00:00:15-00:00:19."


def test_how_often_counts_the_stretches() -> None:
    partial = compose(understand("How many times does a car pass?"), [seen(4, 9), seen(15, 19)], lambda: Scripted(""))
    assert partial.text.startswith("Twice: ")


def test_whether_is_yes_with_the_times() -> None:
    partial = compose(understand("Is there a car?"), [seen(4, 9)], lambda: Scripted(""))
    assert partial.text == "Yes, seen at 00:00:04-00:00:09"


def test_a_model_that_says_not_in_the_evidence_is_heard() -> None:
    model = Scripted("not in the evidence")
    partial = compose(understand("Where is the suitcase?"), [said("The suitcase is in the kitchen.")], lambda: model)
    assert partial.text == 'It is said at 00:01:00: "The suitcase is in the kitchen."'


def test_a_small_model_may_only_choose_among_words_of_the_evidence() -> None:
    model = Scripted("kitchen")
    model.writes_freely = False
    partial = compose(understand("Where is the suitcase?"), [said("The suitcase is in the kitchen.")], lambda: model)
    assert partial.text == "kitchen" and len(partial.used) == 1
    model.text = "a Greyhound"
    partial = compose(understand("Where is the suitcase?"), [said("The suitcase is in the kitchen.")], lambda: model)
    assert partial.text in "the suitcase is in the kitchen"


def test_words_that_are_not_likely_to_answer_are_not_believed() -> None:
    weak = replace(said("Stir in two cups of flour."), support=0.4)
    partial = compose(understand("How much sugar is needed?"), [weak], lambda: Scripted("2"))
    assert partial.abstained and partial.used == (weak,)


def test_a_label_that_says_something_else_of_the_thing_is_no_answer() -> None:
    menu = "MENU. Soup: pumpkin with ginger. Fish: 14 euros"
    assert is_told_otherwise(menu, "Fish: 14 euros", "What does the soup cost?")
    assert not is_told_otherwise(menu, "Fish: 14 euros", "What does the fish cost?")
