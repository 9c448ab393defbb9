"""Films that many tests read."""

from __future__ import annotations

import pytest

from tests.video.numbered_films import Film, Recipe, even, write_film


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """Return six seconds of H.264 in MP4 with B-frames and a keyframe every second."""
    options = {"preset": "veryfast", "bf": "3", "g": "25", "keyint_min": "25", "sc_threshold": "0"}
    return write_film(tmp_path_factory.mktemp("film") / "film.mp4", even(150), Recipe(options=options))


@pytest.fixture(scope="session")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """Return a minute of ten small pictures a second, with a keyframe every second."""
    options = {"preset": "ultrafast", "g": "10", "keyint_min": "10", "sc_threshold": "0"}
    recipe = Recipe(options=options, size=(96, 64))
    ticks = [round(i / 10 / recipe.time_base) for i in range(600)]
    return write_film(tmp_path_factory.mktemp("film") / "long.mp4", ticks, recipe)
