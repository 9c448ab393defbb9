"""Logs: settings never mix, nothing is asked twice, and parts come together in one table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from hicom_agent.errors import AnswerError, InputError, SetupError, VideoUnreadable
from hicom_agent.evaluation.asking import Reply
from hicom_agent.evaluation.log import Log, Shard, merge_logs
from hicom_agent.evaluation.questions import Question
from hicom_agent.evaluation.run import ask_all, lost_videos, make_plan

WHOLE = Shard()
SETTINGS = {"benchmark": "made", "mode": "model", "num_frames": 32}


def make_questions(count: int = 6, videos: int = 3) -> list[Question]:
    return [
        Question(f"q{i}", f"v{i % videos}", Path("x"), f"What is {i}?", ("one", "two", "three"), i % 3)
        for i in range(count)
    ]


class Scripted:
    """Answers as it is told to, and counts."""

    def __init__(self, replies: Mapping[str, Reply | BaseException] | None = None) -> None:
        self.replies, self.asked, self.watched = replies or {}, list[str](), list[str]()

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    @property
    def settings(self) -> Mapping[str, Any]:
        return {}

    def watch(self, question: Question) -> None:
        self.watched.append(question.unit)
        if isinstance(told := self.replies.get(question.video), BaseException):
            raise told

    def ask(self, question: Question) -> Reply:
        self.asked.append(question.id)
        told = self.replies.get(question.id, Reply("(A)", (0.2, 0.5, 0.3), visual_tokens=680, frames=32))
        if isinstance(told, BaseException):
            raise told
        return told


def run(
    out: Path, asker: Scripted, shard: Shard = WHOLE, settings: Mapping[str, Any] = SETTINGS, **options: Any
) -> list[dict[str, Any]]:
    with closing(Log(out, shard, settings)) as log:
        return ask_all(make_plan(make_questions(), log.known, shard, **options), asker, log)


def logged(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(out.glob("log*.jsonl")) for line in file.read_text().splitlines()]


def test_questions_of_one_video_come_together_and_are_asked_once(tmp_path: Path) -> None:
    first, second = Scripted(), Scripted()
    rows = run(tmp_path, first, limit=4)
    assert first.asked == ["q0", "q3", "q1", "q2"] and first.watched == ["v0", "v0", "v1", "v2"]
    assert logged(tmp_path) == rows and rows[0]["letter"] == 0 and rows[0]["likeliest"] == 1
    run(tmp_path, second)
    assert second.asked == ["q4", "q5"]
    assert run(tmp_path, Scripted()) == []


def test_a_question_that_was_interrupted_is_asked_again_and_no_other(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Scripted({"q1": KeyboardInterrupt()}))
    assert [row["id"] for row in logged(tmp_path)] == ["q0", "q3"]
    again = Scripted()
    run(tmp_path, again)
    assert again.asked == ["q1", "q4", "q2", "q5"]


def test_a_line_that_a_kill_cut_short_is_asked_again(tmp_path: Path) -> None:
    run(tmp_path, Scripted())
    file = tmp_path / "log.jsonl"
    file.write_bytes(file.read_bytes()[:-9])
    again = Scripted()
    run(tmp_path, again)
    assert again.asked == ["q5"] and sorted(row["id"] for row in logged(tmp_path)) == [f"q{i}" for i in range(6)]


def test_other_settings_on_the_same_log_are_refused_with_what_differs(tmp_path: Path) -> None:
    run(tmp_path, Scripted())
    with pytest.raises(InputError, match=r"num_frames was 32 and is 64; give another --out"):
        run(tmp_path, Scripted(), settings={**SETTINGS, "num_frames": 64})
    row = {**logged(tmp_path)[0], "settings": "0123456789ab"}
    (tmp_path / "log-2-of-2.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=r"line 1 of .*log-2-of-2\.jsonl was asked with settings 0123456789ab"):
        run(tmp_path, Scripted())


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(InputError, match=r"line 1 of .* is no row of an evaluation"):
        run(tmp_path, Scripted())
    assert (tmp_path / "log.jsonl").read_text() == '{"id": 1}\n'


def test_parts_have_all_questions_between_them_and_each_video_whole(tmp_path: Path) -> None:
    parts = [Scripted() for _ in range(2)]
    for number, part in enumerate(parts, 1):
        run(tmp_path, part, Shard(number, 2))
    assert [part.asked for part in parts] == [["q0", "q3", "q2", "q5"], ["q1", "q4"]]
    assert {file.name for file in tmp_path.glob("log*")} == {"log-1-of-2.jsonl", "log-2-of-2.jsonl"}
    assert set(merge_logs(tmp_path, logged(tmp_path)[0]["settings"])) == {f"q{i}" for i in range(6)}
    whole = Scripted()
    run(tmp_path, whole)
    assert whole.asked == []


def test_two_runs_do_not_write_one_log(tmp_path: Path) -> None:
    with closing(Log(tmp_path, Shard(), SETTINGS)), pytest.raises(InputError, match="another evaluation writes"):
        Log(tmp_path, Shard(), SETTINGS)
    with closing(Log(tmp_path, Shard(1, 2), SETTINGS)), closing(Log(tmp_path, Shard(2, 2), SETTINGS)):
        pass


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/2/3", "-1/2"])
def test_a_part_that_is_none_is_told(text: str) -> None:
    with pytest.raises(InputError, match="is no part such as 1/4"):
        Shard.parse(text)


def test_an_unreadable_video_is_named_and_watched_once_and_the_rest_goes_on(tmp_path: Path) -> None:
    asker = Scripted({"v1": VideoUnreadable("v1 cannot\nbe decoded")})
    rows = run(tmp_path, asker)
    assert asker.watched.count("v1") == 1 and asker.asked == ["q0", "q3", "q2", "q5"]
    failed = [row for row in rows if row["reason"]]
    assert [(row["id"], row["letter"], row["fallback"]) for row in failed] == [("q1", None, False), ("q4", None, False)]
    assert lost_videos(rows) == {"v1": {"video": "v1", "reason": "v1 cannot be decoded", "questions": 2}}


def test_a_model_that_fails_once_is_a_row_that_is_tried_again_on_request(tmp_path: Path) -> None:
    rows = run(tmp_path, Scripted({"q4": AnswerError("GPU out of memory")}))
    assert [row["reason"] for row in rows if row["id"] == "q4"] == ["GPU out of memory"]
    assert run(tmp_path, Scripted()) == []
    assert [row["id"] for row in run(tmp_path, Scripted(), retry=True)] == ["q4"]
    assert not merge_logs(tmp_path, rows[0]["settings"])["q4"]["reason"]
    with pytest.raises(SetupError):  # nothing else would fare better
        run(tmp_path / "b", Scripted({"q0": SetupError("the server ended")}))


def test_an_answer_without_a_letter_is_the_third_option_and_counted(tmp_path: Path) -> None:
    replies = {"q0": Reply("I cannot tell."), "q3": Reply("It is two."), "q1": Reply("B", lettered=False)}
    rows = run(tmp_path, Scripted(replies))
    assert [(row["letter"], row["fallback"], row["likeliest"]) for row in rows[:3]] == [
        (2, True, None),
        (1, False, None),
        (2, True, None),
    ]
