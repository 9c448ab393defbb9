"""Made videos of one hour, as far as search sees them: vectors about topics, words with Zipf's frequencies.

What is searched is of the size that real hours have: 360 clips of 10 s, 3,600 sampled frames of which a third is kept,
600 utterances of 12 words, 60 texts of 4 words, vectors of 384 numbers. What is only read when a chosen video is looked
at, patch features and thumbnails, is left out but for a few bytes.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hicom_agent.memory import Store
from hicom_agent.types import Clip, Record, ScreenText, StoredFrame, Utterance, VideoInfo

WIDTH = 384
HOUR_S, CLIP_S = 3600.0, 10.0
CLIPS, FRAMES, KEPT, SPOKEN, WRITTEN = 360, 3600, 1200, 600, 60  # of one hour
WORDS_SAID, WORDS_WRITTEN = 12, 4  # in a line
VOCABULARY, OWN_WORDS, OWN_SHARE = 50_000, 40, 0.15  # words; those a film returns to; how often it does
TOPICS = 64
PROFILE = "made-archive-1"
LANGUAGES = ("en", "de", "es", "fr")
_SOUNDS = "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu bra cle dri flo gru pra ste tri"


@dataclass(frozen=True)
class Hour:
    """One made video: what of it is not the same in all."""

    number: int
    frames: np.ndarray  # [kept, e]
    speech: np.ndarray  # [said, e]
    texts: np.ndarray  # [written, e]
    said: list[str]
    written: list[str]

    @property
    def video_id(self) -> str:
        return video_id(self.number)


def video_id(number: int) -> str:
    """Return the id of a made video; ids do not come in the order of numbers, as hashes do not."""
    return f"{(number * 0x9E3779B97F4A7C15 + 1) % 2**64:016x}"


@functools.cache
def vocabulary() -> tuple[np.ndarray, np.ndarray]:
    """Return words, and the sums of their frequencies, which fall as one over their rank."""
    rng = np.random.default_rng(3)
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        words["".join(rng.choice(_SOUNDS.split(), size=rng.integers(2, 5)))] = None
    shares = 1 / np.arange(1, VOCABULARY + 1)
    return np.array(list(words)), np.cumsum(shares / shares.sum())


@functools.cache
def _topics() -> np.ndarray:
    return _some(np.random.default_rng(0), 2, TOPICS + 1)


def _some(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal((*shape, WIDTH), np.float32) / WIDTH**0.5


def unit(rows: np.ndarray) -> np.ndarray:
    made: np.ndarray = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return made


def make_hour(number: int) -> Hour:
    """Return a made video, always the same for a number; those of one topic are alike, and scenes within more so."""
    rng = np.random.default_rng(1000 + number)
    topic = int(rng.integers(TOPICS))
    vectors = []
    for kind, num in ((0, KEPT), (1, SPOKEN), (1, WRITTEN)):
        common, about = _topics()[kind, TOPICS], _topics()[kind, topic]
        scenes = 1.2 * common + 0.5 * about + 0.5 * _some(rng) + 0.6 * _some(rng, 60 if kind == 0 else num)
        of = np.sort(rng.integers(60, size=num)) if kind == 0 else np.arange(num)
        vectors.append(unit(scenes[of] + 0.35 * _some(rng, num)))
    own = rng.integers(200, VOCABULARY, size=OWN_WORDS)
    said = _lines(rng, own, SPOKEN, WORDS_SAID)
    return Hour(number, *vectors, said, _lines(rng, own, WRITTEN, WORDS_WRITTEN))


def _lines(rng: np.random.Generator, own: np.ndarray, num: int, length: int) -> list[str]:
    words, sums = vocabulary()
    ranks = np.searchsorted(sums, rng.random((num, length)))
    mine = rng.random((num, length)) < OWN_SHARE
    ranks[mine] = rng.choice(own, size=int(mine.sum()))
    return [" ".join(words[np.minimum(row, VOCABULARY - 1)]) for row in ranks]


def record_of(hour: Hour) -> Record:
    """Return what an indexer would have committed of a made video."""
    each = FRAMES // KEPT
    frames = [StoredFrame(float(i), i - i % each, 0.5, b"jpeg" if i % each == 0 else b"") for i in range(FRAMES)]
    at_s = np.linspace(0, HOUR_S - 6, SPOKEN).round(2).tolist()
    shown_s = np.linspace(0, HOUR_S - 6, WRITTEN).round(2).tolist()
    return Record(
        video_id=hour.video_id,
        sha256=hour.video_id + "0" * 48,
        path=f"/archive/{hour.number // 100:03d}/film-{hour.number:06d}.mp4",
        title=f"film-{hour.number:06d}",
        info=VideoInfo(HOUR_S, 1280, 720, "h264", "aac"),
        profile=PROFILE,
        clips=[Clip(i, CLIP_S * i, CLIP_S * (i + 1)) for i in range(CLIPS)],
        frames=frames,
        speech=[Utterance(at, at + 5.0, line) for at, line in zip(at_s, hour.said, strict=True)],
        texts=[ScreenText(at, at + 5.0, line) for at, line in zip(shown_s, hour.written, strict=True)],
        damage=[],
        vectors={"frames": hour.frames, "speech": hour.speech, "texts": hour.texts},
        packed={"codes": np.zeros((KEPT, 4), np.uint8)},
        language=LANGUAGES[hour.number % len(LANGUAGES)],
        covered_s=HOUR_S,
        settings_key="every=1.0 ocr speech",
    )


def make_store(folder: Path, numbers: range) -> None:
    """Commit made videos into a store, those that are not there yet."""
    with Store.open(folder, write=True) as store:
        there = set(store.video_ids())
        for number in numbers:
            if video_id(number) not in there:
                store.commit(record_of(make_hour(number)))
