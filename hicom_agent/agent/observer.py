"""One step: what the memory holds of one sub-question, from what is said, written and seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hicom_agent.agent.claims import without_values
from hicom_agent.agent.compose import Partial, Writer, compose
from hicom_agent.agent.evidence import (
    ALWAYS,
    KINDS,
    MODALITY,
    SURELY_SEEN_FROM,
    Asked,
    Evidence,
    Pick,
    Window,
    find_words,
    overlaps,
    read_words,
    take_best,
)
from hicom_agent.agent.facts import asks_fact, find_fact
from hicom_agent.agent.film import Encoder, Film
from hicom_agent.agent.meter import Meter
from hicom_agent.agent.operators import WIDEN_FROM, list_times, list_words, name_mention
from hicom_agent.agent.outline import is_worth_quoting, outline, show_clips, spread_clips
from hicom_agent.agent.plan import SubQuestion, names_nothing, understand
from hicom_agent.agent.readers import Readers
from hicom_agent.agent.rereading import LineReader, reread, reread_mentions, reread_times
from hicom_agent.agent.sight import CLIPS_FOR_ALL, Sight, look, num_clips
from hicom_agent.agent.speaker import asks_speaker, name_speaker
from hicom_agent.agent.temporal import asks_of_film
from hicom_agent.agent.topic import asks_topic, quote_lines
from hicom_agent.agent.view import view
from hicom_agent.agent.whole import asks_for_any, asks_to_find, is_thing_alone
from hicom_agent.llm.grounding import content_words
from hicom_agent.llm.spans import is_particular

if TYPE_CHECKING:
    from hicom_agent.memory import Store

WORDS = 12  # utterances or texts looked at per question
WORDS_IN_WINDOW = 200  # where every occurrence counts, or before those outside of a window are left out
FILTER = 0.25  # pieces below this are not shown to the language model


@dataclass(frozen=True, slots=True)
class Wish:
    """One sub-question, and which of its moments count."""

    sub: SubQuestion
    window: Window = ALWAYS
    pick: Pick = ""
    why: str = ""
    wide: bool = False  # look at more clips
    mention: bool = False  # it is enough that words are about it

    @property
    def is_factual(self) -> bool:
        """Return whether words must hold the answer, and not only be about it."""
        sub = self.sub
        if sub.kind != "when":
            return sub.kind == "open"
        plain = self.window == ALWAYS and not self.pick and not self.mention
        return plain and sub.sources != ("speech",) and not asks_of_film(sub.text) and not asks_to_find(sub.text)


class Observer:
    """Answers one wish at a time about one film, and meters what that takes."""

    def __init__(self, store: Store, encoder: Encoder, film: Film, meter: Meter, readers: Readers) -> None:
        self._store, self._encoder, self.film, self.meter = store, encoder, film, meter
        self._readers = readers
        self.num_more = 0  # likely clips that the last wish did not look at

    def answer(self, wish: Wish) -> Partial:
        """Return what is known of a wish."""
        sub = wish.sub
        self.num_more = 0
        if asks_fact(sub.text) and wish.window == ALWAYS:
            return find_fact(sub.text, self.film)
        if asks_speaker(sub.text):
            named = name_speaker(self._all_words(replace(sub, sources=("speech",)), wish.window))
            if named is not None:
                return named
        if (topic := asks_topic(sub.text)) and sub.sources != ("visual",):
            mentioned = replace(wish, sub=understand(f"When is {topic} mentioned"), pick="", mention=True)
            return quote_lines(self._words(mentioned), sub.sources)
        told = "visual" not in sub.sources
        any_line = told and sub.kind in ("when", "count", "how long") and not content_words(sub.about)
        if asks_for_any(sub.text) or any_line:
            return list_times(sub.kind, self._all_words(sub, wish.window), wish.pick, sub.sources)
        if sub.kind == "outline":
            return self._outline(wish)
        if names_nothing(sub) and (told or (len(sub.sources) > 1 and (wish.pick or wish.window != ALWAYS))):
            listed = list_words(self._all_words(sub, wish.window), wish.pick, sub.sources)
            if told or not listed.abstained:
                return listed
        if sub.kind == "how long" and {"speech", "visual"} <= set(sub.sources):
            length = self._from_words(replace(wish, sub=replace(sub, kind="open")))
            return self._from_all(wish, []) if length.abstained else length
        return self._from_all(wish, self._words(wish))

    def _from_words(self, wish: Wish) -> Partial:
        """Return what is told, and not how long or when it is seen."""
        words = self._words(wish)
        with self._reading():
            partial = compose(wish.sub, _choose(wish.sub, words, Sight()), self._writer_in_time(), wish.pick)
        self.meter.llm_tokens += partial.llm_tokens
        return partial

    def _from_all(self, wish: Wish, words: list[Evidence]) -> Partial:
        sub, meter, viewer = wish.sub, self.meter, self._readers.viewer
        sight = self._look(wish)
        with self._reading():
            partial = compose(sub, _choose(sub, words, sight), self._writer_in_time(), wish.pick)
            if viewer is not None and sight.looked_at and _is_visual(sub, partial) and not meter.budget.is_over:
                partial, seen = view(sub, sight, self.film, self._store, self._encoder, viewer())
                meter.add_view(seen)
        meter.llm_tokens += partial.llm_tokens
        partial = name_mention(partial, words, sub.sources)
        if self._readers.rereads and wish.is_factual and partial.how == "unseen" and words and not meter.budget.is_over:
            partial = replace(partial, how="read in vain")
        return partial if viewer is not None else self._admit(sub, partial)

    def _admit(self, sub: SubQuestion, partial: Partial) -> Partial:
        """Return an answer from pictures as it is, or that they do not tell all that the question asks to be true."""
        by_sight = not partial.abstained and all(piece.modality == "visual" for piece in partial.used)
        if not by_sight or sub.kind != "whether":
            return partial
        unread = [word for word in self._encoder.unread(sub.text) if content_words(word) and is_particular(word)]
        if not unread:
            return partial
        text = f'It is seen, but not whether "{" ".join(unread)}".'
        return replace(partial, text=text, confidence=0.5, reason="not seen", how="unseen")

    def _outline(self, wish: Wish) -> Partial:
        """Return what the film holds in a window: as a model that sees tells it of clips all over it, or as a list."""
        sub, film, meter = wish.sub, self.film, self.meter
        if self._readers.viewer is not None and "visual" in sub.sources and film.frames and not meter.budget.is_over:
            near = spread_clips(film, wish.window, wish.pick)
            sight = self._look(wish, replace(film, near=near), len(near))
            if sight.looked_at:
                with self._reading():
                    partial, seen = view(sub, sight, film, self._store, self._encoder, self._readers.viewer())
                meter.add_view(seen)
                meter.llm_tokens += partial.llm_tokens
                if not partial.abstained:
                    clips = [each.clip for each in sight.looked_at]
                    return replace(partial, used=show_clips(film, clips, partial.confidence))
        began_s = time.monotonic()
        told = outline(self._store, self._encoder, film, wish.window, sub.sources, wish.pick)
        meter.retrieval_s += time.monotonic() - began_s
        return told

    def _writer_in_time(self) -> Callable[[], Writer] | None:
        return None if self.meter.budget.is_over else self._readers.writer

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Meter the time of a language model."""
        began_s = time.monotonic()
        yield
        self.meter.llm_s += time.monotonic() - began_s

    def _all_words(self, sub: SubQuestion, window: Window) -> list[Evidence]:
        wanted = [kind for kind in KINDS if MODALITY[kind] in sub.sources] or KINDS
        found = [piece for kind in wanted for piece in read_words(self._store, kind, self.film.video_id, window)]
        kept = [piece for piece in found if is_worth_quoting(piece)] or found  # a recogniser reads signs into textures
        return sorted(kept, key=lambda piece: (piece.start_s, piece.end_s))

    def _words(self, wish: Wish) -> list[Evidence]:
        """Return what was said and written in the window that bears on a wish, read again where a model can."""
        sub = wish.sub
        found = self._find(wish, topical=sub.kind != "open")
        if sub.kind not in ("open", "when"):
            return found if sub.kind == "whether" else take_best(found)
        model = self._readers.writer() if self._readers.rereads and not self.meter.budget.is_over else None
        if not isinstance(model, LineReader):
            return found if wish.is_factual else take_best(found)
        facts = self._find(wish, topical=False) if sub.kind == "when" and wish.is_factual else []
        with self._reading():
            if sub.kind == "open":
                return reread(sub, found, model)
            return reread_times(sub, found, facts, model) if wish.is_factual else reread_mentions(sub, found, model)

    def _find(self, wish: Wish, *, topical: bool) -> list[Evidence]:
        began_s, sub = time.monotonic(), wish.sub
        plain = without_values if sub.kind == "whether" else str
        text, about = plain(sub.text), plain(sub.thing if topical and sub.kind != "whether" else sub.about)
        encode = self._encoder.encode_texts
        rank = self._readers.rank if sub.kind != "whether" else None  # what a line says of a claim is judged elsewhere
        asked = Asked(text, encode([sub.text])[0], about, topical=topical, encode=encode, rank=rank)
        few, videos = wish.window == ALWAYS and sub.kind in ("open", "whether"), [self.film.video_id]
        limit = WORDS if few else WORDS_IN_WINDOW
        found = [piece for kind in KINDS for piece in find_words(self._store, kind, asked, videos, limit)]
        found = [piece for piece in found if overlaps(piece.start_s, piece.end_s, wish.window)]
        self.meter.retrieval_s += time.monotonic() - began_s
        return found

    def _look(self, wish: Wish, film: Film | None = None, limit: int = 0) -> Sight:
        """Return what looking comes to; at `limit` clips, else at as many as such a wish wants."""
        sub, film, meter = wish.sub, film or self.film, self.meter
        if not film.frames or "visual" not in sub.sources:
            return Sight()
        began_s = time.monotonic()
        limit = limit or (CLIPS_FOR_ALL if wish.wide else num_clips(sub.kind))
        sight = look(self._store, self._encoder, film, sub.text, limit, meter.left, wish.window)
        meter.add_sight(sight.compressed, sight.recalled, counts=self._readers.viewer is None)
        if sight.num_left:
            found = sight.num_left + len(sight.looked_at)
            meter.cut_short(f"{sight.num_left} of {found} likely clips were not looked at")
        self.num_more = 0 if wish.wide or limit == CLIPS_FOR_ALL or sub.kind == "outline" else sight.num_more
        meter.compression_s += time.monotonic() - began_s
        return sight


def _is_visual(sub: SubQuestion, partial: Partial) -> bool:
    """Return whether a model that sees may know better: times come from the index, and words answer for themselves."""
    told = not partial.abstained and any(piece.modality != "visual" for piece in partial.used)
    return sub.kind in ("open", "whether") and "visual" in sub.sources and not told


def _choose(sub: SubQuestion, words: list[Evidence], sight: Sight) -> list[Evidence]:
    """Return the pieces an answer may rest on, surest first; words widen a question about the picture if very sure."""
    best = sight.evidence[0].support if sight.evidence else 0.0
    alone = is_thing_alone(sub.text) and best >= SURELY_SEEN_FROM
    seen = bool(best and sub.sources[0] == "visual") or alone  # then words that stand there too are beside the point
    counted = sub.kind == "count" and "visual" in sub.sources  # what is seen, unless the wording says that it is told
    fitting = [] if seen or counted else [piece for piece in words if piece.modality in sub.sources]
    if "visual" in sub.sources and not sight.evidence and sub.kind in ("open", "whether"):
        fitting += [piece for piece in words if piece.modality not in sub.sources and piece.support >= WIDEN_FROM]
    pieces = fitting + (sight.evidence or sight.closest[:3])
    return (
        sorted((piece for piece in pieces if piece.support >= FILTER), key=lambda p: (-p.support, p.start_s))
        or sorted(pieces, key=lambda p: -p.support)[:3]
    )
