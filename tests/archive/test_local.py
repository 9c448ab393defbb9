"""Worker processes that die, talk nonsense or stop in the middle: the rest of the work goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from hicom_agent.archive import local
from hicom_agent.archive.local import Local, Terms
from hicom_agent.archive.plan import Ask, Unit

WORKER = """
import json, os, sys
for line in sys.stdin:
    unit = json.loads(line)
    def say(**event): print(json.dumps(event), flush=True)
    if "corrupt" in unit["target"]: os.kill(os.getpid(), 9)
    if "nonsense" in unit["target"]: print("half a li", flush=True); os._exit(0)
    say(settled={"target": unit["target"]})
    for ask in unit["asks"]:
        if ask["question"] == "poison": os.kill(os.getpid(), 9)
        if ask["question"] == "refused": say(failed=ask, reason="no"); continue
        say(row={"id": ask["id"], "video": ask["video"]})
    say(end=True)
"""


@pytest.fixture
def crew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Local:
    """Return two workers that do as their units say."""
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    made = local._Worker.__init__

    def make(self: Any, terms: Terms) -> None:
        made(self, terms)
        self._command = [sys.executable, str(script)]

    monkeypatch.setattr(local._Worker, "__init__", make)
    return Local(Terms({}, tmp_path), 2)


def unit(target: str, *questions: str) -> Unit:
    return Unit(target, tuple(Ask(f"{target}-{i}", target, text) for i, text in enumerate(questions)))


def outcome(crew: Local, *units: Unit) -> dict[str, list[str]]:
    """Return what came of each unit, in words."""
    told: dict[str, list[str]] = {each.target: [] for each in units}
    with crew:
        for each, event in crew.run(units):
            assert each is not None
            if "row" in event:
                told[each.target].append(event["row"]["id"])
            elif "failed" in event:
                told[each.target].append(f"{event['failed']['id']}: {event['reason']}")
            elif "lost" in event:
                told[each.target].append(event["lost"])
            elif "end" in event:
                told[each.target].append("end")
    return told


def test_a_question_that_kills_its_worker_is_given_up_and_those_behind_it_are_answered(crew: Local) -> None:
    told = outcome(crew, unit("a", "fine", "refused", "poison", "fine", "fine"), unit("b", "fine"))
    assert told["a"] == ["a-0", "a-1: no", f"a-2: {local.DIED.format(2)}", "a-3", "a-4", "end"]
    assert told["b"] == ["b-0", "end"]


@pytest.mark.parametrize("target", ["corrupt", "nonsense"])
def test_a_video_that_kills_its_workers_is_lost_and_the_next_is_not(crew: Local, target: str) -> None:
    told = outcome(crew, unit(target, "fine"), unit("b", "fine"), unit("c", "fine"))
    assert told[target] == [local.DIED.format(3), "end"]
    assert told["b"] == ["b-0", "end"] and told["c"] == ["c-0", "end"]


def test_a_program_that_is_not_there_ends_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "none"))
    assert outcome(Local(Terms({}, tmp_path), 1), unit("a", "fine"))["a"] == [local.DIED.format(3), "end"]


def test_terms_cross_to_a_process_as_they_are(tmp_path: Path) -> None:
    terms = Terms({"store": str(tmp_path), "roots": ("/a", "/b"), "speech": False}, tmp_path / "shards", True, 3, None)
    fields = json.loads(terms.as_json())
    hand = local.make_hand(fields)
    assert hand.work.settings.store == tmp_path and hand.work.settings.roots == (Path("/a"), Path("/b"))
    assert (hand.shards, hand.merges, hand.max_steps, hand.max_visual_tokens) == (tmp_path / "shards", True, 3, None)
