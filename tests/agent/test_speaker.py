"""Speakers who say their names are known by them."""

from __future__ import annotations

import pytest

from hicom_agent.agent.evidence import Evidence
from hicom_agent.agent.speaker import asks_speaker, name_speaker


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("Who is speaking?", True),
        ("who's the narrator", True),
        ("What is her name?", True),
        ("What is the narrator's name?", True),
        ("What is the name of the cat?", False),
        ("Who is speaking of the ferry?", False),
    ],
)
def test_the_name_of_a_speaker_is_asked(question: str, asks: bool) -> None:
    assert asks_speaker(question) == asks


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Good evening, my name is Martha, and I look after the boat house.", "Martha"),
        ("I'm Jonas Lind, welcome.", "Jonas Lind"),
        ("I'm English and I am tired.", ""),
        ("My name is on the list.", ""),
    ],
)
def test_a_speaker_is_called_what_they_say(line: str, name: str) -> None:
    found = name_speaker([Evidence("v", "speech", 0, 2, 1.0, "Hello.", 0), Evidence("v", "speech", 3, 5, 1.0, line, 1)])
    assert (found.text if found else "") == name
    assert found is None or found.used[0].start_s == 3
