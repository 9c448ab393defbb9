"""What is published of an evaluation: results for a model card, and answers for a benchmark's own server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hicom_agent.evaluation.questions import Benchmark, Question
from hicom_agent.rows import whole

NAMES = {"by_letter": "accuracy by letter", "by_likelihood": "accuracy by likelihood"}
TASK = {"type": "video-text-to-text", "name": "multiple-choice questions about videos"}


def model_card(benchmark: Benchmark, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return results as the metadata of a model card on the Hugging Face hub holds them, under `model-index`."""
    settings, coverage = found["settings"], found["coverage"]
    metrics = []
    for way, name in NAMES.items():
        overall = found["overall"][way]
        if overall is not None:
            args = {
                "low": overall["low"],
                "high": overall["high"],
                **coverage,
                "fallbacks": found["overall"]["fallbacks"],
            }
            metrics.append({"type": "accuracy", "name": name, "value": overall["percent"], "args": args})
        for mean, shares in found["means"].items():
            if way in shares:
                metrics.append({"type": "accuracy", "name": f"{mean}, {name}", "value": shares[way]})
    dataset = {"name": benchmark.title, "type": benchmark.dataset, "split": benchmark.split, "args": dict(settings)}
    result = {"task": TASK, "dataset": dataset, "metrics": metrics}
    name = f"hicom-agent, {settings['mode']}, {settings['profile']} {settings['model']}"
    return {"model-index": [{"name": name, "results": [result]}]}


def submission(questions: Sequence[Question], rows: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Return the answers, by letter, for a benchmark whose right ones only its own server knows; {} for others."""
    if all(question.answer is not None for question in questions):
        return {}
    answered = (question.id for question in questions if question.id in rows and not rows[question.id]["reason"])
    return {name: rows[name]["letter"] for name in answered}


def write_json(file: Path, value: Any) -> None:
    """Write a file of results, whole or not at all; raises SetupError."""
    with whole(file) as aside:
        aside.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
