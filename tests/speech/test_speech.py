"""`speech.opus` was made with espeak-ng: two sentences from 1.50 to 8.69 s, one from 10.69 to 13.84 s."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from hicom_agent.errors import ModelMissing, SetupError
from hicom_agent.types import Utterance

pytest.importorskip("faster_whisper")
from hicom_agent import models, speech  # noqa: E402

RATE = speech.SAMPLE_RATE_HZ


@pytest.fixture(scope="module")
def transcriber(cache: Path) -> speech.Transcriber:
    try:
        folder = models.ensure("whisper-base", cache, offline=True)
    except ModelMissing as error:
        pytest.skip(str(error))
    return speech.Transcriber(folder, threads=2)


@pytest.fixture(scope="module")
def spoken() -> NDArray[np.int16]:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(str(Path(__file__).parents[1] / "data" / "speech.opus")) as file:
        frames = [part for frame in file.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in [*frames, *resampler.resample(None)]])


@pytest.mark.weights
def test_words_and_times_of_known_speech_are_right(transcriber: speech.Transcriber, spoken: NDArray[np.int16]) -> None:
    said, language = transcriber.transcribe(spoken, 100.0)
    assert language == "en"
    assert [u.text for u in said] == [
        "The meeting starts at 9 in the morning.",
        "Please bring the red folder and two pencils.",
        "Tomorrow we will travel to Paris by train.",
    ]
    assert said[0].start_s == pytest.approx(101.50, abs=0.3)
    assert said[1].end_s == pytest.approx(108.69, abs=0.8)
    assert said[2].start_s == pytest.approx(110.69, abs=0.3)
    assert said[2].end_s == pytest.approx(113.84, abs=0.8)


@pytest.mark.weights
def test_the_same_samples_give_the_same_words(transcriber: speech.Transcriber, spoken: NDArray[np.int16]) -> None:
    part = spoken[: 9 * RATE]
    assert transcriber.transcribe(part, 0.0, "en") == transcriber.transcribe(part, 0.0, "en")


@pytest.mark.weights
def test_chunks_of_repeated_speech_hold_all_of_it_and_are_short(
    transcriber: speech.Transcriber, spoken: NDArray[np.int16]
) -> None:
    chunks = transcriber.speech_spans(np.tile(spoken, 4))
    assert all(0 < end_s - start_s <= speech.CHUNK_S for start_s, end_s in chunks)
    for turn in range(4):
        start_s = turn * len(spoken) / RATE
        for moment_s in (start_s + 3.0, start_s + 12.0):
            assert any(a <= moment_s <= b for a, b in chunks)


def _sounds() -> dict[str, NDArray[np.float64]]:
    random, time_s = np.random.default_rng(0), np.arange(8 * RATE) / RATE
    brown = np.cumsum(random.normal(size=len(time_s)))
    notes = random.choice([262, 294, 330, 392, 440, 523], 16)
    melody = np.concatenate([np.sin(2 * np.pi * f * time_s[: RATE // 2]) * np.linspace(1, 0, RATE // 2) for f in notes])
    return {
        "silence": np.zeros(len(time_s)),
        "white noise": random.normal(size=len(time_s)) / 4,
        "brown noise": (brown - brown.mean()) / np.ptp(brown),
        "melody": melody / 2,
        "beat": np.sin(2 * np.pi * 60 * time_s) * (time_s % 0.5 < 0.1) / 2,
    }


@pytest.mark.weights
@pytest.mark.parametrize("name", list(_sounds()))
def test_music_and_noise_say_nothing(transcriber: speech.Transcriber, name: str) -> None:
    pcm = (_sounds()[name] * 30000).clip(-32768, 32767).astype(np.int16)
    assert transcriber.speech_spans(pcm) == []
    assert transcriber.transcribe(pcm, 0.0) == ([], None)


@pytest.mark.weights
def test_no_samples_are_no_speech(transcriber: speech.Transcriber) -> None:
    nothing = np.zeros(0, np.int16)
    assert transcriber.speech_spans(nothing) == []
    assert transcriber.transcribe(nothing, 5.0, "de") == ([], "de")


def test_a_folder_without_a_model_is_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"no speech model in .*models pull whisper-base"):
        speech.Transcriber(tmp_path)


def test_chunks_part_at_the_longest_silence() -> None:
    spans = [(0.0, 10.0), (10.4, 18.0), (21.0, 26.0), (26.5, 33.0)]
    assert speech.speech_chunks(spans) == [(0.0, 18.0), (21.0, 33.0)]


def test_chunks_never_pass_the_limit_and_lose_no_speech() -> None:
    random = np.random.default_rng(1)
    for _ in range(50):
        marks = np.cumsum(random.exponential(6.0, size=40)).tolist()
        spans = list(zip(marks[::2], marks[1::2], strict=True))
        chunks = speech.speech_chunks(spans)
        assert all(end_s - start_s <= 30.0 + 1e-9 for start_s, end_s in chunks)
        assert chunks == sorted(chunks)
        spoken_s = sum(end_s - start_s for start_s, end_s in spans)
        inside = sum(max(0.0, min(b, d) - max(a, c)) for a, b in spans for c, d in chunks)
        assert inside == pytest.approx(spoken_s)


def test_no_spans_give_no_chunks() -> None:
    assert speech.speech_chunks([]) == []


def test_utterances_end_after_sentences_and_at_pauses_but_not_after_titles() -> None:
    words = [
        (0.0, 0.3, " Dr."), (0.3, 0.6, " Who"), (0.6, 1.0, " left."), (1.1, 1.4, " Why?"),
        (1.5, 1.8, " At"), (3.5, 3.9, " 3.5"), (3.9, 4.2, " degrees"),
    ]  # fmt: skip
    said = speech.split_utterances(words)
    assert [u.text for u in said] == ["Dr. Who left.", "Why?", "At", "3.5 degrees"]
    assert said[0] == Utterance(0.0, 1.0, "Dr. Who left.")


def test_speech_without_full_stops_is_cut_into_short_utterances() -> None:
    words = [(i * 0.5, i * 0.5 + 0.4, f" w{i}") for i in range(100)]
    said = speech.split_utterances(words)
    assert all(u.end_s - u.start_s <= 12.0 for u in said)
    assert " ".join(u.text for u in said).split() == [f"w{i}" for i in range(100)]


def test_utterances_hide_no_characters_and_punctuation_alone_is_none() -> None:
    words = [(0.0, 0.2, " a\u200b\x1b[31mb."), (0.3, 0.4, " ...")]
    assert [u.text for u in speech.split_utterances(words)] == ["ab."]


@pytest.mark.parametrize(
    ("compression", "likelihood", "no_speech", "kept"),
    [(1.1, -0.3, 0.02, True), (3.0, -0.1, 0.02, False), (1.1, -1.4, 0.02, False), (1.1, -0.7, 0.8, False)],
)
def test_words_made_up_over_noise_are_dropped(
    compression: float, likelihood: float, no_speech: float, kept: bool
) -> None:
    segment = SimpleNamespace(compression_ratio=compression, avg_logprob=likelihood, no_speech_prob=no_speech)
    assert speech._is_speech(segment) is kept


def test_what_is_written_down_outside_every_voice_is_dropped_and_the_rest_is_trimmed() -> None:
    said = [Utterance(0.0, 4.0, "Hello."), Utterance(8.0, 9.0, "Thanks for watching!")]
    assert speech.keep_voiced(said, [(2.0, 3.8), (20.0, 21.0)]) == [Utterance(2.0, 3.8, "Hello.")]
