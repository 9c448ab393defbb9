"""Measure what the packaged 135M model does with evidence: right, wrong, invented or declined, by way of asking.

    python benchmarks/small_llm.py        # writes benchmarks/results/small_llm.json

The cases are made by hand. Set "dev" was looked at while the ways were chosen, "test" while the rule of `unmet` was;
"held" was written after both. A wrong colour in it and one in "test" led to choosing spans of the kind asked for.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

from hicom_agent import models
from hicom_agent.llm.grounding import content_words, new_words, ungrounded
from hicom_agent.llm.spans import answer_spans, unmet
from hicom_agent.llm.text import SmallTextModel
from hicom_agent.prompts import load_prompt
from hicom_agent.settings import load_settings

HERE = Path(__file__).resolve().parent
Way = Callable[[SmallTextModel, list[str], str], str]


def best_line(lines: list[str], question: str) -> str:
    asked = set(content_words(question))
    return max(lines, key=lambda line: len(asked & set(content_words(line))))


def written(model: SmallTextModel, lines: list[str], question: str) -> str:
    user = load_prompt("answer", evidence="\n".join(lines), question=question)
    return model.write(load_prompt("answer_system"), user, 32).text


def written_grounded(model: SmallTextModel, lines: list[str], question: str) -> str:
    text = written(model, lines, question)
    return "" if ungrounded(text, lines, question) or not new_words(text, question) else text


def chosen(model: SmallTextModel, lines: list[str], question: str) -> str:
    line = best_line(lines, question)
    spans = answer_spans(line, question)
    if not spans or re.match(r"(is|are|was|were|do|does|did|may|can|has|have)\b", question.lower()):
        return line
    return model.choose(load_prompt("short"), load_prompt("line", line=line, question=question), spans).text


def chosen_if_met(model: SmallTextModel, lines: list[str], question: str) -> str:
    return "" if unmet(question, lines) else chosen(model, lines, question)


def quoted_if_met(model: SmallTextModel, lines: list[str], question: str) -> str:
    return "" if unmet(question, lines) else best_line(lines, question)


def is_right(text: str, accepted: list[str]) -> bool:
    return any(re.search(rf"(?<!\w){re.escape(words.lower())}(?!\w)", text.lower()) for words in accepted)


def outcome(text: str, accepted: list[str]) -> str:
    declined = not text or "not in the evidence" in text.lower()
    if not accepted:
        return "rightly declined" if declined else "invented"
    return "declined" if declined else "right" if is_right(text, accepted) else "wrong"


def measure(model: SmallTextModel, way: Way, cases: list[dict[str, object]]) -> dict[str, object]:
    counts: dict[str, int] = {}
    answers = []
    start_s = time.perf_counter()
    for case in cases:
        lines = [line.split(": ", 1)[1] for line in case["evidence"]]  # type: ignore[attr-defined]
        text = way(model, lines, str(case["question"])).splitlines()
        kind = outcome(text[0] if text else "", case["accepted"])  # type: ignore[arg-type]
        counts[kind] = counts.get(kind, 0) + 1
        answers.append([case["question"], text[0] if text else "", kind])
    seconds = (time.perf_counter() - start_s) / len(cases)
    return {**dict(sorted(counts.items())), "seconds_per_question": round(seconds, 3), "answers": answers}


def main() -> None:
    cases = json.loads((HERE / "small_llm_cases.json").read_text())
    start_s = time.perf_counter()
    model = SmallTextModel(models.ensure("smollm2", load_settings().cache), threads=2)
    results: dict[str, object] = {"load_s": round(time.perf_counter() - start_s, 2)}
    for way in (written, written_grounded, chosen, chosen_if_met, quoted_if_met):
        for name in ("dev", "test", "held"):
            found = measure(model, way, [case for case in cases if case["set"] == name])
            results[f"{way.__name__} {name}"] = found
            print(way.__name__, name, {key: value for key, value in found.items() if key != "answers"}, flush=True)
    target = HERE / "results" / "small_llm.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
