"""What one answer may cost, and what it did cost."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hicom_agent.types import Clip, Spend

if TYPE_CHECKING:
    from hicom_agent.llm.reader import View


@dataclass(frozen=True, slots=True)
class Budget:
    """Where to stop looking; what was found by then is answered from."""

    until_s: float = math.inf  # on time.monotonic
    max_visual_tokens: int = 1 << 30

    @classmethod
    def of(cls, max_seconds: float | None = None, max_visual_tokens: int | None = None) -> Budget:
        """Return the budget of a call that begins now; None is without limit."""
        until_s = math.inf if max_seconds is None else time.monotonic() + max_seconds
        return cls(until_s, max_visual_tokens or 1 << 30)

    def allows(self, visual_tokens: int) -> bool:
        """Return whether another clip may be compressed after so many tokens."""
        return visual_tokens < self.max_visual_tokens and not self.is_over

    @property
    def is_over(self) -> bool:
        """Return whether the time is up."""
        return time.monotonic() >= self.until_s


class Meter:
    """Counts what one answer costs."""

    def __init__(self, budget: Budget) -> None:
        self.budget, self.is_cut_short = budget, False
        self.compressed: list[Clip] = []
        self.visual_tokens = self.llm_tokens = 0
        self.notes: list[str] = []
        self.seconds = self.retrieval_s = self.compression_s = self.llm_s = 0.0

    def cut_short(self, what: str) -> None:
        """Remember that the budget ended before the work did."""
        self.is_cut_short = True
        self.notes.append(f"stopped early: {what}")

    def add_view(self, seen: View) -> None:
        """Count what a language model that sees was shown."""
        self.visual_tokens += seen.num_visual_tokens
        self.notes += [seen.note] if seen.note else []

    @property
    def looked_at_s(self) -> float:
        """Return the length of all clips that were compressed, each once."""
        return sum(clip.end_s - clip.start_s for clip in {clip.index: clip for clip in self.compressed}.values())

    def spend(self) -> Spend:
        """Return the counts as part of an answer."""
        return Spend(
            clips_compressed=len(self.compressed),
            visual_tokens=self.visual_tokens,
            llm_tokens=self.llm_tokens,
            note="; ".join(dict.fromkeys(self.notes)),
            seconds=round(self.seconds, 3),
            retrieval_s=round(self.retrieval_s, 3),
            compression_s=round(self.compression_s, 3),
            llm_s=round(self.llm_s, 3),
        )
