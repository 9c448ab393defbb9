"""Evidence put into an answer: by rule where a rule is sure, by the language model where words are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hicom_agent.agent.evidence import SUPPORT_FROM, Evidence
from hicom_agent.agent.plan import SubQuestion
from hicom_agent.llm.grounding import ungrounded
from hicom_agent.prompts import load_prompt
from hicom_agent.types import Modality, Reason, timecode

if TYPE_CHECKING:
    from hicom_agent.llm.text import Draft

MAX_TIMES = 12  # stretches an answer names
MAX_LINES = 6  # pieces of evidence the language model reads
MAX_TOKENS = 48
VERB: dict[Modality, str] = {"visual": "seen", "speech": "said", "text": "written"}
NOT_HELD = ("not in the evidence", "not mentioned", "not stated", "does not say", "doesn't say", "no evidence")


class Writer(Protocol):
    """A language model that words a short answer."""

    def write(self, system: str, user: str, max_tokens: int = ...) -> Draft:
        """Return what the model writes."""


@dataclass(frozen=True, slots=True)
class Partial:
    """The answer to one sub-question."""

    text: str
    confidence: float
    used: tuple[Evidence, ...]
    reason: Reason = ""
    llm_tokens: int = 0

    @property
    def abstained(self) -> bool:
        """Return whether nothing supports an answer."""
        return bool(self.reason)


def compose(sub: SubQuestion, pieces: Sequence[Evidence], writer: Callable[[], Writer]) -> Partial:
    """Return the answer to one sub-question from its evidence, most surely supported first in `pieces`."""
    believed = [piece for piece in pieces if piece.support >= SUPPORT_FROM]
    if not believed:
        return Partial("", 1 - max((piece.support for piece in pieces), default=0.0), tuple(pieces[:3]), "not seen")
    lead = believed[0]
    same = [piece for piece in believed if piece.modality == lead.modality]
    if sub.kind in ("when", "count", "how long"):
        return _times(sub, same)
    if sub.kind == "whether":
        return _yes(same)
    return _words(sub, pieces, believed, writer)


def _times(sub: SubQuestion, same: list[Evidence]) -> Partial:
    """Return stretches of time, in order; of what is said or written only the ones nearly as sure as the surest."""
    lead = same[0]
    if lead.modality != "visual":
        same = [piece for piece in same if piece.support >= lead.support - 0.15][:MAX_TIMES]
    shown = sorted(same, key=lambda piece: piece.start_s)[:MAX_TIMES]
    spans = ", ".join(span(piece) for piece in shown)
    if sub.kind == "count":
        text = f"{_times_word(len(same))}: {spans}"
    elif sub.kind == "how long":
        total_s = sum(piece.end_s - piece.start_s for piece in same)
        text = f"About {total_s:.0f} seconds in all: {spans}"
    else:
        text = f"At {spans}"
    if lead.modality != "visual":
        text += f', where it is {VERB[lead.modality]}: "{lead.text}"'
    return Partial(text, _mean_support(shown), tuple(shown))


def _times_word(count: int) -> str:
    return "Once" if count == 1 else "Twice" if count == 2 else f"{count} times"


def _yes(same: list[Evidence]) -> Partial:
    shown = sorted(same[:MAX_TIMES], key=lambda piece: piece.start_s)
    text = f"Yes, {VERB[same[0].modality]} at {', '.join(span(piece) for piece in shown)}"
    if same[0].modality != "visual":
        text += f': "{same[0].text}"'
    return Partial(text, _mean_support(shown), tuple(shown))


def _words(
    sub: SubQuestion, pieces: Sequence[Evidence], believed: list[Evidence], writer: Callable[[], Writer]
) -> Partial:
    """Return the model's short answer if the evidence holds every content word of it, else the best piece itself."""
    read = sorted(pieces[:MAX_LINES], key=lambda piece: piece.start_s)
    lines = [f"[{timecode(piece.start_s)}] {VERB[piece.modality]}: {piece.text}" for piece in read]
    system = load_prompt("answer_system")
    user = load_prompt("answer", evidence="\n".join(lines), question=sub.text)
    draft = writer().write(system, user, max_tokens=MAX_TOKENS)
    tokens = draft.num_tokens_in + draft.num_tokens_out
    lead = believed[0]
    said_no = any(phrase in draft.text.lower() for phrase in NOT_HELD)
    if draft.text and not said_no and not ungrounded(draft.text, lines, sub.text):
        confidence = lead.support * (0.5 + 0.5 * min(1.0, draft.likelihood))
        return Partial(draft.text, confidence, tuple(believed[:3]), llm_tokens=tokens)
    quote = f'It is {VERB[lead.modality]} at {timecode(lead.start_s)}: "{lead.text}"'
    if lead.modality == "visual":
        quote = f"Seen at {span(lead)}: {lead.text}"
    return Partial(quote, 0.7 * lead.support, (lead,), llm_tokens=tokens)


def span(piece: Evidence) -> str:
    """Return the times of a piece as a person reads them."""
    start, end = timecode(piece.start_s), timecode(piece.end_s)
    return start if start == end else f"{start}-{end}"


def _mean_support(pieces: Sequence[Evidence]) -> float:
    return sum(piece.support for piece in pieces) / len(pieces)
