"""Viewing: a language model that sees looks at the clips that may show it, all compressed under the question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from hicom_agent.agent.compose import NOT_HELD, Partial
from hicom_agent.agent.film import Encoder, Film, read_features
from hicom_agent.agent.plan import SubQuestion
from hicom_agent.agent.sight import Sight
from hicom_agent.prompts import load_prompt

if TYPE_CHECKING:
    from hicom_agent.llm.reader import View
    from hicom_agent.memory import Store
    from hicom_agent.types import CompressedClip, Floats, FrameFeatures

HELD_FROM = 0.5  # probability, as the model judges, that the clips hold the answer
MAX_CLIPS = 8  # clips shown at once
NOT_SHOWN = ("not shown", *NOT_HELD)


class Viewer(Protocol):
    """A language model that sees."""

    def plan(self, lengths: Sequence[int]) -> list[list[int]]:
        """Return which frames of clips of these lengths the model can be shown."""

    def view(self, question: str, ask: str, check: str, clips: Sequence[FrameFeatures], max_tokens: int = ...) -> View:
        """Return what the model answers from clips, and whether it judges that they hold the answer."""

    def view_again(self, ask: str, check: str, tokens: Floats, max_tokens: int = ...) -> View:
        """Return the same from the tokens that it made of the clips before."""


def choose_clips(sight: Sight) -> list[CompressedClip]:
    """Return the clips that answer best to the question, in time order."""
    best = sorted(sight.looked_at, key=lambda clip: -clip.score)[:MAX_CLIPS]
    return sorted(best, key=lambda clip: clip.clip.start_s)


def view(
    sub: SubQuestion, sight: Sight, film: Film, store: Store, encoder: Encoder, viewer: Viewer
) -> tuple[Partial, View]:
    """Return the answer from the clips that answer best to the question, and what it took.

    What is cited are moments from the index: those seen, else the closest in the clips that were shown.
    """
    shown = choose_clips(sight)
    inside = [film.indices_in(clip.clip) for clip in shown]
    plan = viewer.plan([len(indices) for indices in inside])
    chosen = [[indices[i] for i in frames] for indices, frames in zip(inside, plan, strict=True) if frames]
    ask, check = (load_prompt(name, question=sub.text).strip() for name in ("view", "view_check"))
    frames = " ".join(f"{indices[0]}-{indices[-1]}/{len(indices)}" for indices in chosen)
    tokens = store.conditioned.view(sight.key, frames) if sight.key >= 0 else None
    if tokens is not None:
        seen = viewer.view_again(ask, check, tokens)
    else:
        seen = viewer.view(sub.text, ask, check, [read_features(store, encoder, film, indices) for indices in chosen])
        if sight.key >= 0 and seen.tokens is not None and not seen.note:
            store.conditioned.keep_view(sight.key, frames, seen.tokens)
    spans = [(clip.clip.start_s, clip.clip.end_s) for clip in shown]
    pieces = [p for p in (*sight.evidence, *sight.closest) if any(a <= p.start_s <= b for a, b in spans)]
    used = tuple(pieces[:3])
    refused = not seen.text or any(words in seen.text.lower() for words in NOT_SHOWN)
    if refused or seen.held < HELD_FROM:
        return Partial("", 1 - seen.held, used, "not seen", seen.num_text_tokens), seen
    return Partial(seen.text, seen.held * seen.likelihood, used, "", seen.num_text_tokens, "viewed"), seen
