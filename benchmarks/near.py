"""Compare vectors of frames and of clips for choosing the clips to look at, over the films of the quality set as one.

    python benchmarks/near.py            # writes benchmarks/results/near.json; run benchmarks/quality.py first

Every question about what is seen ranks the clips of all films. What counts is the best rank of a clip that holds the
answer: the shares of questions where it is among the first 1, 4, 8 and 32, and the mean of 1 / rank. Each way is
measured alone and, as `find_clips` has it, fused with where a scan of the patches finds it likely.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measured import Line, circumstances, save
from quality_questions import Question, questions

from hicom_agent.agent.film import Film
from hicom_agent.agent.fusion import fuse
from hicom_agent.agent.plan import understand
from hicom_agent.agent.sight import CANDIDATES, FRAMES, LIKELY_FROM
from hicom_agent.agent.temporal import read_task
from hicom_agent.build import Workspace
from hicom_agent.memory import Store
from hicom_agent.settings import load_settings

HERE = Path(__file__).resolve().parent
STORE = HERE.parent / ".bench" / "quality" / "store"
RESULT = HERE / "results" / "near.json"
UNSEEN = ("said", "written", "unanswerable", "compound")
AMONG = (1, 4, 8, 32)
Ranking = list[tuple[str, int]]  # film, clip


class Rows(NamedTuple):
    """What a film is found by; each row with the clips that it shows."""

    film: Film
    frames: np.ndarray  # vectors [n, e] of kept frames
    clips: np.ndarray  # of clips with frames
    packed: dict[str, Any]
    of_frames: list[list[int]]
    of_clips: list[list[int]]


def read_rows(store: Store, video_id: str) -> Rows:
    film = Film.read(store, video_id)
    shown = {clip.index: {film.frames[i].shown_by for i in film.indices_in(clip)} for clip in film.clips}
    kept = film.kept()
    return Rows(
        film,
        store.vectors(video_id, "frames"),
        store.vectors(video_id, "clips"),
        store.features(video_id, kept),
        [[number for number in shown if i in shown[number]] for i in kept],
        [[number] for number in shown if shown[number]],
    )


def rank(scored: Sequence[tuple[float, str, list[int]]], num_rows: int) -> Ranking:
    """Return the clips of the best rows, each once."""
    best = sorted(scored, key=lambda each: -each[0])[:num_rows]
    return list(dict.fromkeys((name, number) for _, name, numbers in best for number in numbers))


def rankings(question: Question, films: dict[str, Rows], encoder: Any) -> dict[str, Ranking]:
    text = understand(read_task(question.text, 1e9).text).text
    guide = encoder.encode_guide(text)
    scored: dict[str, list[tuple[float, str, list[int]]]] = {"frames": [], "clips": [], "scan": []}
    for name, rows in films.items():
        presence = encoder.scan(text, rows.packed)
        for way, values, numbers in (
            ("frames", rows.frames @ guide, rows.of_frames),
            ("clips", rows.clips @ guide, rows.of_clips),
            ("scan", np.where(presence >= LIKELY_FROM, presence, -1.0), rows.of_frames),
        ):
            scored[way] += [(value, name, at) for value, at in zip(values.tolist(), numbers, strict=True) if value >= 0]
    frames, clips = rank(scored["frames"], FRAMES), rank(scored["clips"], CANDIDATES)
    scan = rank(scored["scan"], len(scored["scan"]))
    return {
        "frames": frames,
        "clips": clips,
        "scan and frames": list(fuse([frames[:CANDIDATES], scan])),
        "scan and clips": list(fuse([clips, scan])),
    }


def right_clips(question: Question, film: Film) -> set[tuple[str, int]]:
    """Return the clips with a third of a right range, or which lie to a third in one."""

    def holds(start_s: float, end_s: float) -> bool:
        return any(
            min(end_s, to_s) - max(start_s, from_s) > min(to_s - from_s, end_s - start_s) / 3
            for from_s, to_s in question.ranges_s
        )

    return {(question.film, clip.index) for clip in film.clips if holds(clip.start_s, clip.end_s)}


def main() -> None:
    work = Workspace(load_settings({"store": STORE, "profile": "nano"}))
    with work.store() as store:
        films = {row.title: read_rows(store, row.video_id) for row in store.videos()}
    ranks: dict[str, list[int | None]] = {}
    for question in questions():
        right = right_clips(question, films[question.film].film) if question.kind not in UNSEEN else set()
        for way, ranking in rankings(question, films, work.encoder).items() if right else ():
            found = [ranking.index(clip) + 1 for clip in right if clip in ranking]
            ranks.setdefault(way, []).append(min(found, default=None))
    lines = [line for way, found in ranks.items() for line in lines_of(way, found)]
    for line in lines:
        print(line)
    clips = sum(len(rows.of_clips) for rows in films.values())
    num = {"questions": len(ranks["scan and frames"]), "films": len(films), "clips": clips}
    save(RESULT, lines, circumstances("hicom-agent", "faiss-cpu", "numpy") | num)


def lines_of(way: str, ranks: Sequence[int | None]) -> list[Line]:
    among = {most: sum(at is not None and at <= most for at in ranks) / len(ranks) for most in AMONG}
    inverse = sum(1 / at for at in ranks if at is not None) / len(ranks)
    return [
        *(Line(f"{way}, among the first {most}", share, "") for most, share in among.items()),
        Line(f"{way}, mean of 1 / rank", inverse, ""),
    ]


if __name__ == "__main__":
    main()
