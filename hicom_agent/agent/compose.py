"""Evidence put into an answer: by rule where a rule is sure, by the language model where words are needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from hicom_agent.agent.claims import contradiction, judge
from hicom_agent.agent.confidence import How
from hicom_agent.agent.evidence import SEEN_FROM, SURELY_SEEN_FROM, Evidence, Pick, take_place
from hicom_agent.agent.plan import SubQuestion, wants_names
from hicom_agent.agent.reading import READ_FROM
from hicom_agent.agent.rereading import LineReader
from hicom_agent.agent.whole import asks_presence, asks_where, wants_kind
from hicom_agent.llm.excerpt import best_sentence, is_told_otherwise
from hicom_agent.llm.grounding import neutralise, ungrounded
from hicom_agent.llm.spans import answer_spans, has_kind, lacks_answer, unmet
from hicom_agent.prompts import load_prompt
from hicom_agent.types import Modality, Reason, timecode

if TYPE_CHECKING:
    from hicom_agent.llm.text import Draft

MAX_TIMES = 12  # stretches an answer names
MAX_LINES = 6  # pieces of evidence the language model reads
MAX_TOKENS = 48
NEAR_LEAD = 0.15  # how much less sure than the surest a line may be where every occurrence counts
SUREST = 0.9  # share of the best support that a moment needs to be named where one is enough
NAMED_FROM = 0.8  # support from which the names that the encoder has for a picture are an answer
VERB: dict[Modality, str] = {"visual": "seen", "speech": "said", "text": "written"}
NOT_HELD = ("not in the evidence", "not mentioned", "not stated", "does not say", "doesn't say", "no evidence")


class Writer(Protocol):
    """A language model that words a short answer."""

    writes_freely: bool  # False: too small to be trusted with more than the choice among words of the evidence

    def write(self, system: str, user: str, max_tokens: int = ...) -> Draft:
        """Return what the model writes."""

    def choose(self, system: str, user: str, options: Sequence[str]) -> Draft:
        """Return the likeliest of options."""

    def score(self, system: str, user: str, options: Sequence[str]) -> list[float]:
        """Return for each option the mean log-likelihood of its tokens as the answer."""


@dataclass(frozen=True, slots=True)
class Partial:
    """The answer to one sub-question."""

    text: str
    confidence: float
    used: tuple[Evidence, ...]
    reason: Reason = ""
    llm_tokens: int = 0
    how: How = "unseen"  # the way it came about, which says how far its confidence is to be trusted

    @property
    def abstained(self) -> bool:
        """Return whether nothing supports an answer."""
        return bool(self.reason)


def compose(
    sub: SubQuestion, pieces: Sequence[Evidence], writer: Callable[[], Writer] | None, pick: Pick = ""
) -> Partial:
    """Return the answer to one sub-question from its evidence, most surely supported first in `pieces`.

    Without a writer, for want of time, the best piece is quoted as it is.

    What is said or written counts only if it is likely to answer: small models can't tell.
    """
    words = [piece for piece in pieces if piece.modality != "visual"]
    said = [piece for piece in words if piece.support >= READ_FROM][:MAX_LINES]
    believed = [p for p in pieces if p in said or (p.modality == "visual" and p.support >= SEEN_FROM)]
    if not believed:
        return Partial("", 1 - max((piece.support for piece in pieces), default=0.0), tuple(pieces[:3]), "not seen")
    if sub.kind == "open" and said:
        return _words(sub, words[:MAX_LINES], said, writer)
    lead = believed[0] if believed[0].modality == "visual" else said[0]
    same = [piece for piece in (believed if lead.modality == "visual" else said) if piece.modality == lead.modality]
    sure = lead.support >= NAMED_FROM or wants_kind(sub.text)
    if asks_where(sub.text):
        told = _one(same, pick) if _chooses(pick, same) else _times(sub, same)
        return replace(told, text=re.sub("^Probably at", "Probably seen at", re.sub("^At", "Seen at", told.text)))
    if sub.kind == "open" and not (sure and lead.text and wants_names(sub.text)):
        text = f"I cannot tell this from the pictures; what comes closest is seen at {span(lead)}."
        return Partial(text, 1 - lead.support, tuple(pieces[:3]), "not seen")
    if lead.modality != "visual" and sub.kind != "open":
        same = [piece for piece in same if piece.support >= lead.support - NEAR_LEAD]
    if sub.kind in ("when", "count", "how long"):
        return _one(same, pick) if _chooses(pick, same) else _times(sub, same)
    if sub.kind == "whether" and _chooses(pick, same):
        one = _one(same, pick)
        return one if one.abstained else replace(one, text=f"Yes, {one.text[0].lower()}{one.text[1:]}", how="whether")
    if sub.kind == "whether":
        return _yes(same) if lead.modality == "visual" else _told(sub, same)
    return _seen(same)


def _seen(same: list[Evidence]) -> Partial:
    """Return what the surest moment shows, by the names the encoder has for it."""
    lead = same[0]
    return Partial(f"{lead.text} (seen at {span(lead)})", 0.6 * lead.support, (lead,), how="named")


def _chooses(pick: Pick, same: Sequence[Evidence]) -> bool:
    return bool(pick) and (len(same) > 1 or pick not in ("first", "last"))


def _one(same: list[Evidence], pick: Pick) -> Partial:
    """Return the first, second, ... or last of several moments."""
    ordered = sorted(same, key=lambda piece: piece.start_s)
    chosen = take_place(ordered, pick)
    if chosen is None:
        text = f"I found it only {times_word(len(same)).lower()}: {', '.join(span(piece) for piece in ordered)}"
        return Partial(text, 1 - same[0].support, tuple(ordered), "not seen")
    text = f"{_doubt(chosen)}{pick} {VERB[chosen.modality]} at {span(chosen)}".capitalize()
    text += f': "{chosen.text}"' if chosen.modality != "visual" else ""
    return Partial(text, chosen.support, (chosen,), how="times")


def _times(sub: SubQuestion, same: list[Evidence]) -> Partial:
    """Return stretches of time, in order."""
    lead = same[0]
    shown = sorted(same, key=lambda piece: piece.start_s)[:MAX_TIMES]
    spans = ", ".join(span(piece) for piece in shown)
    if sub.kind == "count":
        text = f"{times_word(len(same))}: {spans}"
    elif sub.kind == "how long":
        total_s = sum(piece.end_s - piece.start_s for piece in same)
        text = f"About {total_s:.0f} seconds in all: {spans}"
    else:
        text = f"Probably at {spans}" if _doubt(lead) else f"At {spans}"
    if sub.kind == "when" and lead.modality != "visual" and has_kind(lead.text, sub.text):
        text = f'"{lead.text}" ({VERB[lead.modality]} at {spans})'  # the time that it names may be the one asked for
    elif lead.modality != "visual":
        text += f', where it is {VERB[lead.modality]}: "{lead.text}"'
    return Partial(text, _mean_support(shown), tuple(shown), how="times")


def times_word(count: int) -> str:
    """Return how often, in words."""
    return "Once" if count == 1 else "Twice" if count == 2 else f"{count} times"


def _yes(same: list[Evidence], opening: str = "Yes,") -> Partial:
    surest = [piece for piece in same if piece.support >= SUREST * same[0].support]
    shown = sorted(surest[:MAX_TIMES], key=lambda piece: piece.start_s)
    text = f"{opening} {_doubt(same[0])}{VERB[same[0].modality]} at {', '.join(span(piece) for piece in shown)}"
    if same[0].modality != "visual":
        text += f': "{same[0].text}"'
    return Partial(text, _mean_support(shown), tuple(shown), how="whether")


def _told(sub: SubQuestion, same: list[Evidence]) -> Partial:
    """Return what lines say of a claim: a line that shares words with it need not say that it holds."""
    verdicts = [(judge(sub.about, piece.text), piece) for piece in same]
    holding = [piece for verdict, piece in verdicts if verdict == "holds"]
    if holding:
        return _yes(holding, "Not seen, but" if asks_presence(sub.text) else "Yes,")
    other = next((piece for verdict, piece in verdicts if verdict == "otherwise"), None)
    if other is not None:
        return Partial(f"No, {_quote(other)}", other.support, (other,), how="whether")
    lead = same[0]
    if unmet(sub.about, [lead.text]):
        return Partial("", 1 - lead.support, tuple(same[:3]), "not seen")
    return Partial(f"It is {_quote(lead)}", 0.8 * lead.support, (lead,), how="quoted")


def _doubt(lead: Evidence) -> str:
    """Return a word of doubt where the surest moment is not sure."""
    return "probably " if lead.modality == "visual" and lead.support < SURELY_SEEN_FROM else ""


def _quote(piece: Evidence) -> str:
    return f'{VERB[piece.modality]} at {span(piece)}: "{piece.text}"'


def _words(
    sub: SubQuestion, read: list[Evidence], said: list[Evidence], writer: Callable[[], Writer] | None
) -> Partial:
    """Return a short answer in words that the evidence holds, else the best piece itself."""
    lead, other = said[0], contradiction(sub.text, said)
    if other is not None:
        text = "It is not the same everywhere: " + ", ".join(f'"{p.text}" ({span(p)})' for p in (lead, other))
        return Partial(text, 0.5 * (lead.support + other.support), (lead, other), "contradictory", how="told apart")
    if lacks_answer(lead.text, sub.text):
        return Partial("", 1 - lead.support, tuple(said[:3]), "not seen")
    model = writer() if writer is not None else None
    draft = None
    if model is not None:
        draft = _write(model, sub, read) if model.writes_freely else _choose(model, sub, lead)
    if model is None or draft is None:
        quote = f'It is {VERB[lead.modality]} at {timecode(lead.start_s)}: "{lead.text}"'
        return Partial(quote, 0.8 * lead.support, (lead,), how="quoted")
    used = (lead,) if not model.writes_freely else tuple(said[:3])
    confidence = lead.support * (0.5 + 0.5 * min(1.0, draft.likelihood))
    how: How = "written" if model.writes_freely else "read" if isinstance(model, LineReader) else "chosen"
    return Partial(draft.text, confidence, used, "", draft.num_tokens_in + draft.num_tokens_out, how)


def _write(model: Writer, sub: SubQuestion, read: list[Evidence]) -> Draft | None:
    """Return what a large model writes, unless it declines or uses words that stand nowhere."""
    lines = [
        f"[{timecode(piece.start_s)}] {VERB[piece.modality]}: {neutralise(piece.text)}"
        for piece in sorted(read, key=lambda piece: piece.start_s)
    ]
    user = load_prompt("answer", evidence="\n".join(lines), question=sub.text)
    draft = model.write(load_prompt("answer_system"), user, max_tokens=MAX_TOKENS)
    declined = not draft.text or any(phrase in draft.text.lower() for phrase in NOT_HELD)
    return None if declined or ungrounded(draft.text, lines, sub.text) else draft


def _choose(model: Writer, sub: SubQuestion, lead: Evidence) -> Draft | None:
    """Return the stretch of the best line that a small model finds the likeliest answer; None if there is none."""
    if isinstance(model, LineReader):
        found = model.extract(sub.text, lead.text)
        if found is not None and not ungrounded(found.text, [lead.text]):
            return found
    line = best_sentence(lead.text, sub.text)
    spans = answer_spans(line, sub.text)
    if not spans or is_told_otherwise(lead.text, line, sub.text):
        return None
    return model.choose(load_prompt("short"), load_prompt("line", line=line, question=sub.text), spans)


def span(piece: Evidence) -> str:
    """Return the times of a piece as a person reads them."""
    start, end = timecode(piece.start_s), timecode(piece.end_s)
    return start if start == end else f"{start}-{end}"


def _mean_support(pieces: Sequence[Evidence]) -> float:
    return sum(piece.support for piece in pieces) / len(pieces)
