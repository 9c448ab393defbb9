"""Clips are asked about at once, within limits, and what fails is left for the next run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicom_agent.errors import AnswerError, InputError, SetupError, VideoUnreadable
from hicom_agent.pairs.builder import Builder, Run
from hicom_agent.pairs.clips import Film, Scene
from hicom_agent.pairs.ledger import Ledger
from hicom_agent.pairs.likeness import ColourEye
from hicom_agent.pairs.plan import Plan, Prices, make_plan, plan_lines
from hicom_agent.pairs.report import make_report, report_lines
from hicom_agent.pairs.terms import Terms
from hicom_agent.pairs.watch import watch_film
from hicom_agent.testing import make_video
from hicom_agent.types import Frame
from hicom_agent.video import Limits, open_video
from tests.pairs.scripted import Script, ScriptedChat, clip_of, good_reply

TERMS = Terms("scripted:model")
PRICES = Prices(3.0, 15.0)


class Asker:
    """A chat model whose faults are those of `Chat`."""

    def __init__(self, chat: ScriptedChat) -> None:
        self.chat = chat

    def ask(self, messages: Sequence[Any]) -> Any:
        try:
            return self.chat.invoke(list(messages))
        except ValueError as error:
            raise AnswerError(f"llm 'scripted:model' failed: {error}") from error


def read_frames(path: str, times_s: list[float], side_px: int) -> list[Frame]:
    """Return noise that is the same for a time."""
    noise = [np.random.default_rng(int(1000 * time_s)).integers(0, 256, (18, 32, 3), np.uint8) for time_s in times_s]
    return [Frame(time_s, picture) for time_s, picture in zip(times_s, noise, strict=True)]


@pytest.fixture
def film(tmp_path: Path) -> Film:
    """Return a film of twelve clips; its file holds no pictures."""
    path = tmp_path / "film.mp4"
    path.write_bytes(b"film")
    scenes = tuple(Scene(10.0 * i, 10.0 * i + 8, (10.0 * i,), (10.0 * i, 10.0 * i + 4)) for i in range(12))
    return Film(str(path), 4, path.stat().st_mtime_ns, 120.0, 32, 18, 11, 12, scenes)


@contextmanager
def building(
    tmp_path: Path, film: Film, script: Script, *, jobs: int = 1, prices: Prices = PRICES, limit: int | None = None
) -> Iterator[tuple[Ledger, Plan, Run, ScriptedChat]]:
    chat = ScriptedChat(script=script)
    with closing(Ledger(tmp_path / "pairs.jsonl", TERMS.settings())) as ledger:
        plan = make_plan([film], [], ledger, TERMS, limit)
        yield ledger, plan, Builder(Asker(chat), read_frames, TERMS, ledger, prices, jobs).run(plan), chat


def good(number: int, messages: Any) -> str:
    return good_reply(clip_of(messages))


@pytest.mark.parametrize("jobs", [1, 3])
def test_so_many_calls_are_made_at_once(tmp_path: Path, film: Film, jobs: int) -> None:
    together, lock, now, most = threading.Barrier(jobs), threading.Lock(), [0], [0]

    def script(number: int, messages: Any) -> str:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        together.wait(timeout=60)
        with lock:
            now[0] -= 1
        return good(number, messages)

    with building(tmp_path, film, script, jobs=jobs) as (ledger, _, run, chat):
        assert most == [jobs] and run.answered == len(ledger.done) == len(chat.asked) == 12
        assert len({clip_of(messages) for messages in chat.asked}) == 12


def test_what_is_rejected_is_counted_with_its_reason(tmp_path: Path, film: Film) -> None:
    fine = json.loads(good_reply(1))
    refused = fine["pairs"][0] | {"description": "I'm sorry, I cannot see that."}
    generic = fine["pairs"][1] | {"instruction": "Describe the video."}
    mixed = json.dumps(fine | {"pairs": [*fine["pairs"], refused, generic]})
    answers = [mixed, "I'm sorry, I can't help with that.", "no JSON", "still none"]
    with building(tmp_path, film, lambda number, _: answers[number], limit=3) as (ledger, plan, run, chat):
        report = make_report(ledger, run, plan.faults, PRICES)
    assert len(chat.asked) == report["calls"] == 4 and report["pictures"] == 8
    assert report["rejected"] == {"refusal": 1, "generic instruction": 1, "refused": 1, "malformed reply": 1}
    assert report["examples"]["generic instruction"][0]["instruction"] == "Describe the video."
    assert report["examples"]["malformed reply"] == [
        {"instruction": "", "description": "still none", "detail": "it is not JSON"}
    ]
    assert (report["pairs"], report["clips"], report["clips_without_pairs"]) == (3, 3, 2)
    assert report["cost"] == pytest.approx((4000 * 3 + 800 * 15) / 1e6) and not report["tokens_estimated"]
    lines = report_lines(report, tmp_path / "pairs.jsonl")
    assert "rejected 1 malformed reply, such as: it is not JSON / still none" in lines
    assert any(line.startswith("lengths  instruction: 7 to 8, quartiles") for line in lines)


def test_a_model_that_fails_on_all_calls_is_given_up_soon(tmp_path: Path, film: Film) -> None:
    with building(tmp_path, film, lambda *_: ValueError("wrong key")) as (ledger, _, run, chat):
        assert (len(chat.asked), run.broken, run.exit_code, ledger.done) == (3, True, 5, set())
        assert run.stopped.startswith("all 3 calls failed") and "wrong key" in run.stopped
    with building(tmp_path, film, lambda *_: ValueError("wrong key"), limit=1) as (_, _, run, _):
        assert run.broken and run.stopped.startswith("all 1 calls failed")


def test_a_model_that_begins_to_fail_is_given_up_later(tmp_path: Path, film: Film) -> None:
    def script(number: int, messages: Any) -> str | Exception:
        return good(number, messages) if number == 0 else ValueError("gone")

    with building(tmp_path, film, script) as (ledger, _, run, chat):
        assert (len(chat.asked), run.broken, len(ledger.done), len(run.failed)) == (11, True, 1, 10)


def test_what_failed_is_asked_by_the_next_run_and_nothing_else(tmp_path: Path, film: Film) -> None:
    def script(number: int, messages: Any) -> str | Exception:
        return ValueError("connection reset") if number % 3 == 1 else good(number, messages)

    with building(tmp_path, film, script) as (_, _, run, chat):
        assert (run.answered, len(run.failed), run.broken, run.exit_code) == (8, 4, False, 5)
        failed = [clip_of(messages) for number, messages in enumerate(chat.asked) if number % 3 == 1]
    with building(tmp_path, film, good, jobs=2) as (ledger, plan, run, chat):
        assert plan.num_before == 8 and run.answered == 4 and len(ledger.done) == 12
        assert sorted(clip_of(messages) for messages in chat.asked) == sorted(failed)


def test_pictures_that_cannot_be_read_are_no_fault_of_the_model(
    tmp_path: Path, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(path: str, times_s: list[float], side_px: int) -> list[Frame]:
        raise VideoUnreadable(f"{path!r} cannot be decoded")

    monkeypatch.setitem(building.__wrapped__.__globals__, "read_frames", lost)  # type: ignore[attr-defined]
    with building(tmp_path, film, good) as (_, _, run, chat):
        assert (len(run.failed), run.broken, run.exit_code, chat.asked) == (12, False, 2, [])
        assert "cannot be decoded" in run.failed[0].reason


def test_a_film_that_changed_meanwhile_is_not_asked_about(tmp_path: Path, film: Film) -> None:
    Path(film.path).write_bytes(b"another film")
    with building(tmp_path, film, good) as (_, _, run, chat):
        assert chat.asked == [] and "changed since it was watched" in run.failed[0].reason


def test_a_film_that_is_written_to_while_it_is_watched_is_refused(tmp_path: Path) -> None:
    path = make_video(tmp_path / "film.mp4", seconds=2, fps=10)

    class Writing(ColourEye):
        def look(self, pictures: Sequence[Any]) -> Any:
            with path.open("ab") as file:
                file.write(b"more")
            return super().look(pictures)

    with open_video(path) as opened, pytest.raises(InputError, match="changed while it was watched"):
        watch_film(opened, TERMS, Writing(), Limits())


def test_a_full_disk_ends_the_run(tmp_path: Path, film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Ledger, row: dict[str, Any]) -> None:
        raise SetupError("cannot write")

    monkeypatch.setattr(Ledger, "add_clip", full)
    with pytest.raises(SetupError, match="cannot write"), building(tmp_path, film, good, jobs=3):
        pass


@pytest.mark.parametrize("jobs", [1, 4])
def test_no_more_is_spent_than_allowed_and_a_higher_limit_goes_on(tmp_path: Path, film: Film, jobs: int) -> None:
    dear = Prices(3.0, 15.0, 0.04)
    with building(tmp_path, film, good, jobs=jobs, prices=dear) as (ledger, _, run, _):
        spent = PRICES.cost(ledger.tokens_in, ledger.tokens_out)
        assert spent is not None and 0.02 < spent <= 0.04 and not run.broken and run.exit_code == 0
        assert "--max-cost 0.04" in run.stopped and 0 < run.answered < 12
        before = run.answered
    with building(tmp_path, film, good, jobs=jobs) as (ledger, _, run, _):
        assert (run.answered, run.stopped, len(ledger.done)) == (12 - before, "", 12)


def test_the_limit_of_clips_counts_from_the_first(tmp_path: Path, film: Film) -> None:
    for limit, asked in ((2, 2), (2, 0), (5, 3)):
        with building(tmp_path, film, good, limit=limit) as (_, plan, _, chat):
            assert (len(chat.asked), plan.num_left_out) == (asked, 12 - limit)
    assert f"{12 - 5} left out by --limit-clips" in "\n".join(plan_lines(plan.tell(PRICES, TERMS)))


def test_replies_that_were_counted_stand_for_those_to_come(tmp_path: Path, film: Film) -> None:
    with building(tmp_path, film, good, limit=5) as (ledger, first, _, _):
        later = make_plan([film], [], ledger, TERMS)
    assert {task.tokens_out for task in first.tasks} == {220 + 3 * 80}
    assert {task.tokens_out for task in later.tasks} == {200}
