"""Lines read a second time: what the model holds is weighed with what they share; what is not read is not believed."""

from __future__ import annotations

from dataclasses import replace

from hicom_agent.agent.evidence import Evidence
from hicom_agent.agent.plan import understand
from hicom_agent.agent.reading import READ_FROM, join
from hicom_agent.agent.rereading import ABOUT, HOLDS, LINES, reread, reread_mentions, reread_times
from hicom_agent.llm.text import Draft
from hicom_agent.types import Modality

FERRY = understand("What time does the narrator say the ferry leaves?")


class Reader:
    """A model that finds an answer in lines with a figure."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def holds(self, question: str, line: str) -> float:
        self.read.append(line)
        return 8.0 if any(sign.isdigit() for sign in line) else -2.0

    def is_about(self, thing: str, line: str) -> float:
        self.read.append(line)
        return 4.0 if thing in line else -4.0

    def extract(self, question: str, line: str) -> Draft | None:
        return None


def line(text: str, support: float, modality: Modality = "speech", index: int = 0) -> Evidence:
    return Evidence("v", modality, 1.0, 2.0, support, text, index)


def test_a_line_that_holds_the_answer_goes_before_a_near_miss() -> None:
    found = reread(FERRY, [line("The ferry is red.", 0.6), line("It leaves at 9.", 0.5)], Reader())
    assert [piece.text for piece in found] == ["It leaves at 9.", "The ferry is red."]
    assert found[0].support > 0.8 and found[1].support < READ_FROM


def test_only_the_best_lines_where_the_wording_points_are_read_and_no_other_is_believed() -> None:
    reader = Reader()
    said = [line(f"Line {n}", 0.9 - n / 100) for n in range(LINES + 2)]
    sign = line("FERRY 9", 0.7, "text")
    found = reread(FERRY, [*reversed(said), sign], reader)
    assert reader.read == [piece.text for piece in said[:LINES]]
    left = {piece.text for piece in said[LINES:]}
    assert [piece.support < READ_FROM for piece in found if piece.text in left] == [True, True]
    assert sign in found


def test_a_time_that_answers_goes_before_a_mere_mention() -> None:
    sub = understand("When is the exam?")
    mention, fact = line("The exam is hard.", 0.97, index=1), line("It will be on the 9 June.", 0.2, index=2)
    found = reread_times(sub, [mention, replace(fact, support=0.1)], [fact, replace(mention, support=0.5)], Reader())
    assert [piece.text for piece in found] == [fact.text, mention.text]
    assert found[0].support > READ_FROM and found[1].support < found[0].support


def test_what_a_line_is_about_is_read_by_the_thing_alone() -> None:
    sub = understand("At what point is the ferry mentioned?")
    about, beside = line("A ferry!", 0.1, index=1), line("A boat.", 0.4, index=2)
    found = reread_mentions(sub, [beside, about], Reader())
    assert [piece.text for piece in found] == [about.text, beside.text]
    assert found[0].support >= READ_FROM > found[1].support


def test_a_time_of_another_thing_is_no_answer_and_a_mention_stays_what_it_is() -> None:
    sub = understand("When is the exam?")
    mention, near = line("The exam is hard.", 0.97, index=1), line("The lecture is on Monday.", 0.8, index=2)
    found = reread_times(sub, [mention, near], [near, mention], Reader())
    assert found[0] == mention
    assert found[1].text == near.text and found[1].support < READ_FROM


def test_a_line_with_next_to_nothing_in_common_is_read_only_if_it_is_the_best() -> None:
    reader = Reader()
    reread(FERRY, [line("Line 0", 0.5), line("Line 1", 0.001)], reader)
    assert reader.read == ["Line 0"]
    reread(FERRY, [line("Line 2", 0.001)], reader)
    assert reader.read == ["Line 0", "Line 2"]


def test_more_of_either_reading_is_never_less_sure() -> None:
    for weights in (HOLDS, ABOUT):
        grid = [[join(support / 10, held, weights) for held in range(-6, 12)] for support in range(11)]
        assert all(row == sorted(row) for row in grid)
        assert all(list(column) == sorted(column) for column in zip(*grid, strict=True))
