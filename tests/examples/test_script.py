"""The demo's film and questions: long enough, nothing twice, and the truth is where it says."""

from __future__ import annotations

import json
from itertools import combinations

import av
import pytest
from film import Card, Shot, place
from judge import holds
from script import DATA, NARRATION, SCRIPT, Question, questions, said

SHOTS = [part for part in SCRIPT if isinstance(part, Shot)]


def test_film_lasts_between_ten_and_twelve_minutes() -> None:
    assert 600 <= place(SCRIPT)[-1].end_s <= 720


def test_no_stretch_of_footage_is_shown_twice() -> None:
    for one, other in combinations(SHOTS, 2):
        assert one.source != other.source or one.end_s <= other.start_s or other.end_s <= one.start_s


def test_narration_is_small_and_as_long_as_its_times_say() -> None:
    assert NARRATION.stat().st_size <= 200_000
    with av.open(str(NARRATION)) as file:
        length_s = sum(frame.samples for frame in file.decode(audio=0)) / 48000
    lines = json.loads((DATA / "narration.json").read_text())
    assert lines[-1]["end_s"] < length_s < lines[-1]["end_s"] + 2
    assert all(one["end_s"] < other["start_s"] for one, other in zip(lines, lines[1:], strict=False))
    assert length_s <= next(shot.lasts_s for shot in SHOTS if shot.sound == "narration")


def test_questions_are_of_every_kind_and_some_cannot_be_answered() -> None:
    kinds = [question.kind for question in questions()]
    assert set(kinds) == {"seen", "said", "written", "when", "compound", "yes/no", "not in the film"}
    assert len(kinds) >= 8 and kinds.count("not in the film") == 2


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.text)
def test_true_ranges_lie_in_the_film(question: Question) -> None:
    assert bool(question.ranges_s) == (question.kind != "not in the film")
    assert all(0 <= start < end <= place(SCRIPT)[-1].end_s for start, end in question.ranges_s)


def test_true_words_are_said_or_written_in_the_true_ranges() -> None:
    lines = [(*said(line["text"]), line["text"]) for line in json.loads((DATA / "narration.json").read_text())]
    lines += [(p.start_s, p.end_s, " ".join(p.part.lines)) for p in place(SCRIPT) if isinstance(p.part, Card)]
    for question in questions():
        there = " ".join(text for start, end, text in lines if (round(start, 2), round(end, 2)) in question.ranges_s)
        if question.kind in ("said", "written", "compound"):
            assert all(holds(there, group) for group in question.keywords), question.text
