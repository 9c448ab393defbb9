"""Cars and bottles are found in a film in which they are mixed among other footage, and only where they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mixed import Mixed, make_mixed

from hicom_agent.cli import main

pytestmark = [pytest.mark.weights, pytest.mark.footage, pytest.mark.slow]
SLACK_S = 2.0
Spans = tuple[tuple[float, float], ...]


@pytest.fixture(scope="module")
def film(footage: Path, nano: Path, tmp_path_factory: pytest.TempPathFactory) -> Mixed:
    """Return the mixed film, indexed into a store beside it."""
    fetched = Path(__file__).resolve().parents[1] / ".demo" / "footage"
    if not (fetched / "music.mp4").is_file():
        pytest.skip("the demo's footage was never fetched; run: make demo")
    folder = tmp_path_factory.mktemp("mixed")
    mixed = make_mixed(folder, footage, {path.stem: path for path in fetched.glob("*.mp4")})
    options = ["--no-speech", "--no-ocr", "--store", str(folder / "store")]
    assert main(["index", str(mixed.path), *options]) == 0
    return mixed


def moments(film: Mixed, query: str, capsys: pytest.CaptureFixture[str]) -> list[Any]:
    capsys.readouterr()
    store = str(film.path.parent / "store")
    assert main(["search", query, "--limit", "50", "--json", "--store", store]) == 0
    return list(json.loads(capsys.readouterr().out))


def inside(hit: Any, spans: Spans) -> bool:
    return any(start - SLACK_S <= hit["start_s"] and hit["end_s"] <= end + SLACK_S for start, end in spans)


def touches(hit: Any, span: tuple[float, float]) -> bool:
    return bool(hit["start_s"] < span[1] and hit["end_s"] > span[0])


def test_a_car_is_found_where_cars_are_and_not_in_the_empty_car_park(
    film: Mixed, capsys: pytest.CaptureFixture[str]
) -> None:
    hits = moments(film, "a car", capsys)
    assert hits and all(inside(hit, film.cars_s) for hit in hits), hits
    assert all(any(touches(hit, span) for hit in hits) for span in film.cars_s), hits


def test_blue_bottle_caps_are_found_where_the_bottles_are(film: Mixed, capsys: pytest.CaptureFixture[str]) -> None:
    hits = moments(film, "blue bottle caps", capsys)
    assert hits and all(inside(hit, film.bottles_s) for hit in hits), hits
