from __future__ import annotations

import pytest

from hicom_agent import screen
from hicom_agent.models import load_manifest
from hicom_agent.types import Answer, Coverage, Progress, Spend

CONVERTING = Progress("converting smollm2", 0, 0, "", "about a minute on two cores, once")


def test_work_that_does_not_tell_how_far_it_is_shows_a_bar_that_moves_and_how_long_it_takes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes it for a terminal
    monkeypatch.setenv("COLUMNS", "120")
    with screen._bars() as show:
        show(CONVERTING)
    told = capsys.readouterr().err
    assert "converting smollm2" in told and "about a minute" in told and "%" not in told
    with screen._bars() as show:
        show(Progress("hashing", 1, 2, "bytes"))
    assert "50%" in capsys.readouterr().err


def test_elsewhere_it_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with screen.progress_bars() as show:
        show(CONVERTING)
        show(Progress("hashing", 1, 2, "bytes"))
    assert capsys.readouterr().err.splitlines() == [
        "converting smollm2 (about a minute on two cores, once)",
        "hashing 50%",
    ]


def test_a_larger_model_is_said_to_take_longer() -> None:
    known = load_manifest()
    assert known["smollm2"].convert_minutes == "a minute"
    assert known["qwen-1500m"].convert_minutes.endswith(" minutes")


def test_an_answer_tells_the_time_with_loading_where_that_is_much_longer() -> None:
    answer = Answer(
        question="x?",
        answer="y",
        abstained=False,
        confidence=0.9,
        citations=[],
        coverage=Coverage(indexed_s=1.0, total_s=1.0),
        spend=Spend(seconds=0.2),
        profile="",
        index_version="",
    )
    assert screen.answer_lines(answer, 5.0)[-1].endswith("0.2 s (5.0 s with loading)")
    assert screen.answer_lines(answer, 1.0)[-1].endswith("0.2 s")


def test_loading_is_a_bar_in_a_terminal_and_nothing_in_a_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with screen.progress_bars() as show:
        show(Progress(screen.LOADING, 0, 0, ""))
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    with screen._bars() as show:
        show(Progress(screen.LOADING, 0, 0, ""))
    assert "loading models" in capsys.readouterr().err
