"""A question and a line read together, by the packaged model."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from hicom_agent import models
from hicom_agent.errors import ModelMissing, SetupError
from hicom_agent.llm.reranker import Reranker
from hicom_agent.profiles import find_reranker

LINES = ["The keys hang behind the kitchen door.", "Day pass: 7 euros. Week pass: 30 euros", "She waters the plants."]


@pytest.fixture(scope="module")
def reranker(nano: Path) -> Reranker:
    return Reranker(models.ensure("reranker", nano, offline=True), threads=2)


@pytest.mark.weights
@pytest.mark.parametrize(
    ("question", "best"),
    [("Where do I find the keys?", 0), ("What does it cost to come for seven days?", 1), ("Who cares for flowers?", 2)],
)
def test_a_line_bears_on_a_question_also_in_other_words(reranker: Reranker, question: str, best: int) -> None:
    scores = reranker.score(question, LINES)
    assert scores.shape == (3,) and int(scores.argmax()) == best


@pytest.mark.weights
def test_scores_do_not_depend_on_what_is_read_beside(reranker: Reranker) -> None:
    together = reranker.score("Where are the keys?", [*LINES, "And so on. " * 50])
    assert together[:3].tolist() == [float(reranker.score("Where are the keys?", [line])[0]) for line in LINES]
    assert len(reranker.score("Where are the keys?", [])) == 0
    assert np.isfinite(reranker.score("long " * 900, ["long " * 900])).all()


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(SetupError, match=r"no reranker in .*; run: hicom-agent models pull reranker"):
        Reranker(tmp_path)


def test_without_the_model_lines_are_read_without_it_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    def missing(name: str) -> Path:
        raise ModelMissing(f"model {name!r} is not here")

    with caplog.at_level(logging.WARNING):
        assert find_reranker(missing, 1) is None
    assert "not read together with the question: model 'reranker' is not here" in caplog.text
