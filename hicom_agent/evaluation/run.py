"""An evaluation from questions to rows: which are left, asked one video after the other, each written at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hicom_agent.errors import AnswerError, InputError, VideoRefused, VideoUnreadable
from hicom_agent.evaluation.asking import Asker, Reply
from hicom_agent.evaluation.letters import fallback, parse_choice
from hicom_agent.evaluation.log import Log, Shard
from hicom_agent.evaluation.questions import Question
from hicom_agent.types import Progress


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be asked."""

    left: tuple[Question, ...]  # of one video together
    num_earlier: int  # answered, or failed and not tried again
    missing: tuple[str, ...]  # videos that are not there


def make_plan(
    questions: Sequence[Question],
    known: Mapping[str, Mapping[str, Any]],
    shard: Shard,
    limit: int | None = None,
    *,
    retry: bool = False,
) -> Plan:
    """Return which questions are left of a shard, of the first `limit` whose videos are there.

    `known` are the rows that there are; those with a reason are asked again if `retry`.
    """
    here = [question for question in questions if question.path is not None][:limit]
    videos = list(dict.fromkeys(question.video for question in questions))  # the same parts on every machine
    mine = set(videos[shard.number - 1 :: shard.of])
    wanted = [question for question in here if question.video in mine]
    units = {unit: number for number, unit in enumerate(dict.fromkeys(question.unit for question in wanted))}
    left = [question for question in wanted if question.id not in known or (retry and known[question.id]["reason"])]
    left.sort(key=lambda question: units[question.unit])
    missing = dict.fromkeys(question.video for question in questions if question.path is None)
    return Plan(tuple(left), len(wanted) - len(left), tuple(missing))


def ask_all(
    plan: Plan, asker: Asker, log: Log, on_progress: Callable[[Progress], None] = lambda progress: None
) -> list[dict[str, Any]]:
    """Ask what is left and return the rows; each is on the disk before the next question.

    A video that cannot be read, or a question at which the model fails, is a row with the reason.
    Raises SetupError, StoreError: with these no other question would fare better.
    """
    rows: list[dict[str, Any]] = []
    lost: dict[str, str] = {}
    right = [0, 0]
    for number, question in enumerate(plan.left):
        share = f"{100 * right[0] / right[1]:.1f} % right" if right[1] else ""
        on_progress(Progress("answering", number, len(plan.left), "questions", share))
        row = ask_one(question, asker, log.mark, lost)
        log.add(row)
        rows.append(row)
        if row["right"] is not None and not row["reason"]:
            right = [right[0] + (row["letter"] == row["right"]), right[1] + 1]
    on_progress(Progress("answering", len(plan.left), len(plan.left), "questions"))
    return rows


def ask_one(question: Question, asker: Asker, mark: str, lost: dict[str, str]) -> dict[str, Any]:
    """Return the row of a question; `lost` are the videos that cannot be read, with reasons, and may become more."""
    began_s = time.monotonic()
    watch_s, reply, reason = 0.0, None, lost.get(question.unit, "")
    if not reason:
        try:
            asker.watch(question)
            watch_s = time.monotonic() - began_s
            reply = asker.ask(question)
        except (InputError, AnswerError) as error:
            reason = error.line
            if isinstance(error, VideoRefused | VideoUnreadable):
                lost[question.unit] = reason
    return make_row(question, reply, reason, mark) | {
        "watch_s": round(watch_s, 3),
        "seconds": round(time.monotonic() - began_s - watch_s, 3),
    }


def make_row(question: Question, reply: Reply | None, reason: str, mark: str) -> dict[str, Any]:
    """Return the row of a reply, or of why there is none; options are numbers from 0."""
    given = reply or Reply("")
    letter = parse_choice(given.text, question.options, lettered=given.lettered)
    likeliest = max(range(len(given.likelihoods)), key=lambda i: given.likelihoods[i]) if given.likelihoods else None
    return {
        "id": question.id,
        "settings": mark,
        "video": question.video,
        "right": question.answer,
        "letter": fallback(len(question.options)) if letter is None and reply is not None else letter,
        "fallback": letter is None and reply is not None,
        "likeliest": likeliest,
        "likelihoods": [round(share, 4) for share in given.likelihoods],
        "answer": given.text,
        "visual_tokens": given.visual_tokens,
        "llm_tokens": given.llm_tokens,
        "frames": given.frames,
        "note": given.note,
        "reason": reason,
    }


def lost_videos(rows: Collection[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return each video of which questions failed, with the reason of the first and how many there are."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["reason"]:
            known = found.setdefault(row["video"], {"video": row["video"], "reason": row["reason"], "questions": 0})
            known["questions"] += 1
    return found
