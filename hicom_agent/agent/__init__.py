"""Answers from memory: three routes to candidates, clips compressed under the question, evidence, citations."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hicom_agent.agent.compose import Partial, Writer, compose
from hicom_agent.agent.evidence import Evidence, find_words
from hicom_agent.agent.meter import Budget, Meter
from hicom_agent.agent.plan import SubQuestion, split_question, understand
from hicom_agent.agent.sight import Encoder, Film, Sight, look
from hicom_agent.agent.view import Viewer, view
from hicom_agent.errors import InputError
from hicom_agent.types import Answer, Citation, Clip, Coverage, Hit, timecode

if TYPE_CHECKING:
    from hicom_agent.memory import Store, VideoRow

__all__ = ["Agent", "Budget", "Viewer", "Writer"]

WORDS = 12  # utterances or texts looked at per question
CLIPS = 8  # clips compressed per question
CLIPS_FOR_ALL = 32  # where every occurrence counts: when, how often, how long
WIDEN_FROM = 0.7  # support that words need when the wording asked for the picture
FILTER = 0.25  # pieces below this are not shown to the language model


class Agent:
    """Answers questions about the videos of one store."""

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        writer: Callable[[], Writer],
        viewer: Callable[[], Viewer] | None = None,
    ) -> None:
        """`viewer` is a language model that sees, if the profile has one."""
        self.store = store
        self.encoder = encoder
        self.writer = writer
        self.viewer = viewer

    def ask(self, video_id: str, question: str, budget: Budget | None = None) -> Answer:
        """Return the answer, with citations that lie in the video, or an abstention with the closest moments.

        Where the budget ends, the answer rests on what was found by then, and `spend.note` says what is missing.

        Raises UnknownVideo, StoreError, AnswerError.
        """
        began_s = time.monotonic()
        row = self._row(video_id)
        film = Film(video_id, self.store.clips(video_id), self.store.frames(video_id))
        meter = Meter(budget or Budget())
        subs = [understand(part) for part in split_question(question)]
        partials = [self._answer(sub, film, meter) for sub in subs]
        meter.seconds = time.monotonic() - began_s
        return self._join(question, subs, partials, row, meter)

    def search(self, query: str, video_ids: Sequence[str], limit: int) -> list[Hit]:
        """Return the moments of these videos that answer best to `query`, seen, said or written, best first."""
        found: list[Evidence] = []
        vector = self.encoder.encode_texts([query])[0]
        for kind in ("speech", "texts"):
            found += find_words(self.store, kind, query, vector, video_ids, limit)
        seen = {row.video_id for row in self.store.videos() if row.profile == self.encoder.version}
        for video_id in video_ids:
            film = Film(video_id, self.store.clips(video_id), self.store.frames(video_id))
            if film.frames and video_id in seen:  # pictures of another profile do not compare
                sight = look(self.store, self.encoder, film, query, CLIPS)
                found += sight.evidence or sight.closest[:1]
        found.sort(key=lambda piece: (-piece.support, piece.video_id, piece.start_s))
        return [_hit(piece) for piece in found if piece.support >= FILTER][:limit]

    def describe_clips(self, video_id: str) -> list[tuple[Clip, str]]:
        """Return every clip with the names of what its middle frame shows."""
        film = Film(video_id, self.store.clips(video_id), self.store.frames(video_id))
        middles = {clip.index: i[len(i) // 2] for clip in film.clips if (i := film.indices_in(clip))}
        if not middles or self.store.video(video_id).profile != self.encoder.version:
            return [(clip, "") for clip in film.clips]
        names = self.encoder.describe(self.store.features(video_id, list(middles.values())), 3)
        words = {index: ", ".join(name) for index, name in zip(middles, names, strict=True)}
        return [(clip, words.get(clip.index, "")) for clip in film.clips]

    # ------------------------------------------------------------------ one sub-question

    def _answer(self, sub: SubQuestion, film: Film, meter: Meter) -> Partial:
        began_s = time.monotonic()
        words = self._words(sub, film.video_id)
        meter.retrieval_s += time.monotonic() - began_s
        began_s = time.monotonic()
        sight = self._look(sub, film, meter)
        meter.compression_s += time.monotonic() - began_s
        meter.compressed += [clip.clip for clip in sight.compressed]
        if self.viewer is None:
            meter.visual_tokens += sum(len(clip.tokens) for clip in sight.compressed)
        pieces = _choose(sub, words, sight)
        began_s = time.monotonic()
        over = meter.budget.is_over
        partial = compose(sub, pieces, None if over else self.writer)
        if not over and self.viewer is not None and sight.compressed and _is_visual(sub, partial):
            partial, seen = view(sub, sight, film, self.store, self.encoder, self.viewer())
            meter.add_view(seen)
        meter.llm_s += time.monotonic() - began_s
        meter.llm_tokens += partial.llm_tokens
        return partial

    def _row(self, video_id: str) -> VideoRow:
        row = self.store.video(video_id)
        if row.profile != self.encoder.version:
            raise InputError(
                f"{row.title} was indexed with {row.profile}, and questions are read with {self.encoder.version}: "
                f"their vectors do not compare; use the other --profile, or run: hicom-agent index {row.path} --again"
            )
        return row

    def _words(self, sub: SubQuestion, video_id: str) -> list[Evidence]:
        vector = self.encoder.encode_texts([sub.text])[0]
        said = find_words(self.store, "speech", sub.text, vector, [video_id], WORDS, sub.about)
        written = find_words(self.store, "texts", sub.text, vector, [video_id], WORDS, sub.about)
        return said + written

    def _look(self, sub: SubQuestion, film: Film, meter: Meter) -> Sight:
        if not film.frames or "visual" not in sub.sources:
            return Sight()
        limit = CLIPS_FOR_ALL if sub.kind in ("when", "count", "how long", "whether") else CLIPS
        sight = look(self.store, self.encoder, film, sub.text, limit, meter.budget)
        if sight.num_left:
            meter.cut_short(
                f"{sight.num_left} of {sight.num_left + len(sight.compressed)} likely clips were not looked at"
            )
        return sight

    # ------------------------------------------------------------------ the whole answer

    def _join(
        self, question: str, subs: list[SubQuestion], partials: list[Partial], row: VideoRow, meter: Meter
    ) -> Answer:
        answered = [partial for partial in partials if not partial.abstained]
        text = _text(subs, partials)
        used = [piece for partial in (answered or partials) for piece in partial.used]
        known = self._reason(subs, row, meter) if not answered else ""
        confidence = min((partial.confidence for partial in (answered or partials)), default=0.0)
        return Answer(
            question=question,
            answer=text,
            abstained=not answered,
            confidence=round(max(0.0, min(1.0, confidence)), 3),
            reason=known,  # type: ignore[arg-type]
            citations=_citations(used, row.duration_s),
            coverage=Coverage(indexed_s=row.covered_s, total_s=row.duration_s, looked_at_s=meter.looked_at_s),
            spend=meter.spend(),
            profile=row.profile,
            index_version=row.version,
        )

    @staticmethod
    def _reason(subs: list[SubQuestion], row: VideoRow, meter: Meter) -> str:
        """Return why nothing was found: a question about speech cannot be answered where nobody listened."""
        words = set(row.settings_key.split())
        needed = {"speech": "speech", "text": "ocr"}
        missing = all(len(sub.sources) == 1 and needed.get(sub.sources[0], "") not in {"", *words} for sub in subs)
        return "not indexed" if missing else "out of budget" if meter.is_cut_short else "not seen"


def _is_visual(sub: SubQuestion, partial: Partial) -> bool:
    """Return whether a model that sees may know better: times come from the index, and words answer for themselves."""
    told = not partial.abstained and any(piece.modality != "visual" for piece in partial.used)
    return sub.kind in ("open", "whether") and "visual" in sub.sources and not told


def _choose(sub: SubQuestion, words: list[Evidence], sight: Sight) -> list[Evidence]:
    """Return the pieces an answer may rest on, surest first; words widen a question about the picture if very sure."""
    fitting = [piece for piece in words if piece.modality in sub.sources]
    if "visual" in sub.sources and not sight.evidence:
        fitting += [piece for piece in words if piece.modality not in sub.sources and piece.support >= WIDEN_FROM]
    pieces = fitting + (sight.evidence or sight.closest[:3])
    return (
        sorted((piece for piece in pieces if piece.support >= FILTER), key=lambda p: (-p.support, p.start_s))
        or sorted(pieces, key=lambda p: -p.support)[:3]
    )


def _text(subs: list[SubQuestion], partials: list[Partial]) -> str:
    if len(partials) == 1:
        return partials[0].text or "I did not find this in the video."
    lines = [
        f"{sub.text.rstrip('?')}: {partial.text or 'I did not find this in the video.'}"
        for sub, partial in zip(subs, partials, strict=True)
    ]
    return "\n".join(lines)


def _citations(pieces: Sequence[Evidence], duration_s: float) -> list[Citation]:
    """Return the pieces as citations, each once; their times come from the index and lie in the video."""
    seen: dict[tuple[str, float, float], Citation] = {}
    for piece in pieces:
        start_s = min(max(0.0, piece.start_s), duration_s)
        end_s = min(max(start_s, piece.end_s), duration_s)
        seen[(piece.modality, start_s, end_s)] = Citation(
            video_id=piece.video_id,
            start_s=round(start_s, 3),
            end_s=round(end_s, 3),
            timecode=timecode(start_s),
            score=round(piece.support, 3),
            modality=piece.modality,
            quote=piece.text if piece.modality != "visual" else "",
            frame_id=f"{piece.video_id}:{piece.index}" if piece.modality == "visual" else "",
        )
    return list(seen.values())


def _hit(piece: Evidence) -> Hit:
    return Hit(
        piece.video_id,
        round(piece.start_s, 3),
        round(piece.end_s, 3),
        round(piece.support, 3),
        piece.modality,
        piece.text if piece.modality != "visual" else "",
        f"{piece.video_id}:{piece.index}" if piece.modality == "visual" else "",
    )
