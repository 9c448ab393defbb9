"""What is not fit to train on is told apart, each for its reason."""

from __future__ import annotations

import pytest

from hicom_agent.llm.grounding import content_words
from hicom_agent.pairs.asking import Drafted, Reply
from hicom_agent.pairs.filters import Duplicates, Filter, count_words, is_generic, is_refusal, overlap

CAPTION = (
    "A woman in a yellow raincoat crosses a wet street with a small dog. "
    "Behind her a tram waits at the stop, its doors open, while two cyclists pass on the left."
)
GOOD = ("What does the woman wear?", "She is dressed in a yellow raincoat with a hood.", "attribute")


def sort(*pairs: tuple[str, str, str], caption: str = CAPTION) -> tuple[list[str], list[str]]:
    """Return the descriptions that are kept and the reasons of the others."""
    drafted = [Drafted(instruction=i, description=d, category=c) for i, d, c in pairs]
    kept, rejected = Filter().sort(Reply(caption=caption, pairs=drafted))
    return [pair.description for pair in kept], [one.reason for one in rejected]


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (("What is on her head?", "I'm sorry, but I cannot see her head.", "object"), "refusal"),
        (("What is on her head?", "As an AI, my view of these pictures is limited.", "object"), "refusal"),
        (("What is on her head?", "I can\u2019t determine what it is.", "object"), "refusal"),
        (("What does the sign say?", "Its text is not visible.", "text"), "description of what is not seen"),
        (("Describe the video.", "A woman crosses a street in the rain.", "action"), "generic instruction"),
        (("What is happening in this clip?", "A woman walks her dog.", "action"), "generic instruction"),
        (("Please give a detailed summary of the whole scene.", "A tram waits.", "other"), "generic instruction"),
        (("Tram?", "It waits at the stop with open doors.", "object"), "instruction too short"),
        (("What waits at the stop?", "A tram.", "object"), "description too short"),
        (("What waits " + "there and " * 70 + "?", "A tram with open doors.", "object"), "instruction too long"),
        (("What waits there?", "A tram " + "and a tram " * 80, "object"), "description too long"),
        (("What passes on the left?", "Two cyclists pass in a row.", "vehicle"), "unknown category"),
        (("What is in <image> here?", "Two cyclists pass in a row.", "object"), "a media tag in the text"),
        (("Where is the tram?", "Behind her a tram waits at the stop, its doors open", "place"),
         "description repeats the caption"),
        (("Who walks where?", CAPTION, "person"), "description repeats the caption"),
    ],
)  # fmt: skip
def test_a_pair_is_rejected_for_its_reason(pair: tuple[str, str, str], reason: str) -> None:
    assert sort(GOOD, pair) == ([GOOD[1]], [reason])


@pytest.mark.parametrize(
    "pair",
    [
        ("What happens to the tram's doors?", "They stand open while people wait to get in.", "action"),
        ("How many people ride past?", "There are two of them, one behind the other.", "count"),
        ("Was trägt die Frau auf dem Kopf?", "Sie hat eine gelbe Kapuze über den Kopf gezogen.", "person"),
        ("她穿什么颜色的衣服？", "她穿着一件黄色的雨衣。", "attribute"),
        ("ผู้หญิงใส่ชุดสีอะไร", "เธอใส่เสื้อกันฝนสีเหลือง", "attribute"),
    ],
)  # fmt: skip
def test_a_pair_that_points_at_something_is_kept_in_any_language(pair: tuple[str, str, str]) -> None:
    assert sort(pair) == ([pair[1]], [])


def test_pairs_of_one_clip_that_say_the_same_are_kept_once() -> None:
    asks_again = ("What does this woman wear?", "A hood and a coat of rubber keep her dry.", "person")
    says_again = ("How is the woman dressed?", "She is dressed in the yellow raincoat with its hood.", "person")
    assert sort(GOOD, asks_again, says_again) == (
        [GOOD[1]],
        ["near-duplicate instruction", "near-duplicate description"],
    )


def test_a_pair_of_another_clip_that_says_the_same_is_kept_once() -> None:
    known = Filter()
    reply = Reply(caption=CAPTION, pairs=[Drafted(instruction=GOOD[0], description=GOOD[1], category="attribute")])
    assert len(known.sort(reply)[0]) == 1
    again = Reply(caption="Rain falls on a street.", pairs=reply.pairs)
    assert [one.reason for one in known.sort(again)[1]] == ["near-duplicate of another clip's"]
    resumed = Filter()
    resumed.remember(GOOD[0], GOOD[1])
    assert [one.reason for one in resumed.sort(again)[1]] == ["near-duplicate of another clip's"]


def test_the_same_question_of_another_clip_is_kept_with_another_answer() -> None:
    known = Filter()
    for colour in ("yellow", "green"):
        pair = Drafted(instruction=GOOD[0], description=f"Her long {colour} coat.", category="attribute")
        assert len(known.sort(Reply(caption=CAPTION, pairs=[pair]))[0]) == 1


def test_duplicates_are_those_that_a_look_at_all_would_find() -> None:
    words = ["ash", "bay", "cod", "dew", "elm", "fig", "gnu", "hut", "ink", "jam", "kit", "log"]
    texts = [[w for i, w in enumerate(words) if number >> i & 1] for number in range(1, 4096, 37)]
    index = Duplicates(0.8)
    for i, text in enumerate(texts):
        assert index.find(text) == any(overlap(text, other) >= 0.8 for other in texts[:i])
        index.add(text)


def test_refusals_and_generic_words_are_not_seen_where_they_are_not() -> None:
    assert not is_refusal("A man says he is sorry and closes the door; I-shaped beams can be seen.")
    assert is_refusal("I do not have access to the video.") and is_refusal("No images were provided.")
    assert not is_generic("Describe the man beside the tram.") and is_generic("What can you see?")
    assert content_words("What is the man doing?") == ["man"] and count_words("don't stop") == 2
