"""The answers of several videos become one, always the same, with citations into each."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from hicom_agent.agent import join_answers
from hicom_agent.agent.join import CLOSEST, NAMED, NOT_INDEXED, cut_short
from hicom_agent.types import Answer, Citation, Coverage, LookedAt, Reason, Spend, Step

QUESTION = "When does a car drive through?"


def cite(video_id: str, score: float = 0.8, start_s: float = 3.0) -> Citation:
    return Citation(
        video_id=video_id, start_s=start_s, end_s=start_s + 1, timecode="00:00:03", score=score, modality="visual"
    )


def answer(video_id: str, text: str = "At 00:00:03", sure: float = 0.8, reason: Reason = "", **more: Any) -> Answer:
    return Answer(
        **{
            "question": QUESTION,
            "answer": text,
            "abstained": bool(reason),
            "confidence": sure,
            "reason": reason,
            "citations": [cite(video_id)],
            "coverage": Coverage(
                indexed_s=60.0,
                total_s=61.0,
                looked_at_s=10.0,
                looked_at=[LookedAt(start_s=0, end_s=10, patches=600, tokens=30)],
            ),
            "spend": Spend(steps=2, visual_tokens=30, seconds=0.25, note="as it was"),
            "profile": "nano-3",
            "index_version": "gen-000001",
            "steps": [Step(number=1, ask=QUESTION, why="after", observation=text)],
            **more,
        }
    )


def test_those_that_answer_stand_in_it_surest_first_with_their_citations() -> None:
    told = [("one", answer("a", "At 1", 0.6)), ("two\x1b[31m", answer("b", "At 2\nand at 3", 0.9))]
    told.append(("three", answer("c", reason="not seen")))
    joined = join_answers(QUESTION, told)
    assert joined.answer.splitlines() == ["two: At 2", "two: and at 3", "one: At 1"]
    assert [citation.video_id for citation in joined.citations] == ["b", "a"]
    assert (joined.confidence, joined.abstained, joined.reason) == (0.9, False, "")


def test_it_is_the_same_in_whatever_order_the_answers_come() -> None:
    told = [("x", answer("b", sure=0.7)), ("x", answer("a", sure=0.7)), ("y", answer("c", reason="not seen"))]
    made = [join_answers(QUESTION, order) for order in itertools.permutations(told)]
    assert all(each == made[0] for each in made)
    assert [citation.video_id for citation in made[0].citations] == ["a", "b"]


def test_what_was_covered_and_spent_is_added_up_and_steps_say_whose_they_are() -> None:
    joined = join_answers(QUESTION, [("one", answer("a")), ("two", answer("b", reason="not seen"))])
    assert (joined.coverage.indexed_s, joined.coverage.total_s, joined.coverage.looked_at_s) == (120, 122, 20)
    assert joined.coverage.compression == 20 and joined.coverage.looked_at == []
    assert (joined.spend.steps, joined.spend.visual_tokens, joined.spend.seconds) == (4, 60, 0.5)
    assert joined.spend.note == "as it was" and joined.profile == "nano-3"
    assert [(step.number, step.why) for step in joined.steps] == [(1, "one after"), (2, "two after")]


def test_many_videos_are_counted_and_not_all_named() -> None:
    joined = join_answers(QUESTION, [(f"film {i}", answer(f"{i}", sure=0.9 - i / 100)) for i in range(NAMED + 3)])
    assert joined.answer.splitlines()[-1] == "and 3 more videos" and len(joined.citations) == NAMED


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (["not seen", "not indexed"], "not seen"),
        (["not indexed", "not indexed"], "not indexed"),
        (["not seen", "out of budget", "not indexed"], "out of budget"),
        (["not seen", "contradictory", "out of budget"], "contradictory"),
    ],
)
def test_where_none_answers_it_says_why(reasons: list[Reason], expected: Reason) -> None:
    told = [(f"film {i}", answer(f"{i}", "told so", 0.5 + i / 10, reason)) for i, reason in enumerate(reasons)]
    joined = join_answers(QUESTION, told)
    assert joined.abstained and joined.reason == expected and joined.confidence == 0.5
    assert (joined.answer == NOT_INDEXED) == (expected == "not indexed")
    assert ("film 1: told so" in joined.answer) == (expected == "contradictory")


def test_where_none_answers_the_closest_moments_of_the_best_are_cited() -> None:
    told = [
        (f"film {i}", answer(f"{i}", "", 0.5, "not seen", citations=[cite(f"{i}", score=i / 10)])) for i in range(6)
    ]
    joined = join_answers(QUESTION, told)
    assert [citation.video_id for citation in joined.citations] == ["5", "4", "3"][:CLOSEST]
    assert joined.answer == "I did not find this in the 6 videos that I asked."


def test_no_video_is_no_answer() -> None:
    joined = join_answers(QUESTION, [])
    assert joined.abstained and joined.reason == "not indexed" and joined.index_version == ""


def test_the_version_tells_whether_any_of_them_was_indexed_anew() -> None:
    one, other = answer("a"), answer("a", index_version="gen-000002")
    versions = {join_answers(QUESTION, [("x", each), ("y", answer("b"))]).index_version for each in (one, other)}
    assert len(versions) == 2 and all(len(version) == 12 for version in versions)


def test_videos_that_the_budget_did_not_suffice_for_are_told() -> None:
    declined = join_answers(QUESTION, [("one", answer("a", reason="not seen"))])
    assert cut_short(declined, 1, 1) is declined
    short = cut_short(declined, 1, 8)
    assert short.reason == "out of budget" and "7 of 8" in short.spend.note
    known = cut_short(join_answers(QUESTION, [("one", answer("a"))]), 1, 8)
    assert not known.abstained and "7 of 8" in known.spend.note
    assert "before the budget" in cut_short(join_answers(QUESTION, []), 0, 8).answer
