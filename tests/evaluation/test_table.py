"""Scores: shares with their intervals, groups as the benchmarks report them, coverage, and what is published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hicom_agent.evaluation.asking import Reply
from hicom_agent.evaluation.card import model_card, submission, write_json
from hicom_agent.evaluation.catalog import BENCHMARKS, read_benchmark
from hicom_agent.evaluation.questions import Question
from hicom_agent.evaluation.run import make_row
from hicom_agent.evaluation.table import score, table_lines, wilson

SETTINGS = {"mode": "model", "profile": "hicom-7b", "model": "hicom-1-abc", "num_frames": 32, "subtitles": False}


def answer(question: Question, letter: int, likeliest: int, reason: str = "") -> dict[str, Any]:
    likelihoods = tuple(0.9 if i == likeliest else 0.01 for i in range(len(question.options)))
    reply = None if reason else Reply("ABCDE"[letter], likelihoods, visual_tokens=600 + letter, frames=32)
    return make_row(question, reply, reason, "mark") | {"watch_s": 2.0, "seconds": 1.0}


def test_an_interval_is_wilsons() -> None:
    assert wilson(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_video_mme_is_scored_over_answered_questions_by_duration(benchmarks: dict[str, Path]) -> None:
    known, questions = read_benchmark("videomme", benchmarks["videomme"])
    rows = {q.id: answer(q, q.answer or 0, 0) for q in questions[:3]}  # all right by letter
    rows[questions[3].id] = answer(questions[3], 0, 0, "cannot be decoded")
    found = score(known, questions, rows, SETTINGS)
    assert found["coverage"] == {
        "questions": 5,
        "answered": 3,
        "failed": 1,
        "missing": 1,
        "left": 0,
        "without_public_answer": 0,
    }
    assert found["overall"]["by_letter"]["percent"] == 100 and found["overall"]["by_likelihood"]["right"] == 1
    durations = {g["name"]: g["by_letter"]["right"] for g in found["groups"] if g["kind"] == "duration"}
    assert durations == {"short": 2, "medium": 1}
    assert found["cost"]["visual_tokens"] == pytest.approx(601) and found["cost"]["most_visual_tokens"] == 602
    assert found["paper"]["percent_by_frames"] == {32: 58.1, 64: 58.9, 128: 60.3}
    with_subtitles = score(known, questions, rows, SETTINGS | {"subtitles": True})
    assert with_subtitles["paper"]["percent_by_frames"][128] == 64.8
    lines = "\n".join(table_lines(found))
    assert "answered   3 of 5; 1 failed, 1 missing" in lines and "missing    gone" in lines
    assert "failed     vidB (1 questions): cannot be decoded" in lines
    assert "paper      HICom 7B, all questions, by letter: 58.1 at 32 frames" in lines


@pytest.mark.parametrize(("name", "mean"), [("mvbench", "mean of tasks"), ("mlvu", "M-avg")])
def test_means_over_tasks_stand_beside_means_over_questions(benchmarks: dict[str, Path], name: str, mean: str) -> None:
    known, questions = read_benchmark(name, benchmarks[name])
    tasks = [dict(question.groups)["task"] for question in questions]
    rows = {}
    for question, task in zip(questions, tasks, strict=True):
        right = question.answer or 0
        rows[question.id] = answer(question, right if task == tasks[0] else (right + 1) % len(question.options), 0)
    found = score(known, questions, rows, SETTINGS)
    expected = 100 * tasks.count(tasks[0]) / len(tasks)
    assert found["overall"]["by_letter"]["percent"] == pytest.approx(expected, abs=0.01)
    assert found["means"][mean]["by_letter"] == pytest.approx(100 / len(set(tasks)), abs=0.01)


def test_a_question_of_two_types_counts_in_both(benchmarks: dict[str, Path]) -> None:
    known, questions = read_benchmark("lvbench", benchmarks["lvbench"])
    found = score(known, questions, {"1": answer(questions[0], 3, 3)}, SETTINGS)
    names = [group["name"] for group in found["groups"] if group["kind"] == "task" and group["questions"] == 1]
    assert names == ["reasoning", "temporal grounding"] and found["overall"]["questions"] == 1 and not found["paper"]


def test_without_a_public_answer_it_is_submitted_and_not_scored(benchmarks: dict[str, Path]) -> None:
    known, questions = read_benchmark("egoschema", benchmarks["egoschema"])
    rows = {question.id: answer(question, 4, 3) for question in questions[:2]}
    found = score(known, questions, rows, SETTINGS)
    assert found["overall"]["questions"] == 1 and found["overall"]["by_likelihood"]["percent"] == 100
    assert found["coverage"]["without_public_answer"] == 1 and found["coverage"]["missing"] == 1
    assert submission(questions, rows) == {"0001-aa": 4, "0002-bb": 4}
    assert submission([questions[0]], rows) == {}


def test_the_model_card_is_what_the_hub_reads(benchmarks: dict[str, Path]) -> None:
    from huggingface_hub.repocard_data import model_index_to_eval_results

    known, questions = read_benchmark("mvbench", benchmarks["mvbench"])
    found = score(known, questions, {q.id: answer(q, q.answer or 0, 1) for q in questions[:3]}, SETTINGS)
    name, results = model_index_to_eval_results(model_card(known, found)["model-index"])
    assert name == "hicom-agent, model, hicom-7b hicom-1-abc"
    assert {(r.dataset_type, r.dataset_name, r.task_type) for r in results} == {
        ("OpenGVLab/MVBench", "MVBench", "video-text-to-text")
    }
    values = {r.metric_name: r.metric_value for r in results}
    assert values["accuracy by letter"] == 100 and "mean of tasks, accuracy by likelihood" in values


def test_names_that_are_no_text_are_written(tmp_path: Path) -> None:
    write_json(tmp_path / "result.json", {"video": "\udcff"})
    assert json.loads((tmp_path / "result.json").read_text()) == {"video": "\udcff"}
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


def test_an_evaluation_without_an_answer_still_has_a_table() -> None:
    question = Question("1", "v", None, "What?", ("a", "b"), 0)
    found = score(BENCHMARKS["mvbench"], [question], {}, SETTINGS)
    assert found["overall"]["by_letter"] is None and found["coverage"]["missing"] == 1
    assert "answered   0 of 1; 1 missing" in "\n".join(table_lines(found))
    assert model_card(BENCHMARKS["mvbench"], found)["model-index"][0]["results"][0]["metrics"] == []
