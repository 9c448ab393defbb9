"""What is to be done, and what it will take: told before anything is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from hicom_agent.errors import InputError
from hicom_agent.pairs.asking import estimate_in, estimate_out, make_messages
from hicom_agent.pairs.clips import Film, Scene
from hicom_agent.pairs.ledger import Past, key_of
from hicom_agent.pairs.terms import Terms
from hicom_agent.screen import plain
from hicom_agent.types import timecode

MEASURED_CLIPS = 5  # of which the lengths of replies are known, before they stand for the rest


@dataclass(frozen=True, slots=True)
class Task:
    """A clip to be asked about."""

    film: Film
    scene: Scene
    tokens_in: int  # estimated
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Prices:
    """Of a million tokens, in any currency, and what may be spent on the whole file."""

    tokens_in: float | None = None
    tokens_out: float | None = None
    max_cost: float | None = None

    def __post_init__(self) -> None:
        if not all(isfinite(given) for given in (self.tokens_in, self.tokens_out, self.max_cost) if given is not None):
            raise InputError("--price-in, --price-out and --max-cost: expected amounts of money")
        if (self.tokens_in is None) != (self.tokens_out is None):
            raise InputError("--price-in and --price-out go together: the prices of a million tokens")
        if self.max_cost is not None and self.tokens_in is None:
            raise InputError("--max-cost needs --price-in and --price-out, the prices of a million tokens")

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """Return what so many tokens cost, None without prices."""
        if self.tokens_in is None or self.tokens_out is None:
            return None
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1e6


@dataclass(frozen=True, slots=True)
class Fault:
    """A video or clip that cannot be worked on, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The clips to be asked about, and what is known of them."""

    tasks: tuple[Task, ...]
    films: tuple[Film, ...]
    faults: tuple[Fault, ...]  # videos that are skipped
    num_before: int  # clips that were answered by earlier runs
    num_left_out: int  # by --limit-clips

    def tell(self, prices: Prices, terms: Terms) -> dict[str, Any]:
        """Return what a person and a program should know beforehand."""
        tokens_in = sum(task.tokens_in for task in self.tasks)
        tokens_out = sum(task.tokens_out for task in self.tasks)
        return {
            "videos": len(self.films),
            "seconds": round(sum(film.duration_s for film in self.films), 3),
            "scene_cuts": sum(film.num_cuts for film in self.films),
            "keyframes": sum(film.num_keyframes for film in self.films),
            "clips": sum(len(film.scenes) for film in self.films),
            "clips_before": self.num_before,
            "clips_left_out": self.num_left_out,
            "calls": len(self.tasks),
            "pictures": sum(len(task.scene.pictures_s) for task in self.tasks),
            "pairs": len(self.tasks) * terms.num_pairs,
            "tokens_in": tokens_in,
            "tokens_out": tokens_out,
            "cost": prices.cost(tokens_in, tokens_out),
            "max_cost": prices.max_cost,
            "llm": terms.llm,
            "keyframes_by": terms.eye,
            "skipped": [asdict(fault) for fault in self.faults],
        }


def make_plan(
    films: Iterable[Film], faults: Iterable[Fault], past: Past, terms: Terms, limit_clips: int | None = None
) -> Plan:
    """Return what is left to ask; `limit_clips` counts from the first clip, whether it was answered or not."""
    films = tuple(films)
    clips = [(film, scene) for film in films for scene in film.scenes]
    wanted = clips if limit_clips is None else clips[:limit_clips]
    left = [(film, scene) for film, scene in wanted if key_of(film, scene) not in past.done]
    measured = len(past.done) >= MEASURED_CLIPS
    tokens_out = round(past.tokens_out / len(past.done)) if measured else estimate_out(terms)
    tasks = [Task(film, scene, _tokens_in(film, scene, terms), tokens_out) for film, scene in left]
    return Plan(tuple(tasks), films, tuple(faults), len(wanted) - len(left), len(clips) - len(wanted))


def picture_size(film: Film, side_px: int) -> tuple[int, int]:
    """Return width and height of a film's pictures as they are sent."""
    scale = min(1.0, side_px / max(film.width_px, film.height_px, 1))
    return round(film.width_px * scale), round(film.height_px * scale)


def _tokens_in(film: Film, scene: Scene, terms: Terms) -> int:
    messages = make_messages(scene, [b""] * len(scene.pictures_s), terms)
    return estimate_in(messages, picture_size(film, terms.side_px))


def plan_lines(told: Mapping[str, Any]) -> list[str]:
    """Return a plan for a person."""
    before = f", {told['clips_before']} of them answered" if told["clips_before"] else ""
    left_out = f", {told['clips_left_out']} left out by --limit-clips" if told["clips_left_out"] else ""
    most = f", --max-cost {told['max_cost']:g} of the whole file" if told["max_cost"] is not None else ""
    cost = f"; about {told['cost']:.4g} at these prices{most}" if told["cost"] is not None else ""
    return [
        f"films    {told['videos']} videos, {timecode(told['seconds'])}: {told['scene_cuts']} cuts, "
        f"{told['keyframes']} keyframes (by {told['keyframes_by']}), {told['clips']} clips{before}{left_out}",
        f"asking   {told['calls']} calls of {plain(told['llm'])} with {told['pictures']} pictures for some "
        f"{told['pairs']} pairs; a reply that has to be repaired is a call more",
        f"cost     about {told['tokens_in']} tokens in and {told['tokens_out']} out{cost}",
        *(f"skipped  {plain(fault['reason'])}" for fault in told["skipped"]),
    ]
