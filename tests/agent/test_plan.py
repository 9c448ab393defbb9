"""Questions are read by rule: parts, kind, and where the wording points."""

from __future__ import annotations

import pytest

from hicom_agent.agent.evidence import Evidence, take_best
from hicom_agent.agent.observer import Wish
from hicom_agent.agent.parts import split_question
from hicom_agent.agent.plan import understand
from hicom_agent.agent.reading import READ_FROM
from hicom_agent.agent.whole import asks_where


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


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("At what point is the fee shown?", "when"),
        ("At what time do we see the dog?", "when"),
        ("And the cat, when is it on screen?", "when"),
        ("In the second part, when is Anna shown?", "when"),
        ("At what time does the ferry leave?", "open"),
        ("How much is the fee, when paid at the desk?", "open"),
        ("What does it cost, when the shop is closed?", "open"),
        ("Is the shop open, when it snows?", "whether"),
    ],
)
def test_a_time_in_the_film_is_told_from_a_time_that_is_told(question: str, kind: str) -> None:
    assert understand(question).kind == kind


@pytest.mark.parametrize(
    ("question", "thing"),
    [
        ("When does the narrator talk about the suitcase?", "suitcase"),
        ("At what point is the parking fee shown?", "parking fee"),
        ("And the bunny, when is it on screen?", "bunny"),
        ("Also, when is the ferry mentioned?", "ferry"),
        ("When is the first aid kit shown?", "first aid kit"),
        ("When will the ferry be mentioned?", "ferry"),
        ("When is the title shown?", "When is the title shown?"),
    ],
)
def test_what_is_asked_the_time_of(question: str, thing: str) -> None:
    assert understand(question).thing == thing


@pytest.mark.parametrize("question", ["Where is the red car?", "Where's your dog", "Where is the wedding ring?"])
def test_where_a_thing_is(question: str) -> None:
    assert asks_where(question)


@pytest.mark.parametrize(
    "question", ["Where were the photos taken?", "Where is the key kept?", "Where is the man standing?", "Where is it?"]
)
def test_where_something_is_done(question: str) -> None:
    assert not asks_where(question)


@pytest.mark.parametrize(
    ("wish", "factual"),
    [
        (Wish(understand("When is the exam?")), True),
        (Wish(understand("What does it cost?")), True),
        (Wish(understand("When is the exam mentioned?")), False),
        (Wish(understand("Find the part about the ferry")), False),
        (Wish(understand("When is the exam"), mention=True), False),
        (Wish(understand("When is the exam"), pick="first"), False),
    ],
)
def test_what_must_hold_the_answer_and_what_only_mention_it(wish: Wish, factual: bool) -> None:
    assert wish.is_factual is factual


def test_a_mention_is_taken_from_less_support_only_where_nothing_is_surer() -> None:
    weak, strong, low = (Evidence("v", "speech", 1, 2, support, "") for support in (0.4, 0.6, 0.2))
    assert [piece.support for piece in take_best([low, weak])] == [0.2, READ_FROM]
    assert take_best([weak, strong]) == [weak, strong]
    assert take_best([low]) == [low] and take_best([]) == []
