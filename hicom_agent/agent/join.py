"""One answer from the answers of several videos: what is known, which video knows it, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from hicom_agent.types import Answer, Coverage, Reason, Spend, Step, clean_text

NAMED = 5  # videos in one answer
CLOSEST = 3  # videos whose closest moments are named where none answers
NOTHING = "There is no video to ask."
NO_TIME = "I did not come to any video before the budget ended."
NOT_INDEXED = "Speech, or text on the screen, was left out when these videos were indexed; index them again with it."

Told = tuple[str, Answer]  # title, answer


def join_answers(question: str, answers: Sequence[Told]) -> Answer:
    """Return one answer to a question that was asked of several videos, each with its title.

    Those that answer stand in it, surest first, a line for each with its title, and with their citations. If none
    does, it declines and cites the closest moments. The same answers give the same whole, in whatever order they come.
    """
    ranked = sorted(answers, key=_rank)
    answered = [told for told in ranked if not told[1].abstained]
    reason: Reason = "" if answered else _reason([answer for _, answer in ranked])
    shown = answered[:NAMED] or _closest(ranked, reason)
    sure = [answer.confidence for _, answer in answered or ranked]
    return Answer(
        question=question,
        answer="\n".join(_lines(answered, shown, reason, len(ranked))),
        abstained=not answered,
        confidence=(max if answered else min)(sure, default=0.0),  # one that knows makes declining wrong
        reason=reason,
        citations=[citation for _, answer in shown for citation in answer.citations],
        coverage=_coverage([answer.coverage for _, answer in ranked]),
        spend=_spend([answer.spend for _, answer in ranked]),
        profile=", ".join(sorted({answer.profile for _, answer in ranked})),
        index_version=_version(ranked),
        steps=_steps(ranked),
    )


def cut_short(answer: Answer, num_asked: int, num_videos: int) -> Answer:
    """Return the answer, with a word on the videos that the budget did not suffice for, if there are any."""
    if num_asked == num_videos:
        return answer
    note = f"stopped early: {num_videos - num_asked} of {num_videos} likely videos were not asked"
    spend = answer.spend.model_copy(update={"note": "; ".join(filter(None, (answer.spend.note, note)))})
    changed: dict[str, object] = {"spend": spend}
    if answer.abstained and answer.reason != "contradictory":
        changed |= {"reason": "out of budget", "answer": NO_TIME if not num_asked else answer.answer}
    return answer.model_copy(update=changed)


def _rank(told: Told) -> tuple[bool, float, str, str, str]:
    title, answer = told
    return answer.abstained, -answer.confidence, _video_id(answer), title, answer.answer


def _video_id(answer: Answer) -> str:
    return next((citation.video_id for citation in answer.citations), "")


def _reason(answers: Sequence[Answer]) -> Reason:
    """Return why no video answers: what says most about what to do next, if it holds of all or outweighs the rest."""
    reasons = {answer.reason for answer in answers}
    if reasons <= {"not indexed"}:
        return "not indexed"
    return next((reason for reason in ("contradictory", "out of budget") if reason in reasons), "not seen")


def _closest(ranked: Sequence[Told], reason: Reason) -> list[Told]:
    """Return those whose closest moments come nearest; of a contradiction, only those that contradict themselves."""

    def best(told: Told) -> float:
        return max((citation.score for citation in told[1].citations), default=0.0)

    fitting = [told for told in ranked if told[1].citations and (told[1].reason == reason or reason == "not seen")]
    return sorted(fitting, key=lambda told: -best(told))[:CLOSEST]  # a stable sort: the order before breaks ties


def _lines(answered: Sequence[Told], shown: Sequence[Told], reason: Reason, num_asked: int) -> list[str]:
    if not num_asked:
        return [NOTHING]
    if reason == "not indexed":
        return [NOT_INDEXED]
    if reason in ("", "contradictory"):
        left = len(answered) - len(shown)
        return [*(line for told in shown for line in _told(*told)), *([f"and {left} more videos"] if left > 0 else [])]
    unfinished = ", and the budget ended before I had looked everywhere" if reason == "out of budget" else ""
    videos = "the one video" if num_asked == 1 else f"the {num_asked} videos"
    return [f"I did not find this in {videos} that I asked{unfinished}."]


def _told(title: str, answer: Answer) -> list[str]:
    return [f"{clean_text(title)}: {line}" for line in answer.answer.splitlines() if line.strip()]


def _coverage(each: Sequence[Coverage]) -> Coverage:
    """Return the sums; stretches are left out, for they do not say of which video they are."""
    parts = [part for coverage in each for part in coverage.looked_at]
    tokens = sum(part.tokens for part in parts)
    return Coverage(
        indexed_s=round(sum(coverage.indexed_s for coverage in each), 3),
        total_s=round(sum(coverage.total_s for coverage in each), 3),
        looked_at_s=round(sum(coverage.looked_at_s for coverage in each), 3),
        compression=round(sum(part.patches for part in parts) / tokens, 2) if tokens else 0.0,
        looked_at=[],
    )


def _spend(each: Sequence[Spend]) -> Spend:
    names = [name for name in Spend.model_fields if name != "note"]
    notes = dict.fromkeys(spend.note for spend in each if spend.note)
    sums = {name: round(sum(getattr(spend, name) for spend in each), 3) for name in names}
    return Spend(note="; ".join(notes), **sums)


def _version(ranked: Sequence[Told]) -> str:
    """Return a mark of the versions that were asked, "" if there are none."""
    versions = sorted(f"{title} {answer.profile} {answer.index_version}" for title, answer in ranked)
    return sha256("\n".join(versions).encode("utf-8", "replace")).hexdigest()[:12] if versions else ""


def _steps(ranked: Sequence[Told]) -> list[Step]:
    """Return all steps, counted through, each with the title of its video."""
    titled = [(title, step) for title, answer in ranked for step in answer.steps]
    return [
        step.model_copy(update={"number": number, "why": f"{clean_text(title)} {step.why}".strip()})
        for number, (title, step) in enumerate(titled, 1)
    ]
