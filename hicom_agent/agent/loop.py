"""The loop: ask the memory for one thing, observe, judge, and go on until it is answered, hopeless, or too much.

By rule a question becomes tasks, and a task the steps that its words of time need: "What is said after the sign?"
finds the sign, then what is said from its end on. Where a language model plans, it goes on from there.
"""

from __future__ import annotations

import time
from dataclasses import replace

from hicom_agent.agent.compose import Partial
from hicom_agent.agent.confidence import calibrate
from hicom_agent.agent.evidence import ALWAYS, Pick, Window, cite
from hicom_agent.agent.observer import Observer, Wish
from hicom_agent.agent.operators import observe, order
from hicom_agent.agent.plan import names_nothing, understand
from hicom_agent.agent.temporal import Anchor, Task, anchor_question, narrow, read_task
from hicom_agent.types import Step, timecode


class Run:
    """The way to one answer about one film."""

    def __init__(self, observer: Observer) -> None:
        """`observer` answers each wish of the way."""
        self._observer, self.film, self.meter = observer, observer.film, observer.meter
        self.steps: list[Step] = []
        self._planned: set[tuple[str, float, float]] = set()  # what a language model asked, and in which window

    def do(self, task: Task, before: Partial | None = None) -> Partial:
        """Return the answer to a task; `before` is the answer to the part of the question before it."""
        if task.rivals is not None:
            return self._order(task)
        window = task.window
        for anchor in task.anchors:
            found = self._find(anchor, before, window)
            if found.abstained or not found.used:
                why = f"I did not find {anchor.text} in the video." if found.reason == "not seen" else ""
                if anchor.is_answer_before and before is None:
                    why = f'I cannot tell what "{anchor.text}" stands for: ask again, and name it.'
                return replace(found, text=why)
            first, last = min(p.start_s for p in found.used), min(p.end_s for p in found.used)
            window = narrow(window, anchor.relation, first, last)
        if window[0] >= min(window[1], self.film.row.duration_s):
            ends = f"The video ends at {timecode(self.film.row.duration_s)}." if not task.anchors else ""
            return Partial(ends, 0.9 if ends else 0.5, (), "not seen")
        sub = understand(task.text)
        pick = task.pick or (_nearest(task) if names_nothing(sub) or sub.kind == "outline" else "")
        return self._look_twice(Wish(sub, window, pick))

    def _find(self, anchor: Anchor, before: Partial | None, window: Window) -> Partial:
        """Return when something is that says when to look."""
        if anchor.is_answer_before:
            return before if before is not None else Partial("", 0.5, (), "not seen")
        text, pick = anchor_question(anchor.text)
        return self._look_twice(Wish(understand(text), window, pick, anchor.relation, mention=True))

    def _order(self, task: Task) -> Partial:
        """Return which of two things comes first, or whether one comes before the other."""
        assert task.rivals is not None
        found = []
        for name in task.rivals:
            text, pick = anchor_question(name)
            found.append(self._look_twice(Wish(understand(text), pick=pick or "first", why="order", mention=True)))
        return order(task, found)

    def _look_twice(self, wish: Wish) -> Partial:
        """Return what a step finds; if that is nothing and there is more to look at, what a wider one finds."""
        partial = self.ask(wish)
        if partial.abstained and self._observer.num_more and not wish.wide:
            return self.ask(replace(wish, wide=True, why=f"{wish.why} more clips".strip()))
        return partial

    def ask(self, wish: Wish) -> Partial:
        """Take one step: ask, observe, and note it."""
        if not self.meter.has_room():
            return Partial("", 0.5, (), "out of budget")
        self.meter.num_steps += 1
        began_s, meter = time.monotonic(), self.meter
        spent = (meter.clips_compressed, meter.clips_recalled, meter.visual_tokens)
        partial = self._observer.answer(wish)
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


def _nearest(task: Task) -> Pick:
    """Return which of several moments is nearest to the one anchor there is."""
    if len(task.anchors) != 1 or task.anchors[0].relation == "during":
        return ""
    return "first" if task.anchors[0].relation == "after" else "last"
