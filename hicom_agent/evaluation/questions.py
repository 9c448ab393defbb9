"""What every benchmark comes to: multiple-choice questions about videos, some without a public answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Wording = Literal["best answer", "brackets", "points"]  # how the benchmark's public evaluation writes its prompt


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a benchmark."""

    id: str
    video: str  # as the benchmark names it
    path: Path | None  # file, or folder of frames; None where it is not there
    text: str  # bare: no options, no format
    options: tuple[str, ...]  # without letters
    answer: int | None  # index of the right option; None where it is not public
    groups: tuple[tuple[str, str], ...] = ()  # (kind, name) of each group that it counts in, such as duration, short
    span_s: tuple[float, float] | None = None  # only this stretch of the video is meant
    subtitles: Path | None = None
    subtitles_from_s: float = 0.0  # the video's beginning on the clock of the subtitles

    @property
    def unit(self) -> str:
        """Return what is watched for it: questions with the same are asked one after the other."""
        return self.video if self.span_s is None else f"{self.video} {self.span_s[0]:g}-{self.span_s[1]:g}"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A public benchmark: how its folder looks, and how it is scored."""

    name: str  # as the option names it
    title: str
    dataset: str  # on the Hugging Face hub
    split: str
    layout: str  # what a folder must hold, for a person
    read: Callable[[Path], list[Question]]
    looks: Callable[[Path], bool]  # whether a folder looks like it
    wording: Wording = "points"
    has_subtitles: bool = False
    mean_of: str = ""  # kind of group over which a mean is reported too
    mean_name: str = ""  # what the benchmark calls that mean
    paper: Mapping[int, float] = field(default_factory=dict)  # HICom 7B: frames, percent
    paper_subtitles: Mapping[int, float] = field(default_factory=dict)
