"""Operators over moments: the first, the last, whatever is next, which of two comes first. On times, in code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hicom_agent.agent.compose import VERB, Partial, span, times_word
from hicom_agent.agent.evidence import Evidence, Pick, take_place
from hicom_agent.agent.plan import Kind
from hicom_agent.agent.temporal import Task
from hicom_agent.types import Modality, clean_text, shorten

MAX_LISTED = 6  # lines that an answer quotes
MAX_SPANS = 12  # stretches that an answer names
NUM_OBSERVED = 4  # moments named in the observation of a step
LINE_CHARS = 120  # of what is said that is quoted where one piece of it is asked for
BREATH_S = 2.5  # a silence that ends what is said in one go
QUOTE_CHARS = 240  # of one line in a list
WIDEN_FROM = 0.7  # support that words need when the wording asked for the picture
SAME_S = 0.5  # moments nearer to each other begin together


def list_words(pieces: Sequence[Evidence], pick: Pick, sources: Sequence[Modality]) -> Partial:
    """Return what is said or written, in time order as `pieces` are; or only the first, second, ... or last of it."""
    if not pieces:
        return nothing_told(sources)
    shown = list(pieces[:MAX_LISTED])
    if pick:
        units = _units(pieces)
        chosen = take_place(units, pick)
        if chosen is None:
            return _too_few(len(units), shown)
        shown = chosen if chosen[0].modality == "text" else _together(pieces, chosen[0])
    more = f" and {len(pieces) - len(shown)} more" if not pick and len(pieces) > len(shown) else ""
    return Partial(quote_each(shown) + more, min(piece.support for piece in shown), tuple(shown), how="listed")


def quote_each(pieces: Sequence[Evidence]) -> str:
    """Return lines as an answer quotes them, each with where it stands."""
    return "; ".join(f'"{shorten(p.text, QUOTE_CHARS)}" ({VERB[p.modality]} at {span(p)})' for p in pieces)


def nothing_told(sources: Sequence[Modality]) -> Partial:
    """Return that nothing is said, or written, where such was asked for."""
    verbs = [VERB[source] for source in sources if source != "visual"]
    text = f"I found nothing that is {' or '.join(verbs)} there." if len(verbs) == len(sources) else ""
    return Partial(text, 0.6, (), "not seen", how="listed")


def list_times(kind: Kind, pieces: Sequence[Evidence], pick: Pick, sources: Sequence[Modality]) -> Partial:
    """Return when anything is said or written at all, or that it is; or only the first, second, ... or last time."""
    if not pieces:
        return nothing_told(sources)
    runs: list[tuple[Evidence, float]] = []  # the first piece of each, and how long they go on
    for piece in pieces:
        if runs and piece.start_s - runs[-1][1] <= BREATH_S:
            runs[-1] = (runs[-1][0], max(runs[-1][1], piece.end_s))
        else:
            runs.append((piece, piece.end_s))
    if pick:
        chosen = take_place(runs, pick)
        if chosen is None:
            return _too_few(len(runs), pieces)
        runs = [chosen]
    told = ", ".join(span(replace(first, end_s=end_s)) for first, end_s in runs[:MAX_SPANS])
    told += f" and {len(runs) - MAX_SPANS} more" if len(runs) > MAX_SPANS else ""
    total_s = sum(end_s - first.start_s for first, end_s in runs)
    verbs = " and ".join(dict.fromkeys(VERB[piece.modality] for piece in pieces))
    texts = {
        "whether": f"Yes, something is {verbs} at {told}",
        "how long": f"About {total_s:.0f} seconds in all: {told}",
        "count": f"{times_word(len(runs))}: {told}",
    }
    used = tuple(first for first, _ in runs[:MAX_SPANS])
    return Partial(texts.get(kind, f"Something is {verbs} at {told}"), 1.0, used, how="listed")


def _units(pieces: Sequence[Evidence]) -> list[list[Evidence]]:
    """Return pieces by what is one: all that comes on the screen together, such as the lines of a card; each saying."""
    units: list[list[Evidence]] = []
    card: list[Evidence] = []
    for piece in pieces:
        if piece.modality == "text" and card and piece.start_s - card[-1].start_s <= SAME_S:
            card.append(piece)
            continue
        units.append([piece])
        card = units[-1] if piece.modality == "text" else card
    return units


def _too_few(num: int, pieces: Sequence[Evidence]) -> Partial:
    """Return that there are fewer than the question counts."""
    told = f"I found only {num} such {'thing' if num == 1 else 'things'}: {quote_each(pieces[:MAX_LISTED])}"
    return Partial(told, 0.6, tuple(pieces[:MAX_LISTED]), "not seen", how="listed")


def _together(pieces: Sequence[Evidence], one: Evidence) -> list[Evidence]:
    """Return what is said in one go from a piece on."""
    said, num_chars = [one], len(one.text)
    for piece in (p for p in pieces if p.modality == "speech" and p.start_s > one.start_s):
        num_chars += len(piece.text)
        if num_chars > LINE_CHARS or piece.start_s - said[-1].end_s > BREATH_S:
            break
        said.append(piece)
    return said


def name_mention(partial: Partial, words: Sequence[Evidence], sources: Sequence[Modality]) -> Partial:
    """Return a refusal of what was to be seen with the line that speaks of it, if one surely does."""
    other = [piece for piece in words if piece.modality not in sources and piece.support >= WIDEN_FROM]
    if not partial.abstained or partial.text or "visual" not in sources or not other:
        return partial
    best = max(other, key=lambda piece: piece.support)
    text = f'I did not see it, but it is {VERB[best.modality]} at {span(best)}: "{shorten(best.text, LINE_CHARS)}"'
    return replace(partial, text=text, used=(best, *partial.used[:2]))


def order(task: Task, found: Sequence[Partial]) -> Partial:
    """Return which of the rivals of a task comes first, or whether its claim holds; each by its first moment."""
    assert task.rivals is not None
    missing = [name for name, partial in zip(task.rivals, found, strict=True) if partial.abstained]
    used = tuple(partial.used[0] for partial in found if partial.used)
    confidence = min(partial.confidence for partial in found)
    if missing:
        lost = next(partial for partial in found if partial.abstained)
        text = f"I did not find {missing[0]} in the video." if lost.reason == "not seen" else ""
        return Partial(text, lost.confidence, used, lost.reason, how="order")
    one, other = (min(partial.used, key=lambda piece: piece.start_s) for partial in found)
    tokens = sum(partial.llm_tokens for partial in found)
    both = sorted(zip((one, other), task.rivals, strict=True), key=lambda each: each[0].start_s)
    told = [f"{name} at {span(piece)}" for piece, name in both]
    if abs(one.start_s - other.start_s) < SAME_S:
        return Partial(f"At the same time: {', '.join(told)}", confidence, (one, other), "", tokens, "order")
    if task.claim == "either":
        where = "Before" if one.start_s < other.start_s else "After"
        return Partial(f"{where}: {', '.join(told)}", confidence, (one, other), "", tokens, "order")
    if task.claim is not None:
        holds = (one.start_s < other.start_s) == (task.claim == "before")
        return Partial(f"{'Yes' if holds else 'No'}: {', '.join(told)}", confidence, (one, other), "", tokens, "order")
    ahead = (one.start_s < other.start_s) == (task.pick == "first")
    name = task.rivals[0 if ahead else 1]
    return Partial(f"{name} comes {task.pick}: {', '.join(told)}", confidence, (one, other), "", tokens, "order")


def observe(partial: Partial) -> str:
    """Return what a step found, in words."""
    if partial.abstained:
        near = ", ".join(span(piece) for piece in partial.used[:NUM_OBSERVED])
        told = partial.text or ("nothing found" if partial.reason == "not seen" else partial.reason)
        return f"{told}; the closest moments: {near}" if near else told
    return clean_text(partial.text)
