"""The loop: ask the memory for one thing, observe, judge, and go on until it is answered, hopeless, or too much.

By rule a question becomes tasks, and a task the steps that its words of time need: "What is said after the sign?"
finds the sign, then what is said from its end on. Where a language model plans, it goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hicom_agent.agent.compose import Partial, Writer, compose
from hicom_agent.agent.confidence import calibrate
from hicom_agent.agent.evidence import (
    ALWAYS,
    KINDS,
    MODALITY,
    Asked,
    Evidence,
    Pick,
    Window,
    cite,
    find_words,
    overlaps,
    read_words,
)
from hicom_agent.agent.facts import find_fact
from hicom_agent.agent.film import Encoder, Film
from hicom_agent.agent.meter import Meter
from hicom_agent.agent.operators import list_times, list_words, observe, order
from hicom_agent.agent.outline import STRETCHES, outline, show_clips, spread_clips
from hicom_agent.agent.plan import SubQuestion, names_nothing, understand
from hicom_agent.agent.rereading import LineReader, reread
from hicom_agent.agent.sight import CLIPS_FOR_ALL, Sight, look, num_clips
from hicom_agent.agent.temporal import Anchor, Task, anchor_question, narrow, read_task
from hicom_agent.agent.view import Viewer, view
from hicom_agent.llm.spans import is_particular
from hicom_agent.types import Step, timecode

if TYPE_CHECKING:
    from hicom_agent.memory import Store

WORDS = 12  # utterances or texts looked at per question
WORDS_IN_WINDOW = 200  # where every occurrence counts, or before those outside of a window are left out
WIDEN_FROM = 0.7  # support that words need when the wording asked for the picture
FILTER = 0.25  # pieces below this are not shown to the language model


@dataclass(frozen=True, slots=True)
class Wish:
    """One sub-question, and which of its moments count."""

    sub: SubQuestion
    window: Window = ALWAYS
    pick: Pick = ""
    why: str = ""
    wide: bool = False  # look at more clips


class Run:
    """The way to one answer about one film."""

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        film: Film,
        meter: Meter,
        writer: Callable[[], Writer],
        viewer: Callable[[], Viewer] | None = None,
    ) -> None:
        self.store, self.encoder, self.film, self.meter = store, encoder, film, meter
        self._writer, self._viewer = writer, viewer
        self.rereads = False  # the writer reads lines a second time
        self.steps: list[Step] = []
        self._planned: set[tuple[str, float, float]] = set()  # what a language model asked, and in which window
        self._num_more = 0  # likely clips that the last step did not look at

    def do(self, task: Task, before: Partial | None = None) -> Partial:
        """Return the answer to a task; `before` is the answer to the part of the question before it."""
        if task.rivals is not None:
            return self._order(task)
        window = task.window
        for anchor in task.anchors:
            found = self._find(anchor, before, window)
            if found.abstained or not found.used:
                why = f"I did not find {anchor.text} in the video." if found.reason == "not seen" else ""
                return replace(found, text=why)
            first, last = min(p.start_s for p in found.used), min(p.end_s for p in found.used)
            window = narrow(window, anchor.relation, first, last)
        if window[0] >= min(window[1], self.film.row.duration_s):
            ends = f"The video ends at {timecode(self.film.row.duration_s)}." if not task.anchors else ""
            return Partial(ends, 0.9 if ends else 0.5, (), "not seen")
        sub = understand(task.text)
        pick = task.pick or (_nearest(task) if names_nothing(sub) else "")
        return self._look_twice(Wish(sub, window, pick))

    def _find(self, anchor: Anchor, before: Partial | None, window: Window) -> Partial:
        """Return when something is that says when to look."""
        if anchor.is_answer_before:
            return before if before is not None else Partial("", 0.5, (), "not seen")
        text, pick = anchor_question(anchor.text)
        return self._look_twice(Wish(understand(text), window, pick, anchor.relation))

    def _order(self, task: Task) -> Partial:
        """Return which of two things comes first, or whether one comes before the other."""
        assert task.rivals is not None
        found = []
        for name in task.rivals:
            text, pick = anchor_question(name)
            found.append(self._look_twice(Wish(understand(text), pick=pick or "first", why="order")))
        return order(task, found)

    def _look_twice(self, wish: Wish) -> Partial:
        """Return what a step finds; if that is nothing and there is more to look at, what a wider one finds."""
        partial = self.ask(wish)
        if partial.abstained and self._num_more and not wish.wide:
            return self.ask(replace(wish, wide=True, why=f"{wish.why} more clips".strip()))
        return partial

    def ask(self, wish: Wish) -> Partial:
        """Take one step: ask, observe, and note it."""
        if not self.meter.has_room():
            return Partial("", 0.5, (), "out of budget")
        self.meter.num_steps += 1
        began_s, meter = time.monotonic(), self.meter
        spent = (meter.clips_compressed, meter.clips_recalled, meter.visual_tokens)
        partial = self._answer(wish)
        partial = replace(partial, confidence=calibrate(partial.how, partial.confidence))
        now = (meter.clips_compressed, meter.clips_recalled, meter.visual_tokens)
        compressed, recalled, tokens = (after - before for after, before in zip(now, spent, strict=True))
        self.note(
            Step(
                number=len(self.steps) + 1,
                ask=wish.sub.text,
                why=wish.why,
                start_s=round(wish.window[0], 3),
                end_s=round(wish.window[1], 3) if wish.window[1] < self.film.row.duration_s else None,
                observation=observe(partial),
                answered=not partial.abstained,
                citations=cite(partial.used, self.film.row.duration_s),
                clips_compressed=compressed,
                clips_recalled=recalled,
                visual_tokens=tokens,
                seconds=round(time.monotonic() - began_s, 3),
            )
        )
        return partial

    def note(self, step: Step) -> None:
        """Keep a step."""
        self.steps.append(step)

    def follow(self, ask: str, after_s: float | None, before_s: float | None) -> str:
        """Take the step that a language model planned; return what is wrong with it, in words for the model."""
        task = read_task(ask, self.film.row.duration_s)
        window = (max(task.window[0], after_s or 0.0), min(task.window[1], before_s or ALWAYS[1]))
        if window[0] >= min(window[1], self.film.row.duration_s):
            return f"nothing lies after {window[0]:.0f} s and before {window[1]:.0f} s"
        planned = (task.asked.casefold(), *window)
        if planned in self._planned or any(step.ask.casefold() == planned[0] for step in self.steps if not after_s):
            return "this was asked before; ask something else, answer, or give up"
        self._planned.add(planned)
        self.do(replace(task, window=window))
        return ""

    def _answer(self, wish: Wish) -> Partial:
        sub, meter = wish.sub, self.meter
        self._num_more = 0
        began_s = time.monotonic()
        told = "visual" not in sub.sources
        fact = find_fact(sub.text, self.film)
        if fact is not None:
            return fact
        if told and sub.kind not in ("open", "outline") and not is_particular(sub.about):
            return list_times(sub.kind, self._all_words(sub, wish.window))
        if names_nothing(sub) and (told or (len(sub.sources) > 1 and (wish.pick or wish.window != ALWAYS))):
            listed = list_words(self._all_words(sub, wish.window), wish.pick)
            if told or not listed.abstained:
                return listed
        if sub.kind == "outline":
            return self._outline(wish)
        words = self._words(sub, wish.window)
        if sub.kind == "how long" and len(sub.sources) > 1:  # as it is told, else as long as it is seen
            open_sub = replace(sub, kind="open")
            partial = compose(open_sub, _choose(open_sub, self._words(open_sub, wish.window), Sight()), self._writer)
            if not partial.abstained:
                return partial
            words = []
        meter.retrieval_s += time.monotonic() - began_s
        began_s = time.monotonic()
        sight = self._look(wish)
        meter.compression_s += time.monotonic() - began_s
        began_s = time.monotonic()
        over = meter.budget.is_over
        partial = compose(sub, _choose(sub, words, sight), None if over else self._writer, wish.pick)
        if not over and self._viewer is not None and sight.looked_at and _is_visual(sub, partial):
            partial, seen = view(sub, sight, self.film, self.store, self.encoder, self._viewer())
            meter.add_view(seen)
        meter.llm_s += time.monotonic() - began_s
        meter.llm_tokens += partial.llm_tokens
        return partial

    def _outline(self, wish: Wish) -> Partial:
        """Return what the film holds in a window: as a model that sees tells it of clips all over it, or as a list."""
        sub, sources = wish.sub, wish.sub.sources
        if self._viewer is None or not self.film.frames or self.meter.budget.is_over:
            return outline(self.store, self.encoder, self.film, wish.window, sources, wish.pick)
        film = replace(self.film, near=spread_clips(self.film, wish.window, STRETCHES))
        sight = look(self.store, self.encoder, film, sub.text, STRETCHES, self.meter.left, wish.window)
        self.meter.add_sight(sight.compressed, sight.recalled, counts=False)
        partial, seen = view(sub, sight, film, self.store, self.encoder, self._viewer())
        self.meter.add_view(seen)
        self.meter.llm_tokens += partial.llm_tokens
        if partial.abstained:
            return outline(self.store, self.encoder, film, wish.window, sources, wish.pick)
        return replace(partial, used=show_clips(film, [each.clip for each in sight.looked_at], partial.confidence))

    def _all_words(self, sub: SubQuestion, window: Window) -> list[Evidence]:
        wanted = [kind for kind in KINDS if MODALITY[kind] in sub.sources] or KINDS
        found = [piece for kind in wanted for piece in read_words(self.store, kind, self.film.video_id, window)]
        return sorted(found, key=lambda piece: (piece.start_s, piece.end_s))

    def _words(self, sub: SubQuestion, window: Window) -> list[Evidence]:
        asked = Asked(sub.text, self.encoder.encode_texts([sub.text])[0], sub.about, topical=sub.kind != "open")
        few, videos = window == ALWAYS and sub.kind in ("open", "whether"), [self.film.video_id]
        limit = WORDS if few else WORDS_IN_WINDOW
        found = [piece for kind in KINDS for piece in find_words(self.store, kind, asked, videos, limit)]
        found = [piece for piece in found if overlaps(piece.start_s, piece.end_s, window)]
        model = self._writer() if self.rereads and sub.kind == "open" and not self.meter.budget.is_over else None
        return reread(sub, found, model) if isinstance(model, LineReader) else found

    def _look(self, wish: Wish) -> Sight:
        sub = wish.sub
        if not self.film.frames or "visual" not in sub.sources:
            return Sight()
        limit = CLIPS_FOR_ALL if wish.wide else num_clips(sub.kind)
        sight = look(self.store, self.encoder, self.film, sub.text, limit, self.meter.left, wish.window)
        self.meter.add_sight(sight.compressed, sight.recalled, counts=self._viewer is None)
        if sight.num_left:
            found = sight.num_left + len(sight.looked_at)
            self.meter.cut_short(f"{sight.num_left} of {found} likely clips were not looked at")
        self._num_more = 0 if wish.wide or limit == CLIPS_FOR_ALL else sight.num_more
        return sight


def _nearest(task: Task) -> Pick:
    """Return which of several moments is nearest to the one anchor there is."""
    if len(task.anchors) != 1:
        return ""
    return "first" if task.anchors[0].relation == "after" else "last"


def _is_visual(sub: SubQuestion, partial: Partial) -> bool:
    """Return whether a model that sees may know better: times come from the index, and words answer for themselves."""
    told = not partial.abstained and any(piece.modality != "visual" for piece in partial.used)
    return sub.kind in ("open", "whether") and "visual" in sub.sources and not told


def _choose(sub: SubQuestion, words: list[Evidence], sight: Sight) -> list[Evidence]:
    """Return the pieces an answer may rest on, surest first; words widen a question about the picture if very sure."""
    seen = bool(sight.evidence) and sub.sources[0] == "visual"  # then words that stand there too are beside the point
    counted = sub.kind == "count" and len(sub.sources) > 1  # what is seen, unless the wording says that it is told
    fitting = [] if seen or counted else [piece for piece in words if piece.modality in sub.sources]
    if "visual" in sub.sources and not sight.evidence:
        fitting += [piece for piece in words if piece.modality not in sub.sources and piece.support >= WIDEN_FROM]
    pieces = fitting + (sight.evidence or sight.closest[:3])
    return (
        sorted((piece for piece in pieces if piece.support >= FILTER), key=lambda p: (-p.support, p.start_s))
        or sorted(pieces, key=lambda p: -p.support)[:3]
    )
