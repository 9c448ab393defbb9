"""A plan: every video once with all that is asked of it, and nothing that is answered."""

from pathlib import Path

import pytest

from hicom_agent.archive.plan import Ask, find_videos, make_plan
from hicom_agent.archive.questions import Query
from hicom_agent.errors import InputError, UnknownVideo

A, B = "/films/a.mp4", "/films/b.mp4"
KNOWN = "0123456789abcdef"


def find(name: str) -> str:
    if name in ("known film", KNOWN):
        return KNOWN
    raise UnknownVideo(f"no video {name}")


def test_a_question_goes_to_its_video_or_to_the_archive() -> None:
    queries = [Query("1", "When?", "a.mp4"), Query("2", "Where?"), Query("3", "Who?", "known film")]
    plan = make_plan(queries, [A, B], find, [], {})
    asked = {unit.target: [ask.id for ask in unit.asks] for unit in plan.units}
    assert asked == {A: ["1"], B: [], KNOWN: ["3"]}  # B only for the archive
    assert plan.archive == [Ask("2", "", "Where?")]
    assert plan.num_left == 3


def test_a_part_of_a_name_means_the_one_file_that_has_it() -> None:
    files = ["/films/Factory-tour.mp4", "/films/harbour-1.mp4", "/films/harbour-2.mp4"]
    queries = [Query("1", "When?", "factory"), Query("2", "Where?", "harbour"), Query("3", "Who?", "films")]
    plan = make_plan(queries, files, find, [], {})
    assert [(unit.target, [ask.id for ask in unit.asks]) for unit in plan.units] == [(files[0], ["1"])]
    assert [fault.name for fault in plan.faults] == ["harbour", "films"]


def test_with_each_a_question_without_a_video_goes_to_all() -> None:
    plan = make_plan([Query("1", "When?")], [A, B], find, [], {}, each=True)
    assert [(unit.target, unit.asks) for unit in plan.units] == [
        (A, (Ask("1", A, "When?"),)),
        (B, (Ask("1", B, "When?"),)),
    ]
    assert plan.archive == []


def test_without_files_the_archive_is_what_is_remembered() -> None:
    plan = make_plan([Query("1", "When?")], [], find, [KNOWN], {})
    assert [unit.target for unit in plan.units] == [KNOWN]


def test_what_is_answered_is_not_asked_again_and_its_video_is_left_alone() -> None:
    done = {("1", "a.mp4"): "When?", ("2", B): "Where?"}
    plan = make_plan([Query("1", "When?", "a.mp4"), Query("2", "Where?", B)], [A, B], find, [], done)
    assert (plan.units, plan.num_answered, plan.num_left) == ([], 2, 0)
    with pytest.raises(InputError, match="'1' for another question"):
        make_plan([Query("1", "Why?", "a.mp4")], [A], find, [], done)


def test_an_unknown_video_is_named_once_with_all_its_questions() -> None:
    plan = make_plan([Query("1", "When?", "gone.mp4"), Query("2", "Why?", "gone.mp4")], [A], find, [], {})
    assert [(fault.name, fault.ids) for fault in plan.faults] == [("gone.mp4", ("1", "2"))]


def test_files_folders_and_globs_give_each_video_once(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("in/a.mp4", "in/deep/b.MKV", "in/notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "in" / "again.mp4").symlink_to(tmp_path / "in" / "a.mp4")
    found, faults = find_videos([str(tmp_path / "in"), str(tmp_path / "in" / "*.mp4"), str(tmp_path / "new.mp4")])
    assert [Path(path).name for path in found] == ["a.mp4", "b.MKV", "new.mp4"]
    assert faults == []
    assert find_videos([str(tmp_path / "*.avi")])[1][0].reason == "nothing is there that matches"
