"""Questions of a batch: every good line counts, every bad one is told by its number."""

import json
from pathlib import Path

import pytest

from hicom_agent.archive.questions import Query, read_questions
from hicom_agent.errors import InputError


def test_json_lines_are_read_in_order_with_video_and_options(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    rows = [
        {"id": "a", "question": " When? "},
        {"id": 2, "question": "Where?", "video": "film.mp4", "truth": "extra columns are the user's"},
        {"id": "c", "question": "Which?", "options": ["red", "blue"]},
    ]
    path.write_text("\ufeff" + "\n\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    queries, faults = read_questions(path)
    assert faults == []
    assert queries == [
        Query("a", "When?"), Query("2", "Where?", "film.mp4"), Query("c", "Which?", options=("red", "blue"))
    ]  # fmt: skip


def test_csv_has_a_header_and_bars_between_options(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text('id,question,video,options\n1,"Red, or blue?",a.mp4,red|blue\n2,When?,,\n')
    queries, faults = read_questions(path)
    assert faults == []
    assert queries == [Query("1", "Red, or blue?", "a.mp4", ("red", "blue")), Query("2", "When?")]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "no JSON"),
        ("[1]", "expected an object"),
        ('{"question": "x?"}', "no id"),
        ('{"id": true, "question": "x?"}', "no id"),
        ('{"id": "a"}', "no question"),
        ('{"id": "a", "question": "  "}', "no question"),
        ('{"id": "a", "question": 3}', "no question"),
        ('{"id": "a", "question": "x?", "video": 3}', "video is no text"),
        ('{"id": "a", "question": "x?", "options": "yes"}', "no list"),
        ('{"id": "a", "question": "x?", "options": ["yes"]}', "2 to 26"),
        ('{"id": "a", "question": "x?", "options": ["yes", "yes"]}', "2 to 26"),
        ('{"id": "a\\u001b[31m", "question": "x?"}', "cannot be shown"),
        ('{"id": "good", "question": "again?"}', "given before"),
        ('{"id": "a", "question": "' + "x" * 3000 + '"}', "at most 2000"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_a_bad_line_is_told_by_its_number_and_the_rest_counts(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(f'{{"id": "good", "question": "When?"}}\n{line}\n{{"id": "last", "question": "Where?"}}\n')
    queries, faults = read_questions(path)
    assert [query.id for query in queries] == ["good", "last"]
    assert [fault.name for fault in faults] == ["line 2"] and told in faults[0].reason


def test_bytes_that_are_no_text_do_not_stop_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(b'{"id": "a", "question": "caf\xe9?"}\n\xff\xfe\n{"id": "b", "question": "x?"}\n')
    queries, faults = read_questions(path)
    assert [query.id for query in queries] == ["a", "b"] and [fault.name for fault in faults] == ["line 2"]
    queries[0].question.encode()


def test_a_file_without_a_question_is_refused_with_the_first_reason(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text("nonsense\n")
    with pytest.raises(InputError, match="no question in .*line 1: no JSON"):
        read_questions(path)
    with pytest.raises(InputError, match="cannot read the questions"):
        read_questions(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="cannot read the questions"):
        read_questions(tmp_path)
