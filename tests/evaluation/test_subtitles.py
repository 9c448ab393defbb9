"""Subtitles that stand at the frames that are shown, one line each, before the instruction."""

from __future__ import annotations

from pathlib import Path

import pytest

from hicom_agent.errors import InputError
from hicom_agent.evaluation.asking import word_question
from hicom_agent.evaluation.catalog import read_benchmark
from hicom_agent.evaluation.subtitles import lines_at, read_subtitles


def test_srt_loses_its_tags_and_lines(benchmarks: dict[str, Path]) -> None:
    found = read_subtitles(benchmarks["videomme"] / "subtitle" / "vidA.srt")
    assert [each.text for each in found] == ["A red ball is thrown.", "Between two frames.", "It lands & rolls."]
    assert (found[0].start_s, found[0].end_s) == (0.0, 0.9)
    assert lines_at(found, [0.5, 1.5, 2.5]) == ["A red ball is thrown.", "It lands & rolls."]
    assert lines_at(found, [0.92]) == []


def test_json_is_moved_to_the_clock_of_the_video(benchmarks: dict[str, Path]) -> None:
    first, _, last = read_benchmark("longvideobench", benchmarks["longvideobench"])[1]
    assert first.subtitles and last.subtitles
    found = read_subtitles(first.subtitles, first.subtitles_from_s)
    assert [each.text for each in found] == ["hello", "short"]
    times_s = [time_s for each in found for time_s in (each.start_s, each.end_s)]
    assert times_s == pytest.approx([0.0, 1.2, 1.95, 2.95])  # of a tenth of a second: it counts for a whole one
    endless = read_subtitles(last.subtitles, last.subtitles_from_s)
    assert lines_at(endless, [3500.0]) == ["to the end"]


def test_they_stand_before_the_instruction_and_not_in_the_question(benchmarks: dict[str, Path]) -> None:
    question = read_benchmark("videomme", benchmarks["videomme"])[1][0]
    assert word_question(question, "best answer", ["One.", "Two."]).splitlines() == [
        "This video's subtitles are listed below:",
        "One.",
        "Two.",
        "Select the best answer to the following multiple-choice question based on the video and the subtitles. "
        "Respond with only the letter (A, B, C, or D) of the correct option.",
        "What is thrown in scene 0?",
        "A. A ball.",
        "B. A hat.",
        "C. A cat.",
        "D. Nothing.",
        "The best answer is:",
    ]
    assert "subtitles" not in word_question(question, "best answer") and question.text == "What is thrown in scene 0?"
    assert "(A) A ball.\n(B) A hat." in word_question(question, "brackets")


def test_a_file_without_subtitles_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text("nothing of the kind")
    (tmp_path / "b.json").write_text('[{"start": "soon", "end": "00:00:01", "line": "x"}]')
    with pytest.raises(InputError, match=r"no subtitle in .*a\.srt: expected lines such as"):
        read_subtitles(tmp_path / "a.srt")
    with pytest.raises(InputError, match="expected start to be a time such as"):
        read_subtitles(tmp_path / "b.json")
