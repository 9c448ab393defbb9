"""The letter that an answer means, however it is written."""

from __future__ import annotations

import pytest

from hicom_agent.evaluation.letters import fallback, parse_choice

OPTIONS = ("A red car", "A blue car", "Two dogs", "None of the above")


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("B", 1),
        ("(b)", 1),
        ("( B )", 1),
        ("[C]", 2),
        ("B.", 1),
        ("c) because", 2),
        ("B. A red car", 1),
        ("The answer is B.", 1),
        ("the best answer is: c", 2),
        ("The correct option is (D), not A.", 3),
        ("Answer: **C**", 2),
        ("Ⓑ", 1),
        ("Ｄ", 3),
        ("d", 3),
        ("I think B is right, for it is blue.", 1),
        ("A", 0),
        ("A.", 0),
        ("two dogs", 2),
        ("There is a blue car in the street.", 1),
        ("A blue car", 1),
        ("A man walks.", None),
        ("E", None),
        ("(E)", None),
        ("", None),
        ("I did not find this in the video.", None),
        ("a red car and a blue car", None),
        ("Bob and Dan", None),
        ("it's a dog", None),
    ],
)
def test_an_answer_means(text: str, index: int | None) -> None:
    assert parse_choice(text, OPTIONS) == index


@pytest.mark.parametrize(
    ("text", "lettered", "index"),
    [
        ("C cuts the rope.", True, 0),  # the wearer of EgoSchema's camera is called C
        ("C cuts it", True, 2),
        ("C cuts it", False, None),
        ("(B)", False, None),
        ("I saw that C washes a plate, plan B.", False, 1),
    ],
)
def test_a_name_is_no_letter_in_the_words_of_an_option_nor_where_none_was_told(
    text: str, lettered: bool, index: int | None
) -> None:
    options = ("C cuts a rope", "C washes a plate", "C rests")
    assert parse_choice(text, options, lettered=lettered) == index


def test_of_options_in_one_another_the_longest_counts() -> None:
    assert parse_choice("three of them", ["3", "three", "three of them"]) == 2


def test_a_letter_is_a_letter_also_where_options_are_letters() -> None:
    assert parse_choice("B", ["b", "a", "c"]) == 1


def test_the_fallback_is_the_third_option_if_there_is_one() -> None:
    assert [fallback(count) for count in (2, 3, 5)] == [1, 2, 2]
