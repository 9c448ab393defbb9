"""A language model that plans: it reads what was observed, and says what to ask next, what the answer is, or gives up.

What it writes is never trusted: a malformed plan, a question asked before, and an answer with words or times that were
not observed each become a failed step, which it reads. Citations come from the steps, never from what it writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hicom_agent.agent.compose import Partial
from hicom_agent.agent.confidence import calibrate
from hicom_agent.agent.evidence import Evidence
from hicom_agent.llm.grounding import neutralise, ungrounded
from hicom_agent.prompts import load_prompt
from hicom_agent.types import Step, timecode

if TYPE_CHECKING:
    from hicom_agent.agent.loop import Run
    from hicom_agent.llm.text import Draft

MAX_TOKENS = 160
MAX_FAULTS = 2  # failed plans after which the rules have the last word
_TIMECODE = re.compile(r"\b\d{1,3}:\d{2}(?::\d{2})?\b")


class Planner(Protocol):
    """A language model that is large enough to plan."""

    def write(self, system: str, user: str, max_tokens: int = ...) -> Draft:
        """Return what the model writes."""


class Plan(BaseModel):
    """What a model says comes next; one of `ask`, `answer` and `give_up`."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    ask: str = Field("", max_length=500)
    after: float | None = Field(None, ge=0)
    before: float | None = Field(None, ge=0)
    answer: str = Field("", max_length=2000)
    steps: list[int] = []
    give_up: str = Field("", max_length=500)


def go_on(planner: Planner, question: str, run: Run) -> Partial | None:
    """Let the model ask until it answers or gives up; None where what was found before is to be answered with.

    Raises AnswerError where the model cannot be reached.
    """
    faults = 0
    while faults < MAX_FAULTS and not run.meter.is_spent:
        written = planner.write(load_prompt("plan_system"), _tell(question, run), max_tokens=MAX_TOKENS)
        run.meter.llm_tokens += written.num_tokens_in + written.num_tokens_out
        plan = read_plan(written.text)
        if isinstance(plan, str):
            fault = plan
        elif plan.ask:
            fault = run.follow(plan.ask, plan.after, plan.before)
        elif plan.answer:
            used, fault = check_answer(plan, question, run.steps)
            if not fault:
                raw = min(1.0, max(0.0, written.likelihood)) * min(piece.support for piece in used)
                return Partial(plan.answer, calibrate("written", raw), used, how="written")
        else:
            return None
        if fault:
            faults += 1
            asked = plan.ask if isinstance(plan, Plan) else ""
            run.note(Step(number=len(run.steps) + 1, ask=asked, observation=fault, failed=True))
    return None


def read_plan(text: str) -> Plan | str:
    """Return the plan that a model wrote, or what is wrong with it, in words for the model.

    >>> read_plan('Sure! {"ask": "When does the bus come?"}').ask
    'When does the bus come?'
    """
    found = re.search(r"\{.*\}", text, re.DOTALL)
    if found is None:
        return f'no JSON object in {text[:80]!r}; write one such as {{"ask": "When does the bus come?"}}'
    try:
        plan = Plan(**json.loads(found[0]))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return f"{where}: {first['msg']}; the keys are {', '.join(Plan.model_fields)}"
    except (ValueError, TypeError, RecursionError) as error:
        return f"this is no JSON object: {str(error)[:200]}"
    if sum(map(bool, (plan.ask, plan.answer, plan.give_up))) != 1:
        return "write exactly one of ask, answer and give_up"
    return plan


def check_answer(plan: Plan, question: str, steps: Sequence[Step]) -> tuple[tuple[Evidence, ...], str]:
    """Return the evidence of the steps that an answer rests on, and what is wrong with it, in words for the model."""
    good = [step for step in steps if step.answered and (step.number in plan.steps or not plan.steps)]
    if not good:
        known = ", ".join(str(step.number) for step in steps if step.answered) or "none"
        return (), f"an answer names the steps that it rests on, of those that found something: {known}"
    told = [line for step in good for line in (step.observation, *(c.quote for c in step.citations))]
    strange = ungrounded(_TIMECODE.sub(" ", plan.answer), told, question)
    times = {_seconds(word) for line in told for word in _TIMECODE.findall(line)}
    wrong = [word for word in _TIMECODE.findall(plan.answer) if _seconds(word) not in times]
    if strange or wrong:
        return (), f"these stand in no step: {', '.join([*strange, *wrong])}; use only what was observed"
    used = [Evidence(c.video_id, c.modality, c.start_s, c.end_s, c.score, c.quote, _index(c.frame_id))
            for step in good for c in step.citations]  # fmt: skip
    return tuple(dict.fromkeys(used)), "" if used else "these steps found no moment"


def _seconds(text: str) -> float:
    total = 0.0
    for part in text.split(":"):
        total = 60 * total + float(part)
    return total


def _index(frame_id: str) -> int:
    return int(frame_id.rpartition(":")[2]) if frame_id else -1


def _tell(question: str, run: Run) -> str:
    """Return what the model reads: the question, and every step with what came of it."""
    lines = [_line(step) for step in run.steps]
    left = run.meter.budget.max_steps - run.meter.num_steps
    return load_prompt(
        "plan",
        question=question,
        duration=f"{run.film.row.duration_s:.0f}",
        left=str(left),
        steps="\n".join(lines) or "Nothing was asked yet.",
    )


def _line(step: Step) -> str:
    where = (
        ""
        if not step.start_s and step.end_s is None
        else f" [{step.start_s:.0f} s to {'the end' if step.end_s is None else f'{step.end_s:.0f} s'}]"
    )
    word = "failed" if step.failed else "found" if step.answered else "not found"
    quotes = "".join(f' | {timecode(c.start_s)} "{_inside(c.quote)}"' for c in step.citations[:4] if c.quote)
    return f'{step.number}. {_inside(step.ask)}{where} -> {word}: "{_inside(step.observation)}"{quotes}'


def _inside(text: str) -> str:
    """Return a text that cannot leave the quotation marks around it, nor look like another step."""
    return neutralise(text).replace('"', "'").replace("|", "/").replace("->", ">")
