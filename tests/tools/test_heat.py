"""Where a question looked, on real footage with the real models, as a person and an agent get it."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path

import cv2
import numpy as np
import pytest

from hicom_agent.build import Workspace
from hicom_agent.cli import main
from hicom_agent.errors import InputError
from hicom_agent.screen import relevance_lines
from hicom_agent.settings import load_settings
from hicom_agent.tools import get_frames, index_video, show_relevance
from hicom_agent.tools.get_frames import FramesArguments, caption
from hicom_agent.tools.get_frames import run as run_tool

pytestmark = [pytest.mark.weights, pytest.mark.footage]
Box = tuple[float, float, float, float]  # left, top, right, bottom as shares of the picture, read off the frames
SILVER_16, RED_16, WHITE_26 = (0.14, 0.0, 0.35, 0.6), (0.41, 0.5, 0.65, 1.0), (0.21, 0.0, 0.43, 0.43)
CARS_S = [(4.4, 8.8), (14.4, 19.2), (25.4, 28.0)]  # a car is in view, by eye
DIM = 0.1


@pytest.fixture(scope="module")
def work(footage: Path, nano: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace that remembers the car park."""
    given = {"store": tmp_path_factory.mktemp("memory"), "speech": False, "ocr": False}
    work = Workspace(load_settings(given, {}))
    index_video(work, str(footage / "car-detection.mp4"))
    return work


def run(work: Workspace, *arguments: str) -> int:
    return main([*arguments, "--store", str(work.settings.store)])


def loaded(file: str | bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(file if isinstance(file, bytes) else Path(file).read_bytes(), np.uint8), 1)
    assert picture is not None
    return np.asarray(picture, int)


def inside(x: float, y: float, box: Box) -> bool:
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def strongest(heat: np.ndarray) -> tuple[float, float]:
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    return float(column + 0.5) / heat.shape[1], float(row + 0.5) / heat.shape[0]


def middle(heat: np.ndarray) -> tuple[float, float]:
    rows, columns = np.mgrid[: heat.shape[0], : heat.shape[1]] + 0.5
    x, y = (heat * columns).sum() / heat.shape[1], (heat * rows).sum() / heat.shape[0]
    return float(x / heat.sum()), float(y / heat.sum())


def test_heat_lies_on_the_car_and_means_how_surely_it_is_there(work: Workspace, tmp_path: Path) -> None:
    silver, white, nothing = get_frames(work, "car", ["16", "26", "0:22"], tmp_path, heat="a car")
    for frame, box in ((silver, SILVER_16), (white, WHITE_26)):
        heat = np.array(frame["heat"])
        assert inside(*strongest(heat), box) and inside(*middle(heat), box)
        assert frame["relevance"] == heat.max() > 0.6
        (plain,) = get_frames(work, "car", [str(frame["time_s"])], tmp_path)
        assert "heat" not in plain and plain["frame_id"] == frame["frame_id"] and plain["file"] != frame["file"]
        painted, picture = loaded(frame["file"]), loaded(plain["file"])
        assert painted.shape == picture.shape == (288, 512, 3)
        x, y = strongest(heat)
        spot = (slice(int(y * 288) - 8, int(y * 288) + 8), slice(int(x * 512) - 8, int(x * 512) + 8))
        warmer = (painted - picture)[spot].mean((0, 1))  # BGR
        assert warmer[2] > warmer[0] + 50
    assert nothing["relevance"] < DIM


def test_a_colour_leads_to_the_car_that_has_it(work: Workspace, tmp_path: Path) -> None:
    (frame,) = get_frames(work, "car", ["16"], tmp_path, heat="a red car")
    assert inside(*strongest(np.array(frame["heat"])), RED_16)


@pytest.mark.parametrize("question", ["a penguin", "Who won the chess tournament?", "qwrtzp"])
def test_a_question_about_something_else_stays_dim(question: str, work: Workspace, tmp_path: Path) -> None:
    (frame,) = get_frames(work, "car", ["16"], tmp_path, heat=question)
    assert frame["relevance"] == np.max(frame["heat"]) < DIM


def test_at_full_size_the_heat_lies_over_the_sampled_frame_of_the_file(
    work: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["frames", "car", "--at", "16.4", "--full", "--heat", "a car", "--out", str(tmp_path), "--json"]
    assert run(work, *asked) == 0
    (frame,) = json.loads(capsys.readouterr().out)
    assert frame["time_s"] == 16.0 and inside(*strongest(np.array(frame["heat"])), SILVER_16)
    assert loaded(frame["file"]).shape == (432, 768, 3)


def test_an_agent_gets_pictures_with_heat_and_is_told_how_surely(work: Workspace) -> None:
    asked = {"video": "car", "times": ["16"], "max_side": 256}
    found = [
        run_tool(work, FramesArguments.model_validate({**asked, "heat": question}), 40)["frames"][0]
        for question in ("a car", "a penguin", "")
    ]
    hot, cold, plain = (loaded(b64decode(each["jpeg"])) for each in found)
    assert hot.shape == cold.shape == plain.shape == (144, 256, 3)
    assert [each.get("relevance", -1.0) > 0.6 for each in found] == [True, False, False]
    assert not any("heat" in each for each in found)  # numbers for programs
    assert f"{found[0]['relevance']:.2f} of 1" in caption(found[0]) and "answers" not in caption(found[2])
    red = [float(picture[:86, 36:89, 2].mean() - picture[:86, 36:89, 0].mean()) for picture in (hot, cold)]
    assert red[0] > red[1] + 30


def test_the_curve_is_a_picture_with_its_points_and_moments(
    work: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = show_relevance(work, "car", "when does a car drive through?")
    assert found["file"] == "car-detection-relevance.png"
    assert (tmp_path / found["file"]).read_bytes().startswith(b"\x89PNG")
    assert len(found["points"]) == 31 and all(0 <= point["relevance"] <= 1 for point in found["points"])
    assert max(point["relevance"] for point in found["points"] if 20 <= point["time_s"] <= 25) < DIM
    assert len(found["moments"]) >= 3
    for moment in found["moments"]:
        assert any(a - 1 <= moment["start_s"] and moment["end_s"] <= b + 1 for a, b in CARS_S)
        assert moment["score"] >= found["seen_from"]
    lines = relevance_lines(json.loads(json.dumps(found)))
    assert "▇" in lines[0] and len(lines) == 3 + len(found["moments"]) and found["file"] in lines[-1]


def test_where_nothing_is_seen_the_curve_says_so(work: Workspace, tmp_path: Path) -> None:
    found = show_relevance(work, "car", "a zebra", tmp_path / "z.png")
    assert "nothing counts as seen" in relevance_lines(found)[2] and (tmp_path / "z.png").exists()
    with pytest.raises(InputError, match="cannot write"):
        show_relevance(work, "car", "a zebra", tmp_path / "no" / "z.png")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["frames", "car", "--at", "99", "--heat", "a car"], "past the end"),
        (["frames", "car", "--at", "9", "--heat", " "], "question is empty"),
        (["frames", "car", "--at", "9", "--heat", "x" * 5000], "at most"),
        (["frames", "dog", "--at", "9", "--heat", "a car"], "no indexed video"),
        (["show", "car", "--relevance", ""], "question is empty"),
        (["show", "car", "--out", "x.png"], "--relevance"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], told: str, work: Workspace, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(work, *arguments) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("hicom-agent:")]
    assert told in line and not list(tmp_path.iterdir())
