"""Each benchmark is read in its public layout; what is not as published is one line."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from hicom_agent.errors import InputError, SetupError
from hicom_agent.evaluation.catalog import BENCHMARKS, read_benchmark
from hicom_agent.evaluation.questions import Question
from hicom_agent.evaluation.subtitles import read_subtitles
from tests.evaluation.made import make_egoschema, make_lvbench, make_videomme, videomme_row, write


def read(benchmarks: dict[str, Path], name: str) -> list[Question]:
    return read_benchmark(name, benchmarks[name])[1]


def test_video_mme_gives_bare_options_durations_and_subtitles(benchmarks: dict[str, Path]) -> None:
    questions = read(benchmarks, "videomme")
    first = questions[0]
    assert (first.id, first.video, first.text) == ("000-1", "vidA", "What is thrown in scene 0?")
    assert first.options == ("A ball.", "A hat.", "A cat.", "Nothing.") and first.answer == 0
    assert dict(first.groups) == {"duration": "short", "task": "Object Recognition", "domain": "Knowledge"}
    assert first.subtitles and first.subtitles.name == "vidA.srt" and questions[2].subtitles is None
    assert [q.path.name if q.path else None for q in questions] == ["vidA.mp4"] * 2 + ["vidB.mkv"] * 2 + [None]


def test_mvbench_finds_sources_stretches_and_folders_of_frames(benchmarks: dict[str, Path]) -> None:
    found = {question.id: question for question in read(benchmarks, "mvbench")}
    assert [found[f"object_existence-{i}"].path is None for i in (0, 1)] == [False, True]
    assert found["object_existence-0"].answer == 1 and found["object_existence-0"].span_s is None
    assert found["action_sequence-0"].span_s == (1.0, 2.5)
    frames = found["episodic_reasoning-0"]
    assert frames.path is not None and frames.path.is_dir() and frames.span_s == (0.0, 3.0)
    assert frames.groups == (("task", "episodic reasoning"),)


def test_mvbench_takes_clips_cut_beforehand_as_they_are(benchmarks: dict[str, Path], tmp_path: Path) -> None:
    entry = json.loads((benchmarks["mvbench"] / "json" / "action_sequence.json").read_text())
    write(tmp_path / "json" / "action_sequence.json", entry)
    (tmp_path / "video" / "star" / "Charades_segment").mkdir(parents=True)
    (tmp_path / "video" / "star" / "Charades_segment" / "ACT.mp4").touch()
    (question,) = read_benchmark("mvbench", tmp_path)[1]
    assert question.path is not None and question.span_s is None


def test_egoschema_has_few_public_answers(benchmarks: dict[str, Path]) -> None:
    questions = read(benchmarks, "egoschema")
    assert [question.answer for question in questions] == [3, None, None]
    assert questions[0].options[4] == "C does thing 4" and questions[2].path is None


def test_mlvu_leaves_generation_out_and_keeps_videos_of_one_name_apart(benchmarks: dict[str, Path]) -> None:
    questions = read(benchmarks, "mlvu")
    assert [(q.id, q.video, q.path is not None) for q in questions] == [
        ("plotQA-0", "plotQA/movie_1.mp4", True),
        ("count-0", "count/movie_1.mp4", True),
        ("count-1", "count/2.mp4", False),
    ]
    assert questions[0].path != questions[1].path and questions[0].answer == 2


def test_lvbench_splits_options_from_the_question_and_counts_it_in_each_type(benchmarks: dict[str, Path]) -> None:
    first, second = read(benchmarks, "lvbench")
    assert first.text == "What year appears?" and first.options == ("1636", "1366", "1363", "1633")
    assert first.answer == 3 and second.path is None
    assert first.groups == (("task", "reasoning"), ("task", "temporal grounding"), ("video", "cartoon"))


def test_longvideobench_has_durations_and_subtitles_on_another_clock(benchmarks: dict[str, Path]) -> None:
    questions = read(benchmarks, "longvideobench")
    assert [len(question.options) for question in questions] == [3, 4, 5]
    assert [dict(question.groups)["duration"] for question in questions] == ["8-15 s", "8-15 s", "900-3600 s"]
    assert all(q.subtitles is not None and q.subtitles_from_s == 100.0 for q in questions)
    assert questions[2].path is None


@pytest.mark.parametrize("held", BENCHMARKS)
def test_a_folder_of_another_benchmark_is_named(benchmarks: dict[str, Path], held: str) -> None:
    for asked in BENCHMARKS:
        if asked != held:
            with pytest.raises(InputError) as told:
                read_benchmark(asked, benchmarks[held])
            expected = f"expected {BENCHMARKS[asked].layout}; it looks like {BENCHMARKS[held].title}"
            assert expected in str(told.value) and f"--benchmark {held}" in str(told.value)


def test_a_folder_of_nothing_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not hold MLVU dev: expected json/1_plotQA.json and its like"):
        read_benchmark("mlvu", tmp_path)
    with pytest.raises(InputError, match="is no folder; LVBench needs video_info.meta.jsonl"):
        read_benchmark("lvbench", tmp_path / "nowhere")
    with pytest.raises(InputError, match="there are: videomme, mvbench"):
        read_benchmark("mmbench", tmp_path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"answer": "E"}, "expected answer to be a letter from A to D, got 'E'"),
        ({"duration": "tiny"}, "expected duration to be one of short, medium, long, got 'tiny'"),
        ({"options": ["A. one"]}, "expected options to be a list of 2 to 26 texts"),
        ({"question": "  "}, "expected question to be a text"),
        ({"videoID": "../secret"}, "'../secret.mp4' leads out of the benchmark's folder"),
    ],
)
def test_a_wrong_value_is_named_with_its_row(
    benchmarks: dict[str, Path], tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    film = benchmarks["videomme"] / "data" / "vidA.mp4"
    folder = make_videomme(tmp_path / "data", film, [videomme_row(1, "vidA", **changes)])
    with pytest.raises(InputError) as error:
        read_benchmark("videomme", folder)
    assert told in str(error.value) and "row 1 of " in str(error.value)


MVBENCH, LVBENCH = "json/action_sequence.json", "video_info.meta.jsonl"
ASKED = {"video": "x.mp4", "question": "What?", "candidates": ["a", "b"], "answer": "a"}
LISTED = {"uid": "1", "question": "What?\n(A) a\n(B) b", "answer": "A", "question_type": ["reasoning"]}


@pytest.mark.parametrize(
    ("name", "file", "row", "told"),
    [
        ("mvbench", MVBENCH, ASKED | {"video": "x" * 300}, "File name too long"),
        ("mvbench", MVBENCH, ASKED | {"video": "../../x.mp4"}, "leads out of the benchmark's folder"),
        ("mvbench", MVBENCH, ASKED | {"start": 10**400, "end": 2}, "expected start to be a number"),
        ("mvbench", MVBENCH, ASKED | {"start": 1, "end": float("nan")}, "expected end to be a number, got nan"),
        ("mvbench", MVBENCH, ASKED | {"candidates": ["a", None]}, "expected candidates to be a list of 2 to 26 texts"),
        ("mvbench", MVBENCH, [], "expected an object with fields, got []"),
        ("lvbench", LVBENCH, {"key": "k", "type": "t", "qa": {}}, "expected qa to be a list of questions"),
        (
            "lvbench",
            LVBENCH,
            {"key": "k", "type": "t", "qa": [LISTED | {"question_type": [[]]}]},
            "expected question_t",
        ),
        ("lvbench", LVBENCH, {"key": "k", "type": "t", "qa": [LISTED | {"question": "What?"}]}, "expected a question "),
    ],
)
def test_hostile_entries_are_one_line(tmp_path: Path, name: str, file: str, row: Any, told: str) -> None:
    (tmp_path / "video" / "star" / "Charades_v1_480").mkdir(parents=True)
    write(tmp_path / file, row if name == "lvbench" else [row])
    with pytest.raises(InputError) as error:
        read_benchmark(name, tmp_path)
    line = str(error.value)
    assert told in line and len(line) < 700 and "\n" not in line and "; get the files of " in line


def test_files_that_are_none_or_cut_are_told_and_halves_of_characters_are_marked(
    benchmarks: dict[str, Path], tmp_path: Path
) -> None:
    folder = make_egoschema(tmp_path / "a", benchmarks["videomme"] / "data" / "vidA.mp4")
    (folder / "subset_answers.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"cannot read .*subset_answers\.json"):
        read_benchmark("egoschema", folder)
    os.mkfifo(tmp_path / "pipe.srt")
    with pytest.raises(InputError, match=r"cannot read .*pipe\.srt: expected a file of at most 256 MB"):
        read_subtitles(tmp_path / "pipe.srt")
    table = tmp_path / "b" / "test-00000-of-00001.parquet"
    table.parent.mkdir()
    data = bytearray((benchmarks["videomme"] / "videomme" / table.name).read_bytes())
    data[4:200] = bytes(196)  # the names of the columns stand at the end
    table.write_bytes(data)
    with pytest.raises(InputError, match=r"cannot read .*\.parquet"):
        read_benchmark("videomme", table.parent)
    write(tmp_path / "c" / MVBENCH, [ASKED | {"question": "What? \ud800"}])
    assert read_benchmark("mvbench", tmp_path / "c")[1][0].text == "What? ?"


def test_a_column_a_field_or_a_candidate_that_is_not_there_is_named(
    benchmarks: dict[str, Path], tmp_path: Path
) -> None:
    film = benchmarks["videomme"] / "data" / "vidA.mp4"
    row = videomme_row(1, "vidA")
    del row["task_type"]
    with pytest.raises(InputError, match="no column 'task_type'; expected videoID"):
        read_benchmark("videomme", make_videomme(tmp_path / "a", film, [row]))
    entry = {"video": "x.mp4", "question": "What?", "candidates": ["a", "b"], "answer": "c"}
    write(tmp_path / "b" / "json" / "object_shuffle.json", [entry])
    with pytest.raises(InputError, match=r"entry 1 of .*: expected answer to be one of the candidates \['a', 'b'\]"):
        read_benchmark("mvbench", tmp_path / "b")
    write(tmp_path / "c" / "questions.json", [{"q_uid": "1", "option 0": "x"}])
    with pytest.raises(InputError, match="no field 'question'; there are: q_uid, option 0"):
        read_benchmark("egoschema", tmp_path / "c")


def test_a_question_that_stands_there_twice_and_a_torn_file_are_told(
    benchmarks: dict[str, Path], tmp_path: Path
) -> None:
    folder = make_lvbench(tmp_path / "a", benchmarks["lvbench"] / "all_videos" / "Cm73ma6Ibcs.mp4")
    file = folder / "video_info.meta.jsonl"
    text = file.read_text()
    file.write_text(text.replace('"uid": "2"', '"uid": "1"'))
    with pytest.raises(InputError, match="the id '1' stands there twice"):
        read_benchmark("lvbench", folder)
    write(tmp_path / "b" / "lvb_val.json", [])
    with pytest.raises(InputError, match="there is no question; get the files of LongVideoBench val again"):
        read_benchmark("longvideobench", tmp_path / "b")
    (tmp_path / "b" / "lvb_val.json").write_text('[{"id": ')
    with pytest.raises(InputError, match=r"cannot read .*lvb_val\.json"):
        read_benchmark("longvideobench", tmp_path / "b")


def test_without_pyarrow_only_video_mme_is_not_read(
    benchmarks: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.util import find_spec

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "pyarrow" else find_spec(name))
    with pytest.raises(SetupError, match=r"pip install 'hicom-agent\[archive\]'"):
        read_benchmark("videomme", benchmarks["videomme"])
    assert read(benchmarks, "mlvu")
