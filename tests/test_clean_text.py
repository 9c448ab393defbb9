from __future__ import annotations

import pytest

from hicom_agent.types import clean_text


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("pay\u200b \x1b[31mnow\x1b[0m\n", "pay now"),
        ("a\x1b]0;new title\x07b", "ab"),
        ("\x9b2Jgone\x00", "gone"),
        ("\U000e0041\U000e0042hi\ufe0f\u3164", "hi"),
        ("\u202eabc\u202c\td", "abc d"),
        ("a\ud800b", "ab"),
        ("日本語 ünï 12 €", "日本語 ünï 12 €"),
    ],
)
def test_only_what_a_person_would_see_is_kept(given: str, seen: str) -> None:
    assert clean_text(given) == seen


def test_cleaning_twice_changes_nothing() -> None:
    text = "".join(map(chr, range(0x250))) + "\u200b\u2028\U000e0041"
    assert clean_text(clean_text(text)) == clean_text(text)
