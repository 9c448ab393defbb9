"""Words of time are taken out of a question where they speak of the film, and stay where they are asked about."""

from __future__ import annotations

import pytest

from hicom_agent.agent.temporal import Anchor, anchor_question, read_task

LENGTH_S = 120.0


@pytest.mark.parametrize(
    ("question", "text", "anchors"),
    [
        ("What is said after the boat rental sign?", "What is said", [("after", "the boat rental sign")]),
        ("Is there a car after the sign?", "Is there a car", [("after", "the sign")]),
        ("Before the rabbit appears, what is written?", "what is written", [("before", "the rabbit")]),
        (
            "How many times is a car seen until the bus is gone?",
            "How many times is a car seen",
            [("before", "the bus")],
        ),
        (
            "What is said between the first card and the last card?",
            "What is said",
            [("after", "the first card"), ("before", "the last card")],
        ),
        ("What happens once she mentions the ferry?", "What happens", [("after", "the ferry")]),
        ("What is said before mentioning Oliver?", "What is said", [("before", "Oliver")]),
        ("What is said while the rocket is shown?", "What is said", [("during", "the rocket")]),
        ("what is said then?", "what is said", [("during", "then")]),
        ("What can you see when the car appears?", "What can you see", [("during", "the car")]),
        ("What does the sign say when it rains?", "What does the sign say when it rains", []),
        ("Which train leaves after nine?", "Which train leaves after nine", []),
        ("What does he do before breakfast?", "What does he do before breakfast", []),
        ("Who lives between the church and the mill?", "Who lives between the church and the mill", []),
    ],
)
def test_an_event_of_the_film_becomes_an_anchor(question: str, text: str, anchors: list[tuple[str, str]]) -> None:
    task = read_task(question, LENGTH_S)
    assert (task.text, [(a.relation, a.text) for a in task.anchors]) == (text, anchors)


@pytest.mark.parametrize(
    ("question", "text", "pick"),
    [
        ("When is a car seen for the first time?", "When is a car seen", "first"),
        ("When does a rabbit last appear?", "When does a rabbit appear", "last"),
        ("What is written last?", "What is written", "last"),
        ("What is the first thing the narrator says?", "What is the thing the narrator says", "first"),
        ("When is the last car seen?", "When is the car seen", "last"),
        ("When does the last car drive through?", "When does the car drive through", "last"),
        ("When does the last train leave?", "When does the last train leave", ""),
        ("Who won the first prize?", "Who won the first prize", ""),
        ("When does the last train leave?", "When does the last train leave", ""),
    ],
)
def test_the_first_or_the_last_of_several_moments_is_told_from_a_first_prize(
    question: str, text: str, pick: str
) -> None:
    task = read_task(question, LENGTH_S)
    assert (task.text, task.pick) == (text, pick)


@pytest.mark.parametrize(
    ("question", "window"),
    [
        ("What is shown at 0:20?", (17.0, 23.0)),
        ("What is written between 0:10 and 1:05?", (10.0, 65.0)),
        ("When does a car drive through between 0:20 and 0:30?", (20.0, 30.0)),
        ("What is said after 90 seconds?", (90.0, LENGTH_S)),
        ("Is a car seen before 1:30?", (0.0, 90.0)),
        ("What is said in the last minute?", (60.0, LENGTH_S)),
        ("Is there a dog in the second half?", (60.0, LENGTH_S)),
        ("What is said in the last ten seconds?", (110.0, LENGTH_S)),
        ("What is said after the first minute?", (60.0, LENGTH_S)),
        ("What is written around one minute in?", (57.0, 63.0)),
        ("Summarise the first half a minute", (0.0, 30.0)),
        ("What is written at the end of the film?", (108.0, LENGTH_S)),
        ("What does the rental cost at 9:30?", (0.0, float("inf"))),  # the film is not that long
        ("What is said at 5:00?", (297.0, 303.0)),
        ("Is a car seen after 5:00?", (300.0, LENGTH_S)),  # nor that, but only the film can be meant
    ],
)
def test_times_by_the_clock_are_windows_where_the_film_is_that_long(question: str, window: tuple[float, float]) -> None:
    assert read_task(question, LENGTH_S).window == window


@pytest.mark.parametrize(
    ("question", "rivals", "pick", "claim"),
    [
        ("Which comes first, the sign or the rabbit?", ("the sign", "the rabbit"), "first", None),
        ("Which is shown last: the cyclist or the taxi?", ("the cyclist", "the taxi"), "last", None),
        ("What does she mention first: the taxi or the rabbit?", ("the taxi", "the rabbit"), "first", None),
        ("Does the taxi come before the rabbit?", ("the taxi", "the rabbit"), "", "before"),
        ("Does the taxi come before or after the rabbit?", ("the taxi", "the rabbit"), "", "either"),
        ("Is the taxi shown before the rabbit or after it?", ("the taxi", "the rabbit"), "", "either"),
        ("Is the rabbit seen after the man with the bow tie?", ("the rabbit", "the man with the bow tie"), "", "after"),
    ],
)
def test_the_order_of_two_things_is_asked(question: str, rivals: object, pick: str, claim: str | None) -> None:
    task = read_task(question, LENGTH_S)
    assert (task.rivals, task.pick, task.claim) == (rivals, pick, claim)


def test_that_means_what_was_asked_before_and_the_last_card_is_one_of_many() -> None:
    assert read_task("What is said after that?", LENGTH_S).anchors[0].is_answer_before
    assert not Anchor("after", "the sign").is_answer_before
    assert anchor_question("the last card") == ("When is the card", "last")


@pytest.mark.parametrize(
    ("question", "pick", "rest"),
    [
        ("What is the third card?", "third", "What is the card"),
        ("When is the cat shown for the second time?", "second", "When is the cat shown"),
        ("When is the dog seen a second time?", "second", "When is the dog seen"),
        ("For the second time, when is the ferry shown?", "second", "when is the ferry shown"),
        ("When is the second dog seen?", "second", "When is the dog seen"),
        ("What is the second thing you need?", "", "What is the second thing you need"),
        ("What is the second word on the ferry sign?", "", "What is the second word on the ferry sign"),
        ("What happens in the second scene?", "", "What happens in the second scene"),
        ("What do the second and third cards say?", "", "What do the second and third cards say"),
        ("At what second does the cat appear?", "", "At what second does the cat appear"),
        ("When is the second floor shown?", "", "When is the second floor shown"),
    ],
)
def test_second_to_fifth_count_moments_and_cards_only_where_nothing_else_is_meant(
    question: str, pick: str, rest: str
) -> None:
    task = read_task(question, 100)
    assert (task.pick, task.text) == (pick, rest)
