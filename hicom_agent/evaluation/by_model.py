"""Mode `model`: HICom alone, on evenly sampled frames, as public evaluations ask it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from hicom_agent.errors import InputError
from hicom_agent.evaluation.asking import Reply, shares, word_question
from hicom_agent.evaluation.films import playable
from hicom_agent.evaluation.frames import show_frames
from hicom_agent.evaluation.questions import LETTERS, Question, Wording
from hicom_agent.evaluation.subtitles import Subtitle, lines_at, read_subtitles

if TYPE_CHECKING:
    from hicom_agent.build import Workspace

USUAL_FRAMES, MOST_FRAMES = 32, 128  # without an option; and where only tokens are limited


class ByModel:
    """The model of profile hicom-7b; the frames of the last video are kept, for its questions come together."""

    def __init__(
        self,
        work: Workspace,
        wording: Wording,
        films: Path,
        num_frames: int | None,
        max_visual_tokens: int | None,
        *,
        subtitles: bool,
    ) -> None:
        """Load the model; raises InputError for another profile or too few tokens, SetupError for damaged weights."""
        if work.profile.name != "hicom-7b":
            raise InputError(
                f"--mode model asks the model of profile hicom-7b; this is {work.profile.name} ({work.profile.why}): "
                "give --profile hicom-7b --checkpoint FOLDER, or --mode agent"
            )
        self._work, self._wording, self._films, self._subtitles = work, wording, films, subtitles
        self._reader = work.reader
        self._max_visual_tokens = max_visual_tokens
        self._num_frames = self._choose_frames(num_frames)
        self._unit = ""  # that is at hand
        self._watched: Any = None
        self._times_s: list[float] = []

    def _choose_frames(self, wanted: int | None) -> int:
        """Return how many frames are shown: as many as wanted, if the tokens suffice."""
        limit = self._max_visual_tokens
        if limit is None:
            return wanted or USUAL_FRAMES
        wanted = wanted or MOST_FRAMES
        most = min(wanted, len(self._reader.plan([wanted], limit)[0]))
        if self._reader.count_tokens(most) > limit:
            least = self._reader.count_tokens(most)
            raise InputError(f"--max-visual-tokens {limit} is too few: this model makes {least} of {most} frames")
        return most

    def __enter__(self) -> ByModel:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._watched = None

    @property
    def settings(self) -> Mapping[str, Any]:
        """Return what decides about its answers."""
        return {
            "model": self._reader.model.version,
            "dtype": str(self._reader.model.dtype).removeprefix("torch."),
            "num_frames": self._num_frames,
            "max_visual_tokens": self._max_visual_tokens,
            "subtitles": self._subtitles,
            "wording": self._wording,
        }

    def watch(self, question: Question) -> None:
        """Show the model the frames of a question's video, unless it has them; raises InputError, AnswerError."""
        if self._unit == question.unit:
            return
        assert question.path is not None
        self._unit, self._watched = "", None
        film = playable(question.path, self._films)
        frames = show_frames(film, question.span_s, self._num_frames, self._work.settings)
        self._watched = self._reader.watch([frame.picture for frame in frames])
        self._times_s = [frame.time_s for frame in frames]
        self._unit = question.unit

    def ask(self, question: Question) -> Reply:
        """Return the likelihoods of the letters and what the model writes; raises InputError, AnswerError."""
        lines = lines_at(self._read_subtitles(question), self._times_s) if self._subtitles else []
        ask = word_question(question, self._wording, lines)
        letters = LETTERS[: len(question.options)]
        picked = self._reader.pick(question.text, ask, self._watched, letters)
        return Reply(
            text=picked.text,
            likelihoods=shares(picked.scores),
            visual_tokens=picked.num_visual_tokens,
            llm_tokens=picked.num_text_tokens,
            frames=len(self._times_s),
            note="no subtitles" if self._subtitles and not lines else "",
        )

    @staticmethod
    def _read_subtitles(question: Question) -> list[Subtitle]:
        if question.subtitles is None:
            return []
        return read_subtitles(question.subtitles, question.subtitles_from_s)
