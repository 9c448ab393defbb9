"""What conditioning.py ranks: clips and windows of films whose contents are known, and what is asked of them.

Truth: the queries of nano_truth.json on its films, and the questions of the quality set whose truth is a shot, on its
films as they are stored. Of the films of nano_truth bikes and bottles are the reported half; their clips are ranked
among those of all films that do not show it, those of the tuning half among themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import nano_search
import numpy as np
import quality
import torch
from quality_films import FILMS, Card, place
from quality_questions import Question, questions
from torch import Tensor

from hicom_agent.memory import Store

REPORTED = ("bikes", "bottles")  # the quality set uses the same footage in the same halves
VISUAL = ("object", "place", "when", "follow-up", "count")
CLIPS_S = (4.0, 16.0)
FRAMES, SLACK_S = 4, 0.5  # of a window; how far outside of the truth its frames may lie


class Ranking(NamedTuple):
    """Clips or windows to be ranked under one question."""

    task: str
    half: str
    about: str  # questions with the same are one
    guide: int
    items: list[int]
    right: np.ndarray


class Seen(NamedTuple):
    """A film: where its sampled frames lie in time, and their keys."""

    name: str
    times_s: np.ndarray
    keys: Tensor


Part = tuple[int, Seen, slice]  # number of an item, and the frames that it is


class Set:
    """Clips and windows of some films, and what is asked of them."""

    def __init__(self) -> None:
        self.guides: list[np.ndarray] = []
        self.items: list[Tensor] = []  # keys [t, h, w, e]
        self.rankings: list[Ranking] = []

    def add(self, film: Seen, part: slice) -> Part:
        """Add an item."""
        self.items.append(film.keys[part].float())
        return len(self.items) - 1, film, part

    def cut(self, film: Seen, length: float) -> list[Part]:
        """Add stretches of so many frames, and a last one if it has half of them."""
        size, end = max(1, int(length)), len(film.times_s)
        starts = [i for i in range(0, end, size) if end - i >= max(1, size // 2) or i == 0]
        return [self.add(film, slice(i, min(i + size, end))) for i in starts]

    def rank(self, task: str, half: str, about: str, judged: Sequence[tuple[int, bool | None]]) -> None:
        """Add a ranking under the last guide of what is sure, if there is something to tell apart."""
        sure = [(item, right) for item, right in judged if right is not None]
        right = np.array([each for _, each in sure], bool)
        if right.any() and not right.all():
            self.rankings.append(Ranking(task, half, about, len(self.guides) - 1, [item for item, _ in sure], right))


def read_truth(encoder: Any) -> Set:
    """Return the queries of nano_truth on its films."""
    truth = json.loads((nano_search.HERE / "nano_truth.json").read_text())
    loaded = nano_search.load_films(encoder, truth["every_s"])[0]
    films = [Seen(film.name, film.times_s, torch.from_numpy(film.features.keys)) for film in loaded]
    found = Set()
    clips = {f"{s:g} s, truth": [p for f in films for p in found.cut(f, s / truth["every_s"][f.name])] for s in CLIPS_S}
    windows = [found.cut(film, FRAMES) for film in films]
    for query, told in truth["queries"].items():
        if not any("seen" in each for each in told.values()):
            continue
        found.guides.append(encoder.encode_guide(query))
        for task, parts in clips.items():
            judged = [(item, judge_clip(told, film, part), _half(film)) for item, film, part in parts]
            found.rank(task, "tuning", query, [(i, right) for i, right, half in judged if half == "tuning"])
            found.rank(task, "reported", query, [(i, r) for i, r, half in judged if half == "reported" or not r])
        for film, parts in zip(films, windows, strict=True):
            found.rank("moments, truth", _half(film), query, _judged(judge_window, told, parts))
    return found


def read_quality(encoder: Any) -> Set:
    """Return the visual questions of the quality set on its films, as they are stored."""
    found, tasks = Set(), {}
    with Store.open(quality.STORE) as store:
        for name in quality.HALVES:
            video = store.find_video(str(quality.BENCH / "films" / f"{name}.mp4"))
            times_s = np.array([frame.time_s for frame in store.frames(video)])
            keys = encoder.unpack(store.features(video, range(len(times_s)))).keys
            film = Seen(name, times_s, torch.from_numpy(keys))
            parts = [slice(*np.searchsorted(times_s, (clip.start_s, clip.end_s))) for clip in store.clips(video)]
            tasks[name] = [
                ("stored, quality", judge_clip, [found.add(film, part) for part in parts if part.stop > part.start]),
                ("16 s, quality", judge_clip, found.cut(film, CLIPS_S[1] / float(np.median(np.diff(times_s))))),
                ("moments, quality", judge_window, found.cut(film, FRAMES)),
            ]
    for asked in visual_questions():
        told = {asked.film: {"seen": asked.ranges_s}}
        found.guides.append(encoder.encode_guide(asked.text))
        for task, judge, parts in tasks[asked.film]:
            about = f"{asked.film} {asked.ranges_s}"
            found.rank(task, quality.HALVES[asked.film], about, _judged(judge, told, parts))
    return found


def visual_questions() -> list[Question]:
    """Return the questions whose truth is a shot: what is said or written does not help."""
    cards = {f.name: [(p.start_s, p.end_s) for p in place(f.script) if isinstance(p.part, Card)] for f in FILMS}
    return [
        asked
        for asked in questions()
        if asked.kind in VISUAL
        and not any(start < b and a < end for start, end in asked.ranges_s for a, b in cards[asked.film])
    ]


def judge_clip(told: dict[str, Any], film: Seen, part: slice) -> bool | None:
    """Return whether the clip shows it in some frame; None where that is not sure."""
    seen = nano_search.judge(told, film)[part]  # type: ignore[arg-type]
    return True if (seen == 1).any() else False if (seen == 0).all() else None


def judge_window(told: dict[str, Any], film: Seen, part: slice) -> bool | None:
    """Return whether half of the window's frames lie in the truth, within the slack; None where fewer do."""
    ranges_s = told.get(film.name, {}).get("seen", [])
    if ranges_s == "all":
        return True
    inside = [any(a - SLACK_S <= t <= b + SLACK_S for a, b in ranges_s) for t in film.times_s[part]]
    return True if np.mean(inside) >= 0.5 else False if judge_clip(told, film, part) is False else None


def _judged(judge: Callable[..., bool | None], told: dict[str, Any], parts: Sequence[Part]) -> list[Any]:
    return [(item, judge(told, film, part)) for item, film, part in parts]


def _half(film: Seen) -> str:
    return "reported" if film.name in REPORTED else "tuning"
