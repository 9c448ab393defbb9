"""The indexer as a victim of `soak.py`: real models, a real film, a run that is killed again and again and resumes.

python benchmarks/soak.py --victim indexer --kills 200
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hicom_agent.build import Workspace
from hicom_agent.memory import Store, check
from hicom_agent.settings import load_settings
from hicom_agent.testing import make_video
from hicom_agent.tools import index_video

FILM_S = 150.0  # three segments: a kill loses one of them at most
SHARED: list[Workspace] = []


def prepare() -> None:
    """Load the encoder once, in the process that forks; one thread, for threads do not survive a fork."""
    if not SHARED:
        SHARED.append(Workspace(load_settings({"threads": 1, "ocr": False})))
        _ = SHARED[0].encoder


def index_film(root: str, film: str) -> None:
    """Index a film into a store, from wherever it stands."""
    prepare()
    work = Workspace(load_settings({"store": root, "threads": 1, "ocr": False}))
    work.__dict__["encoder"] = SHARED[0].encoder
    index_video(work, film)


def look_at_index(root: Path, wanted: dict[str, Any], contents: Callable[[Path], dict[str, Any]]) -> None:
    """Assert that a reader finds nothing or all, and the doctor nothing that it could not mend."""
    with Store.open(root) as store:
        rows = store.videos()
    assert not rows or contents(root) == wanted, "a reader sees a part of an index"
    serious = [str(finding) for finding in check(root) if finding.serious]
    assert not serious, serious
    with Store.open(root, write=True) as store:
        assert len(store.videos()) >= len(rows), "a committed video is gone"


def soak_indexer(kills: int, seed: int, folder: Path, soak: Any, film_s: float = FILM_S) -> Any:
    """Kill the indexer; a run that reaches its end must have made what an undisturbed one makes."""
    film = make_video(folder / "film.mp4", seconds=film_s, fps=5, sound=True)
    root = folder / "store"
    resumed = [0]
    with soak.forked_attempts() as make:
        for name in ("first", "whole"):  # the first one starts the server and fills caches, the second is timed
            began = time.monotonic()
            assert make(__file__, "index_film", str(folder / name), str(film))(300) == 0
            span_s = time.monotonic() - began
        wanted = soak.contents(folder / "whole")

        def look() -> None:
            with Store.open(root, write=True) as store:
                version = next(iter(wanted.values()))["row"]
                done = store.journal(next(iter(wanted)), version["profile"], version["settings_key"]).done("pictures")
                resumed[0] += bool(done)
            look_at_index(root, wanted, soak.contents)

        def finish() -> None:
            assert soak.contents(root) == wanted, "the index differs from an undisturbed one"
            shutil.rmtree(root)

        tally = soak.kill_loop(
            make(__file__, "index_film", str(root), str(film)), look, kills, seed, span_s=span_s, finish=finish
        )
    assert kills < 10 or resumed[0], "no run was killed between two segments: the loop shows nothing"
    return tally
