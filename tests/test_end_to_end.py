"""The main job on real footage with the real models: index, ask, search, show, frames, forget."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hicom_agent.build import Workspace
from hicom_agent.cli import main
from hicom_agent.settings import load_settings
from hicom_agent.testing import make_video

pytestmark = [pytest.mark.weights]
CARS_S = [(4.4, 8.8), (14.4, 19.2), (25.4, 28.0)]  # a car is in view, by eye
SLACK_S = 2.0


@pytest.fixture(scope="module", autouse=True)
def _models(nano: Path) -> None:
    """Skip where the packaged models were never pulled."""


@pytest.fixture(scope="module")
def store(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a store that remembers the two real films."""
    folder = tmp_path_factory.mktemp("memory")
    assert main(["index", str(footage), "--store", str(folder), "--json"]) == 0
    yield folder
    shutil.rmtree(folder)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def inside(start_s: float, end_s: float, truth: list[tuple[float, float]]) -> bool:
    return any(a - SLACK_S <= start_s and end_s <= b + SLACK_S for a, b in truth)


def test_when_a_car_drives_through_is_answered_with_times_that_are_right(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run(capsys, "ask", "car-detection", "when does a car drive through?", "--store", str(store))
    assert not answer["abstained"]
    spans = [(c["start_s"], c["end_s"]) for c in answer["citations"]]
    assert all(inside(*span, CARS_S) for span in spans), spans
    for a, b in CARS_S:
        assert any(start_s < b and end_s > a for start_s, end_s in spans), (a, b, spans)
    assert answer["spend"]["visual_tokens"] > 0 and answer["coverage"]["looked_at_s"] > 0


def test_what_the_film_does_not_show_is_declined_with_the_closest_moments(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run(capsys, "ask", "car-detection", "when does an elephant appear?", "--store", str(store))
    assert answer["abstained"] and answer["reason"] == "not seen" and answer["citations"]


def test_blue_bottle_caps_are_found_in_the_film_with_bottles(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hits = run(capsys, "search", "blue bottle caps", "--store", str(store))
    rows = {row["title"]: row["video_id"] for row in run(capsys, "list", "--store", str(store))}
    assert hits and hits[0]["video_id"] == rows["bottle-detection"]


def test_the_same_content_again_is_nothing_to_do(
    store: Path, footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "other name.mp4"
    shutil.copy(footage / "car-detection.mp4", copy)
    report = run(capsys, "index", str(copy), "--store", str(store))
    assert report["state"] == "unchanged"
    assert main(["index", str(copy), "--store", str(store)]) == 0
    assert "nothing to do" in capsys.readouterr().out
    code = "import sys; from hicom_agent.cli import main; main(sys.argv[1:]); print('torch' in sys.modules)"
    command = [sys.executable, "-c", code, "index", str(copy), "--store", str(store)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1] == "False"


def test_clips_cover_the_film_and_show_what_is_seen(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = run(capsys, "show", "bottle-detection", "--store", str(store))
    clips = facts["clips"]
    assert clips[0]["start_s"] == 0 and abs(clips[-1]["end_s"] - facts["video"]["duration_s"]) < 0.1
    assert all(a["end_s"] == b["start_s"] for a, b in zip(clips, clips[1:], strict=False))
    assert "bottle" in " ".join(clip["seen"] for clip in clips)


def test_frames_are_saved_as_pictures(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    asked = ["--at", "6", "--at", "0:00:16.5"]
    small = run(capsys, "frames", "car-detection", *asked, "--out", str(tmp_path), "--store", str(store))
    assert [frame["timecode"] for frame in small] == ["00:00:06", "00:00:16"]
    picture = cv2.imread(small[0]["file"])
    assert picture is not None and max(picture.shape) == 512
    (full,) = run(
        capsys, "frames", "car-detection", "--at", "6", "--full", "--out", str(tmp_path), "--store", str(store)
    )
    picture = cv2.imread(full["file"])
    assert picture is not None and picture.shape[:2] == (432, 768)
    assert len(list(tmp_path.iterdir())) == 3, "the full picture has taken the place of a small one"
    assert main(["frames", "car-detection", "--at", "9:00:00", "--store", str(store)]) == 2


def test_a_forgotten_video_is_gone_and_the_file_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = make_video(tmp_path / "film.mp4", seconds=3, sound=True)
    arguments = ["--store", str(tmp_path / "store")]
    assert run(capsys, "index", str(film), *arguments)["state"] == "indexed"
    run(capsys, "forget", "film", *arguments)
    assert run(capsys, "list", *arguments) == [] and film.exists()


def test_a_question_about_speech_says_when_nobody_listened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = make_video(tmp_path / "film.mp4", seconds=3)
    arguments = ["--store", str(tmp_path / "store")]
    run(capsys, "index", str(film), "--no-speech", "--no-ocr", *arguments)
    answer = run(capsys, "ask", "film", "what does the narrator say?", *arguments)
    assert answer["abstained"] and answer["reason"] == "not indexed"


def test_the_tools_work_from_python(store: Path) -> None:
    from hicom_agent.tools import ask_video, search_videos

    work = Workspace(load_settings({"store": store}))
    answer = ask_video(work, "bottle-detection", "when is a bottle on the table?")
    hits = search_videos(work, "a bottle", limit=3)
    assert not answer.abstained and len(hits) <= 3
    assert answer == answer.model_validate_json(answer.model_dump_json())


def test_a_claim_of_more_than_what_is_there_is_not_believed(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for question in ("Is the car broken?", "Does the car explode?", "Is the car called Betty?"):
        assert run(capsys, "ask", "car-detection", question, "--store", str(store))["abstained"], question
    assert run(capsys, "ask", "car-detection", "Does a car drive by?", "--store", str(store))["answer"].startswith(
        "Yes"
    )


def test_what_names_of_things_cannot_answer_is_declined(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for question in ("How many bottles are there?", "Why is there a bottle?", "What happens to the bottle?"):
        assert run(capsys, "ask", "bottle-detection", question, "--store", str(store))["abstained"], question


def test_the_frame_nearest_to_a_time_is_shown(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = ["frames", "car-detection", "--out", str(tmp_path), "--store", str(store)]
    (early,), (late,) = (run(capsys, *frames, "--at", at) for at in ("14.9", "15.1"))
    assert abs(early["time_s"] - 15) < 0.3 and early["time_s"] == late["time_s"]


def test_a_language_model_that_cannot_be_is_told_even_if_it_is_not_needed(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["ask", "bottle-detection", "Is there a bottle?", "--store", str(store), "--llm", "nosuch:model"]
    assert main(arguments) == 3
    assert "nosuch:model" in capsys.readouterr().err


def test_a_path_that_is_not_there_is_told(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "/no/such.mp4", "what?", "--store", str(store)]) == 2
    assert "no file /no/such.mp4" in capsys.readouterr().err


def test_a_follow_up_that_looks_for_the_same_uses_what_was_compressed_and_cites_the_same(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(question: str) -> Any:
        return run(capsys, "ask", "car-detection", question, "--store", str(store))

    first, again = ask("When is a parked motorcycle shown?"), ask("How often can a parked motorbike be seen?")
    assert first["spend"]["clips_compressed"] > 0 and again["spend"]["clips_compressed"] == 0
    assert again["spend"]["visual_tokens"] <= 0.25 * first["spend"]["visual_tokens"]
    assert again["spend"]["clips_recalled"] == first["spend"]["clips_compressed"]
    assert again["citations"] == first["citations"] and again["coverage"] == first["coverage"]
    monkeypatch.setenv("HICOM_AGENT_TOKEN_BYTES", "0")
    alone = ask("How often can a parked motorbike be seen?")
    assert [c["start_s"] for c in alone["citations"]] == [c["start_s"] for c in again["citations"]]


def test_a_red_car_is_not_looked_for_among_the_tokens_of_a_white_car(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(question: str) -> Any:
        return run(capsys, "ask", "car-detection", question, "--store", str(store))

    white, red = ask("When is a white car seen?"), ask("When is a red car seen?")
    assert red["spend"]["clips_recalled"] == 0 and red["spend"]["clips_compressed"] > 0
    monkeypatch.setenv("HICOM_AGENT_TOKEN_BYTES", "0")
    for answer in (white, red):
        alone = ask(answer["question"])
        assert (alone["answer"], alone["citations"]) == (answer["answer"], answer["citations"])


def test_show_and_doctor_tell_how_much_is_remembered_of_questions(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "ask", "car-detection", "When is a car seen?", "--store", str(store))
    shown = run(capsys, "show", "car-detection", "--store", str(store))["conditioned"]
    assert shown["questions"] > 0 and shown["bytes"] > 0 and shown["bytes_per_hour"] > 0
    told = run(capsys, "doctor", "--store", str(store))["conditioned"]
    assert told["bytes"] >= shown["bytes"] and told["hits"] + told["misses"] > 0 and 0 <= told["hit_rate"] <= 1
