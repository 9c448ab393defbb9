"""Fit how sure an answer may claim to be, on all questions but those of the reported half of the quality set.

The held half of the words set is among them: on questions that rules were chosen on, answers are right more often than
on others, and curves fitted there alone promised too much.

    python benchmarks/calibrate.py        # prints CURVES for hicom_agent/agent/confidence.py
    python benchmarks/calibrate.py --llm packaged:qwen-1500m    # of which "read" and "read in vain" count

Of each way to an answer the raw confidence and whether it was right give one logistic curve. Few answers come about in
some ways, so constants and factors are drawn to those of all answers together. Only questions of one step count:
those of several take the least sure of their steps.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np
import quality
import wording
from quality_questions import questions
from words import ask_words, load_films

from hicom_agent.agent import confidence, loop
from hicom_agent.agent.confidence import log_odds
from hicom_agent.tools import ask_video

PRIOR_CONSTANT, PRIOR_FACTOR = 3.0, 12.0  # how strongly a way is drawn to all of them, in answers

DECLINED = ("unseen", "read in vain", "told apart")


@dataclass(frozen=True)
class Told:
    """An answer of one step."""

    how: str
    raw: float
    right: bool


class Recorder:
    """Stands in for `calibrate` and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, float]] = []

    def __call__(self, how: Any, raw: float) -> float:
        self.asked.append((how, raw))
        return raw


def gather(llm: str) -> list[Told]:
    """Return what came of every question that took one step."""
    told = []
    recorder = Recorder()
    loop.calibrate = recorder  # type: ignore[assignment]
    films = quality.make_films([name for name, half in quality.HALVES.items() if half == "tuning"])
    quality.index(films)
    work = quality.fresh_workspace(llm=llm)
    for question in questions():
        if question.film in films:
            recorder.asked.clear()
            [row] = quality.ask_all(work, films, [question])
            if len(recorder.asked) == 1:
                told.append(Told(*recorder.asked[0], row.right))
    for row in wording.load_rows():
        recorder.asked.clear()
        answer = ask_video(work, str(films[row["film"]]), row["question"]).model_dump(mode="json")
        if len(recorder.asked) == 1:
            told.append(Told(*recorder.asked[0], wording.judge(row, answer).verdict == "right"))
    for film in load_films("both"):
        for question in film["questions"]:
            recorder.asked.clear()
            [row] = ask_words(work, film, [question])
            if len(recorder.asked) == 1:
                told.append(Told(*recorder.asked[0], row.right))
    return told


def fit(told: list[Told], toward: tuple[float, float], strength: tuple[float, float]) -> tuple[float, float]:
    """Return constant and factor of the logistic curve, by Newton's method with a pull toward others."""
    x = np.array([[1.0, log_odds(each.raw)] for each in told])
    y = np.array([each.right for each in told], float)
    curve, pull = np.array(toward), np.diag(strength)
    for _ in range(50):
        chance = 1 / (1 + np.exp(-x @ curve))
        slope = x.T @ (chance - y) + pull @ (curve - np.array(toward))
        curve = curve - np.linalg.solve((x * (chance * (1 - chance))[:, None]).T @ x + pull, slope)
    return round(float(curve[0]), 2), round(max(0.0, float(curve[1])), 2)


def main() -> None:
    """Print the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llm", default="", help="another language model, such as packaged:qwen-1500m")
    told = gather(parser.parse_args().llm)
    answered = [each for each in told if each.how not in DECLINED]
    base = fit(answered, (0.5, 0.5), (0.1, 0.1))
    print("CURVES: dict[How, tuple[float, float]] = {")
    for how in confidence.How.__args__:  # type: ignore[attr-defined]
        of = [each for each in told if each.how == how]
        start = base if how not in DECLINED else (0.0, 0.5)
        curve = fit(of, start, (PRIOR_CONSTANT * 0.25, PRIOR_FACTOR * 0.25)) if of else base
        right = sum(each.right for each in of)
        print(f'    "{how}": {curve},  # {right} of {len(of)} right')
    print("}")


if __name__ == "__main__":
    main()
