"""What is said: stretches of speech by voice detection, then words with times by Whisper (through CTranslate2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.vad import VadOptions, get_speech_timestamps
from numpy.typing import NDArray

from hicom_agent.errors import SetupError
from hicom_agent.types import Utterance, clean_text

SAMPLE_RATE_HZ = 16_000
CHUNK_S = 30.0  # Whisper's window: a shorter chunk costs as much
_PAUSE_S = 0.8  # a longer silence ends an utterance
_LONGEST_S = 12.0  # an utterance without a full stop is cut at its longest pause, so that a citation stays tight
_SHORTENED = {"mr.", "mrs.", "ms.", "dr.", "st.", "vs.", "e.g.", "i.e.", "no.", "etc.", "prof."}
_VOICE = VadOptions(
    threshold=0.5, min_speech_duration_ms=250, max_speech_duration_s=CHUNK_S - 1,
    min_silence_duration_ms=300, speech_pad_ms=200,
)  # fmt: skip

Span = tuple[float, float]  # start_s, end_s
Word = tuple[float, float, str]  # start_s, end_s, text with its leading space


class Transcriber:
    """Hears speech. The same samples give the same words: greedy search, no temperature, no memory between chunks."""

    def __init__(self, model: Path, *, threads: int = 0) -> None:
        """Load faster-whisper's model from a folder; raises SetupError if it does not hold one."""
        try:
            self._whisper = WhisperModel(
                str(model), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
            )
        except (RuntimeError, ValueError) as error:
            raise SetupError(f"no speech model in {model}; run: hicom-agent models pull whisper-base") from error

    def speech_spans(self, pcm: NDArray[np.int16]) -> list[Span]:
        """Return the stretches with speech of at most 30 s, cut at silences, each to be transcribed on its own.

        `pcm`: [samples] mono, 16 kHz. Times count from its first sample.
        """
        if not len(pcm):
            return []
        return speech_chunks(_voiced(_as_float(pcm)))

    def transcribe(
        self, pcm: NDArray[np.int16], offset_s: float, language: str | None = None
    ) -> tuple[list[Utterance], str | None]:
        """Return what is said in one chunk, and its language; the given one is kept, else it is detected.

        `pcm`: [samples] mono, 16 kHz, whose first sample is at `offset_s`. The language is None while unsure.
        """
        samples = _as_float(pcm)
        voiced = _voiced(samples) if len(pcm) else []
        if not voiced:
            return [], language
        segments, told = self._whisper.transcribe(
            samples, language=language, beam_size=1, temperature=0.0,
            condition_on_previous_text=False, word_timestamps=True, vad_filter=False,
        )  # fmt: skip
        words = [
            (float(word.start), float(word.end), word.word)
            for segment in segments
            if _is_speech(segment)
            for word in segment.words or ()
        ]
        utterances = _shift(keep_voiced(split_utterances(words), voiced), offset_s)
        if language is None and utterances and told.language_probability >= 0.5:
            language = told.language
        return utterances, language


def speech_chunks(spans: Sequence[Span], max_s: float = CHUNK_S) -> list[Span]:
    """Return spans joined into chunks of at most `max_s`, parted at the longest silence that leaves them half full.

    Ascending spans that do not overlap are assumed. A span longer than `max_s` is cut.

    >>> speech_chunks([(0.0, 8.0), (8.5, 20.0), (22.0, 29.0), (29.2, 40.0)])
    [(0.0, 20.0), (22.0, 40.0)]
    """
    left = [piece for span in spans for piece in _cut(span, max_s)]
    chunks: list[Span] = []
    while left:
        fits = [i for i, (_, end_s) in enumerate(left) if end_s - left[0][0] <= max_s]
        last = fits[-1]
        if last < len(left) - 1:
            half = [i for i in fits if left[i][1] - left[0][0] >= max_s / 2] or [last]
            last = max(half, key=lambda i: left[i + 1][0] - left[i][1])
        chunks.append((left[0][0], left[last][1]))
        left = left[last + 1 :]
    return chunks


def split_utterances(words: Sequence[Word]) -> list[Utterance]:
    """Return words joined into utterances, parted after sentences and at pauses."""
    groups: list[list[Word]] = []
    for word in words:
        if not groups or _parts(groups[-1][-1], word):
            groups.append([])
        groups[-1].append(word)
    utterances = []
    for piece in (piece for group in groups for piece in _shorten(group)):
        text = clean_text("".join(text for _, _, text in piece))
        if any(letter.isalnum() for letter in text):
            utterances.append(Utterance(piece[0][0], max(end_s for _, end_s, _ in piece), text))
    return utterances


def keep_voiced(utterances: Iterable[Utterance], voiced: Sequence[Span]) -> list[Utterance]:
    """Return the utterances that a voice was heard in, trimmed to it: Whisper starts the first word in the silence.

    >>> keep_voiced([Utterance(0.0, 3.0, "Hi."), Utterance(8.0, 9.0, "Thanks for watching!")], [(1.5, 2.9)])
    [Utterance(start_s=1.5, end_s=2.9, text='Hi.')]
    """
    kept = []
    for said in utterances:
        heard = [(start, end) for start, end in voiced if min(end, said.end_s) - max(start, said.start_s) > 0]
        if heard:
            kept.append(replace(said, start_s=max(said.start_s, heard[0][0]), end_s=min(said.end_s, heard[-1][1])))
    return kept


def _voiced(samples: NDArray[np.float32]) -> list[Span]:
    found = get_speech_timestamps(samples, _VOICE)
    return [(span["start"] / SAMPLE_RATE_HZ, span["end"] / SAMPLE_RATE_HZ) for span in found]


def _shift(utterances: Iterable[Utterance], by_s: float) -> list[Utterance]:
    return [replace(u, start_s=round(u.start_s + by_s, 2), end_s=round(u.end_s + by_s, 2)) for u in utterances]


def _as_float(pcm: NDArray[np.int16]) -> NDArray[np.float32]:
    return pcm.astype(np.float32) / 32768.0


def _is_speech(segment: Any) -> bool:
    """Tell whether a segment of Whisper is speech: over music and noise it makes words up, unsurely or in circles."""
    if segment.compression_ratio > 2.4 or segment.avg_logprob < -1.0:
        return False
    return not (segment.no_speech_prob > 0.6 and segment.avg_logprob < -0.5)


def _cut(span: Span, max_s: float) -> list[Span]:
    start_s, end_s = span
    marks = [*np.arange(start_s, end_s, max_s).tolist(), end_s]
    return list(pairwise(marks))


def _parts(before: Word, after: Word) -> bool:
    """Tell whether an utterance ends between two words."""
    text = before[2].strip().rstrip("\"')”’")
    ends = text.endswith((".", "?", "!", "。", "？", "！", "…"))
    name = text.lower() in _SHORTENED or (len(text) == 2 and text[0].isupper())  # "Dr. Who", "J. Smith"
    return after[0] - before[1] > _PAUSE_S or (ends and not name)


def _shorten(group: Sequence[Word]) -> Iterable[Sequence[Word]]:
    """Cut a group that lasts too long at its longest pause, each part again."""
    if len(group) < 4 or group[-1][1] - group[0][0] <= _LONGEST_S:
        return [group]
    middle = range(len(group) // 4, len(group) - len(group) // 4)
    at = max(middle, key=lambda i: (group[i][0] - group[i - 1][1], group[i - 1][2].endswith(","), -i))
    return [*_shorten(group[:at]), *_shorten(group[at:])]
