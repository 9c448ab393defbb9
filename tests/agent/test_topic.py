"""What is said about a thing is told in the lines' own words."""

from __future__ import annotations

import pytest

from hicom_agent.agent.compose import Partial
from hicom_agent.agent.evidence import Evidence
from hicom_agent.agent.operators import name_mention
from hicom_agent.agent.topic import asks_topic, quote_lines


def line(start_s: float, text: str, support: float, kind: str = "speech") -> Evidence:
    return Evidence("v", "text" if kind == "text" else "speech", start_s, start_s + 3, support, text, 0)


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("What is said about the key?", "the key"),
        ("And what does she say about Oliver?", "Oliver"),
        ("What do we learn about the boat house?", "the boat house"),
        ("What is written about parking?", "parking"),
        ("What is said about it before the sign is shown?", "it before the sign is shown"),
        ("What does she say?", ""),
        ("What does the sign say?", ""),
        ("What does he know?", ""),
    ],
)
def test_a_topic_is_what_follows_about(question: str, topic: str) -> None:
    assert asks_topic(question) == topic


def test_lines_nearly_as_sure_as_the_best_are_quoted_in_time_order() -> None:
    lines = [line(40, "The key hangs there.", 0.9), line(10, "Keep the key.", 0.8), line(60, "Doors.", 0.5)]
    told = quote_lines(lines, ("speech",))
    assert (
        told.text == '"Keep the key." (said at 00:00:10-00:00:13); "The key hangs there." (said at 00:00:40-00:00:43)'
    )
    assert [piece.start_s for piece in told.used] == [10, 40]


def test_without_a_line_that_is_about_it_the_closest_are_named() -> None:
    told = quote_lines([line(10, "Good morning.", 0.2), line(20, "Key", 0.9, "text")], ("speech",))
    assert told.abstained and [piece.text for piece in told.used] == ["Good morning."]
    assert quote_lines([], ("speech",)).abstained


def test_what_is_not_seen_but_spoken_of_is_declined_with_the_line() -> None:
    declined, spoken = Partial("", 0.5, (), "not seen"), line(10, "The red suitcase is here.", 0.8)
    told = name_mention(declined, [spoken], ("visual",))
    assert told.abstained and told.used == (spoken,)
    assert told.text == 'I did not see it, but it is said at 00:00:10-00:00:13: "The red suitcase is here."'
    assert name_mention(declined, [line(10, "A case.", 0.5)], ("visual",)) == declined
    assert name_mention(declined, [spoken], ("speech", "visual")) == declined


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("What is written on the ferry sign?", "the ferry"),
        ("Please read out the ferry sign", "the ferry"),
        ("What does the pancake recipe say?", "the pancake recipe"),
        ("What is on the cutting board?", ""),
        ("Describe the water slide", ""),
        ("What does the man with the sign say?", ""),
        ("What does the other sign say?", ""),
    ],
)
def test_a_card_that_is_named_is_read_out_and_nothing_else_is_taken_for_one(question: str, topic: str) -> None:
    assert asks_topic(question) == topic
