"""What one answer may cost, and what it did cost."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hicom_agent.types import CompressedClip, Coverage, LookedAt, Spend

if TYPE_CHECKING:
    from hicom_agent.llm.reader import View


MAX_STEPS = 12  # sub-questions of one question


@dataclass(frozen=True, slots=True)
class Budget:
    """Where to stop looking; what was found by then is answered from."""

    until_s: float = math.inf  # on time.monotonic
    max_visual_tokens: int = 1 << 30
    max_steps: int = MAX_STEPS

    @classmethod
    def of(
        cls, max_seconds: float | None = None, max_visual_tokens: int | None = None, max_steps: int | None = None
    ) -> Budget:
        """Return the budget of a call that begins now; None is without limit, or the usual number of steps."""
        until_s = math.inf if max_seconds is None else time.monotonic() + max_seconds
        return cls(until_s, max_visual_tokens or 1 << 30, max_steps or MAX_STEPS)

    def allows(self, visual_tokens: int) -> bool:
        """Return whether another clip may be compressed after so many tokens."""
        return visual_tokens < self.max_visual_tokens and not self.is_over

    @property
    def is_over(self) -> bool:
        """Return whether the time is up."""
        return time.monotonic() >= self.until_s

    def after(self, spend: Spend) -> Budget:
        """Return what is left for another video after an answer; steps are of each video."""
        return replace(self, max_visual_tokens=max(0, self.max_visual_tokens - spend.visual_tokens))


class Meter:
    """Counts what one answer costs."""

    def __init__(self, budget: Budget) -> None:
        self.budget, self.is_cut_short = budget, False
        self.num_steps = self.visual_tokens = self.llm_tokens = self.clips_compressed = self.clips_recalled = 0
        self.looked_at: dict[int, CompressedClip] = {}
        self.notes: list[str] = []
        self.began_s = time.monotonic()
        self.retrieval_s = self.compression_s = self.llm_s = 0.0

    def cut_short(self, what: str) -> None:
        """Remember that the budget ended before the work did."""
        self.is_cut_short = True
        self.notes.append(f"stopped early: {what}")

    def add_sight(
        self, compressed: Sequence[CompressedClip], recalled: Sequence[CompressedClip], *, counts: bool
    ) -> None:
        """Count clips that were looked at, compressed now or used again; the tokens too, if it `counts`."""
        self.looked_at |= {clip.clip.index: clip for clip in (*recalled, *compressed)}
        self.clips_compressed += len(compressed)
        self.clips_recalled += len(recalled)
        self.visual_tokens += sum(len(clip.tokens) for clip in compressed) if counts else 0

    def add_view(self, seen: View) -> None:
        """Count what was made for a language model that sees."""
        self.visual_tokens += seen.num_visual_tokens if seen.tokens is not None else 0
        self.notes += [seen.note] if seen.note else []

    def has_room(self, num_steps: int = 1) -> bool:
        """Return whether so many more steps may be taken, and remember it if not."""
        if self.num_steps + num_steps > self.budget.max_steps:
            self.cut_short(f"{self.budget.max_steps} steps were taken")
            return False
        if self.budget.is_over:
            self.cut_short("the time was up")
        return not self.budget.is_over

    @property
    def is_spent(self) -> bool:
        """Return whether no more steps or seconds are left."""
        return self.num_steps >= self.budget.max_steps or self.budget.is_over

    @property
    def left(self) -> Budget:
        """Return what may still be spent."""
        return replace(self.budget, max_visual_tokens=self.budget.max_visual_tokens - self.visual_tokens)

    def coverage(self, indexed_s: float, total_s: float) -> Coverage:
        """Return what was looked at as part of an answer."""
        parts: list[LookedAt] = []
        for _, clip in sorted(self.looked_at.items()):
            part = LookedAt(
                start_s=round(clip.clip.start_s, 3),
                end_s=round(clip.clip.end_s, 3),
                patches=int(clip.patch_attention.size),
                tokens=len(clip.tokens),
            )
            if parts and part.start_s <= parts[-1].end_s + 1e-3:
                last = parts.pop()
                patches, tokens = last.patches + part.patches, last.tokens + part.tokens
                part = LookedAt(start_s=last.start_s, end_s=part.end_s, patches=patches, tokens=tokens)
            parts.append(part)
        tokens = sum(part.tokens for part in parts)
        return Coverage(
            indexed_s=indexed_s,
            total_s=total_s,
            looked_at_s=round(sum(part.end_s - part.start_s for part in parts), 3),
            compression=round(sum(part.patches for part in parts) / tokens, 2) if tokens else 0.0,
            looked_at=parts,
        )

    def spend(self) -> Spend:
        """Return the counts as part of an answer."""
        return Spend(
            steps=self.num_steps,
            clips_compressed=self.clips_compressed,
            clips_recalled=self.clips_recalled,
            visual_tokens=self.visual_tokens,
            llm_tokens=self.llm_tokens,
            note="; ".join(dict.fromkeys(self.notes)),
            seconds=round(time.monotonic() - self.began_s, 3),
            retrieval_s=round(self.retrieval_s, 3),
            compression_s=round(self.compression_s, 3),
            llm_s=round(self.llm_s, 3),
        )
