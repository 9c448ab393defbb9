"""Answers from memory: three routes to candidates, clips compressed under the question, evidence, citations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hicom_agent.agent.compose import Partial, Writer
from hicom_agent.agent.evidence import Asked, Evidence, cite, find_lines
from hicom_agent.agent.film import Encoder, Film
from hicom_agent.agent.fusion import cap
from hicom_agent.agent.join import cut_short, join_answers
from hicom_agent.agent.loop import Run
from hicom_agent.agent.meter import Budget, Meter
from hicom_agent.agent.observer import FILTER, Observer
from hicom_agent.agent.options import Choice, choose
from hicom_agent.agent.outline import name_frames
from hicom_agent.agent.parts import split_question
from hicom_agent.agent.plan import understand
from hicom_agent.agent.planner import Planner, go_on
from hicom_agent.agent.readers import Readers
from hicom_agent.agent.route import ROUTED, num_routed, route
from hicom_agent.agent.sight import CLIPS, look, nearest_clips
from hicom_agent.agent.temporal import Task, read_task
from hicom_agent.agent.together import first_looks, prepare
from hicom_agent.agent.view import Viewer
from hicom_agent.errors import AnswerError
from hicom_agent.memory import VideoFilter
from hicom_agent.types import Answer, Clip, Hit, Reason

if TYPE_CHECKING:
    from hicom_agent.memory import Store, VideoRow

__all__ = ["Agent", "Budget", "Choice", "Readers", "Viewer", "Writer", "join_answers"]

ASKED = 8  # videos of an archive that one question is asked of
NAMED_BY = 6  # frames of a clip by which it is named
HITS = 3  # moments of one video among those of others
NOT_FOUND = "I did not find this in the video."
NOT_INDEXED = "Speech, or text on the screen, was left out when this video was indexed; index it again with it."
NO_TIME = "I did not come to this before the budget ended."


class Agent:
    """Answers questions about the videos of one store."""

    def __init__(
        self, store: Store, encoder: Encoder, readers: Readers, planner: Callable[[], Planner] | None = None
    ) -> None:
        """Take models: `planner` is a language model that says what to ask next."""
        self.store = store
        self.encoder = encoder
        self.readers = readers
        self.planner = planner

    def ask(self, video_id: str, question: str, budget: Budget | None = None) -> Answer:
        """Return the answer, with citations that lie in the video, or an abstention with the closest moments.

        Where the budget ends, the answer rests on what was found by then, and `spend.note` says what is missing.

        Raises UnknownVideo, StoreError, AnswerError.
        """
        film = Film.of_profile(self.store, self.encoder, video_id)
        row, meter = film.row, Meter(budget or Budget())
        run = Run(Observer(self.store, self.encoder, film, meter, self.readers))
        tasks = [read_task(part, row.duration_s) for part in split_question(question)]
        partials: list[Partial] = []
        for task in tasks:
            partials.append(run.do(task, partials[-1] if partials else None))
        if self.planner is not None and not meter.is_spent:
            ended = self._plan(self.planner, question, run, partials)
            if ended is not None:
                tasks, partials = [Task(question, question)], [ended]
        return self._join(question, tasks, partials, row, run)

    @staticmethod
    def _plan(planner: Callable[[], Planner], question: str, run: Run, partials: Sequence[Partial]) -> Partial | None:
        """Return what a model that plans comes to; one that cannot be reached does not undo what rules found."""
        try:
            return go_on(planner(), question, run)
        except AnswerError as error:
            if all(partial.abstained for partial in partials):
                raise
            run.meter.notes.append(str(error))
            return None

    def route(self, question: str, video_ids: Sequence[str] | None = None, limit: int = ROUTED) -> list[str]:
        """Return the `limit` videos of these (None: all) that most likely answer, likeliest first.

        Only videos of this profile, for others cannot be asked; all of them if there are no more than `limit`.
        """
        mine = self.store.video_ids(VideoFilter(profile=self.encoder.version))
        if video_ids is not None:
            given = set(video_ids)
            mine = [video_id for video_id in mine if video_id in given]
        everything = len(mine) == len(self.store.video_ids())
        return route(self.store, self.encoder, question, None if everything else mine, limit)

    def ask_archive(
        self,
        question: str,
        video_ids: Sequence[str] | None = None,
        budget: Budget | None = None,
        max_videos: int = ASKED,
    ) -> Answer:
        """Return one answer from the likeliest of these videos (None: all), asked in that order.

        They share the budget of seconds and of visual tokens; its steps are those of each video.
        Raises StoreError, AnswerError.
        """
        chosen = self.route(question, video_ids, max_videos)
        left = budget or Budget()
        answers: list[tuple[str, Answer]] = []
        for video_id in chosen:
            if left.is_over:
                break
            answer = self.ask(video_id, question, left)
            answers.append((self.store.video(video_id).title, answer))
            left = left.after(answer.spend)
        return cut_short(join_answers(question, answers), len(answers), len(chosen))

    def search(
        self, query: str, video_ids: Sequence[str] | None, limit: int, per_video: int | None = None
    ) -> list[Hit]:
        """Return the moments of these videos (None: all) that answer best to `query`, best first.

        Of many videos the likeliest are searched. Of several, each gives at most `per_video` moments, 3 by default.
        """
        video_ids = route(self.store, self.encoder, query, video_ids, num_routed(limit, per_video or HITS))
        per_video = per_video or (HITS if len(video_ids) > 1 else limit)
        asked = Asked(query, self.encoder.encode_texts([query])[0], query, topical=True, rank=self.readers.rank)
        found = find_lines(self.store, asked, video_ids, limit, per_video)
        near = nearest_clips(self.store, self.encoder, query, video_ids) if len(video_ids) > 1 else {}
        for video_id in video_ids:
            film = Film.read(self.store, video_id, near.get(video_id))
            if film.frames and film.row.profile == self.encoder.version:  # pictures of another profile do not compare
                sight = look(self.store, self.encoder, film, query, CLIPS)
                found += sight.evidence or sight.closest[:1]
        found.sort(key=lambda piece: (-piece.support, piece.video_id, piece.start_s))
        hits = [_hit(piece) for piece in found if piece.support >= FILTER]
        return cap(hits, per_video, lambda hit: hit.video_id)[:limit]

    def prepare(self, video_id: str, questions: Sequence[str]) -> int:
        """Compress at once the clips that these questions will look at; return how many tokens that took.

        Raises UnknownVideo, StoreError, InputError (indexed with another profile).
        """
        film = Film.of_profile(self.store, self.encoder, video_id)
        if not film.frames:
            return 0
        looks = [each for question in questions for each in first_looks(question, film.row.duration_s)]
        return prepare(self.store, self.encoder, film, looks)

    def choose(self, video_id: str, question: str, options: Sequence[str], budget: Budget | None = None) -> Choice:
        """Return the likeliest of several options, and the answer to the question without them.

        Raises what `ask` raises, and ValueError for fewer than two options.
        """
        answer = self.ask(video_id, question, budget)
        film = Film.read(self.store, video_id)

        def presence(option: str) -> float:
            return float(self.encoder.scan(option, self.store.features(video_id, film.kept())).max(initial=0.0))

        return choose(question, options, answer, self.readers.writer, presence)

    def describe_clips(self, video_id: str) -> list[tuple[Clip, str]]:
        """Return every clip with the names of what it surely shows; none if that is nothing the encoder names."""
        film = Film.read(self.store, video_id)
        if film.row.profile != self.encoder.version:
            return [(clip, "") for clip in film.clips]
        named = [name_frames(self.store, self.encoder, film, film.indices_in(clip), NAMED_BY) for clip in film.clips]
        return [(clip, ", ".join(names)) for clip, (names, _, _) in zip(film.clips, named, strict=True)]

    @staticmethod
    def _join(question: str, tasks: Sequence[Task], partials: Sequence[Partial], row: VideoRow, run: Run) -> Answer:
        answered = [partial for partial in partials if not partial.abstained]
        used = [piece for partial in (answered or partials) for piece in partial.used]
        reason: Reason = "" if answered else _reason(tasks, partials, row, run.meter)
        confidence = min((partial.confidence for partial in (answered or partials)), default=0.0)
        return Answer(
            question=question,
            answer=NOT_INDEXED if reason == "not indexed" else _text(tasks, partials),
            abstained=not answered,
            confidence=round(max(0.0, min(1.0, confidence)), 3),
            reason=reason,
            citations=cite(used, row.duration_s),
            coverage=run.meter.coverage(row.covered_s, row.duration_s),
            spend=run.meter.spend(),
            profile=row.profile,
            index_version=row.version,
            steps=run.steps,
        )


def _reason(tasks: Sequence[Task], partials: Sequence[Partial], row: VideoRow, meter: Meter) -> Reason:
    """Return why nothing was found: a question about speech cannot be answered where nobody listened."""
    if any(partial.reason == "contradictory" for partial in partials):
        return "contradictory"
    words = set(row.settings_key.split())
    needed = {"speech": "speech", "text": "ocr"}
    sources = [understand(task.text).sources for task in tasks]
    if all(len(each) == 1 and needed.get(each[0], "") not in {"", *words} for each in sources):
        return "not indexed"
    return "out of budget" if meter.is_cut_short else "not seen"


def _text(tasks: Sequence[Task], partials: Sequence[Partial]) -> str:
    if len(partials) == 1:
        return _told(partials[0])
    lines = [f"{task.asked}: {_told(partial)}" for task, partial in zip(tasks, partials, strict=True)]
    return "\n".join(lines)


def _told(partial: Partial) -> str:
    return partial.text or (NO_TIME if partial.reason == "out of budget" else NOT_FOUND)


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
