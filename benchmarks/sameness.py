"""Measure how well it is told whether two questions look for the same thing, so that one may use the other's look.

    python benchmarks/sameness.py        # writes benchmarks/results/sameness.json

The pairs of sameness_pairs.json are split by topic: topics in the order of the alphabet go to the two halves in turn.
A threshold is the loosest that takes no near miss of the tuning half; the held-out half was written before any score
was seen. Besides, each question is compared with those of the other topics of its half: the few that match are
listed, to be judged by eye. At the recall of the rule, cosines show what they would cost.
"""

from __future__ import annotations

import json
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hicom_agent.agent import sameness
from hicom_agent.agent.sameness import look_words, same_look
from hicom_agent.encode.guide import guide_text
from hicom_agent.encode.sentences import SentenceModel
from hicom_agent.models import ensure
from hicom_agent.settings import load_settings

HERE = Path(__file__).resolve().parent
Pair = Sequence[str]  # two questions, and of near misses why they differ
Topics = dict[str, dict[str, list[Pair]]]
NOTE = (
    "One author wrote pairs and rule, the synonyms before the pairs (some ambiguous ones were taken out later); "
    "the rule was changed by errors of the tuning half "
    "and by pairs that are not in the file, never by the held-out half. What matches across "
    "topics is the same thing in other words, or the same question."
)


class Encoder:
    """Sentence vectors, each made once."""

    def __init__(self, folder: Path) -> None:
        self._model = SentenceModel(folder)
        self._vectors: dict[str, np.ndarray] = {}

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        new = [text for text in texts if text not in self._vectors]
        if new:
            self._vectors |= dict(zip(new, self._model.encode(new), strict=True))
        return np.stack([self._vectors[text] for text in texts])

    def cosine(self, one: str, other: str) -> float:
        vectors = self([one, other])
        return float(vectors[0] @ vectors[1])


def split(topics: Topics) -> dict[str, Topics]:
    names = sorted(topics)
    return {"tuning": {n: topics[n] for n in names[::2]}, "held-out": {n: topics[n] for n in names[1::2]}}


def pairs(topics: Topics, kind: str) -> list[Pair]:
    return [pair for topic in topics.values() for pair in topic[kind]]


def across(topics: Topics) -> Iterator[tuple[str, str]]:
    questions = [sorted({q for kind in t.values() for pair in kind for q in pair[:2]}) for t in topics.values()]
    for one, other in combinations(questions, 2):
        yield from ((a, b) for a in one for b in other)


def measure(topics: Topics, matches: Callable[[str, str], bool]) -> dict[str, Any]:
    same, near = pairs(topics, "same"), pairs(topics, "near")
    found = [pair for pair in same if matches(*pair[:2])]
    false = [pair for pair in near if matches(*pair[:2])]
    return {
        "recall": round(len(found) / len(same), 3),
        "same": f"{len(found)} of {len(same)}",
        "false_matches": f"{len(false)} of {len(near)}",
        "matches_across_topics": sum(matches(a, b) for a, b in across(topics)),
    }


def list_errors(topics: Topics, matches: Callable[[str, str], bool]) -> dict[str, list[Any]]:
    return {
        "missed": [pair for pair in pairs(topics, "same") if not matches(*pair[:2])],
        "false": [pair for pair in pairs(topics, "near") if matches(*pair[:2])],
        "across_topics": [pair for pair in across(topics) if matches(*pair)],
    }


def main() -> None:
    started_s = time.perf_counter()
    encode = Encoder(ensure("minilm", load_settings().cache))
    halves = split(json.loads((HERE / "sameness_pairs.json").read_text())["topics"])

    questions = [q for half in halves.values() for kind in ("same", "near") for p in pairs(half, kind) for q in p[:2]]
    guide = cache(guide_text)
    encode([text for question in questions for text in (question, guide(question))])

    def by_question(one: str, other: str) -> float:
        return encode.cosine(one, other)

    def by_guide(one: str, other: str) -> float:
        return encode.cosine(guide(one), guide(other))

    def by_rule(one: str, other: str) -> bool:
        return same_look(one, [other], encode) == 0

    near = pairs(halves["tuning"], "near")
    limits = {kind: max(score(*pair[:2]) for pair in near)
              for kind, score in (("questions", by_question), ("guides", by_guide))}  # fmt: skip
    tuned = pairs(halves["tuning"], "same")
    num_found = sum(by_rule(*pair[:2]) for pair in tuned)
    loose = sorted((by_guide(*pair[:2]) for pair in tuned), reverse=True)[num_found - 1]
    ways: dict[str, Callable[[str, str], bool]] = {
        "cosine of the questions": lambda a, b: by_question(a, b) > limits["questions"] + 1e-4,
        "cosine of the guides": lambda a, b: by_guide(a, b) > limits["guides"] + 1e-4,
        "equal guides": lambda a, b: guide(a) == guide(b),
        "cosine of the guides, loose enough for the recall of same_look": lambda a, b: by_guide(a, b) >= loose,
        "same_look": by_rule,
    }
    worded = [by_guide(*pair[:2]) for pair in tuned if look_words(pair[0]) == look_words(pair[1])]
    before_s = time.perf_counter()
    for question in questions:
        look_words.__wrapped__(question)
    words_ms = 1e3 * (time.perf_counter() - before_s) / len(questions)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True)
    results = {
        "machine": {"cpus": torch.get_num_threads(), "processor": platform.machine()},
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "commit": commit.stdout.strip(),
        "note": NOTE,
        "pairs": {name: {kind: len(pairs(half, kind)) for kind in ("same", "near")} | {"topics": sorted(half)}
                  for name, half in halves.items()},
        "thresholds": {
            **{kind: round(value, 3) for kind, value in limits.items()},
            "guides, loose": round(loose, 3),
            "same_look": sameness.ALIKE,
            "lowest_cosine_of_a_same_pair_with_the_same_words_tuning": round(min(worded), 3),
        },
        **{name: {way: measure(half, matches) for way, matches in ways.items()} for name, half in halves.items()},
        "ms_per_question_without_encoding": round(words_ms, 3),
        "errors_of_same_look": {name: list_errors(half, by_rule) for name, half in halves.items()},
        "seconds": round(time.perf_counter() - started_s, 1),
    }  # fmt: skip
    target = HERE / "results" / "sameness.json"
    target.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps({key: value for key, value in results.items() if key != "errors_of_same_look"}, indent=1))


if __name__ == "__main__":
    main()
