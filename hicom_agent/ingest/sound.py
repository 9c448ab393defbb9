"""Listening: what is said, in blocks of ten minutes; speech across the end of a block is carried into the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hicom_agent import video
from hicom_agent.ingest.pictures import FINISHED
from hicom_agent.types import Progress, Utterance

if TYPE_CHECKING:
    from hicom_agent.memory import Journal
    from hicom_agent.speech import Transcriber
    from hicom_agent.types import VideoInfo

STAGE = "sound"
BLOCK_S = 600.0
SAMPLE_RATE_HZ = 16_000
EDGE_S = 1.0  # speech that ends this near to a block's end may go on in the next


@dataclass(slots=True)
class Listener:
    """Works a video's sound block by block into a journal."""

    transcriber: Transcriber
    limits: video.Limits
    on_progress: Callable[[Progress], None]

    def listen(self, opened: video.OpenedVideo, info: VideoInfo, journal: Journal) -> None:
        """Save every block that the journal does not hold yet."""
        done = journal.done(STAGE)
        if journal.done(STAGE + FINISHED):
            return
        language = ""
        carry, start_s = np.zeros(0, np.int16), 0.0
        with closing(video.read_audio(opened, self.limits)) as sound:
            for index, (block, last) in enumerate(_blocks(sound, int(BLOCK_S * SAMPLE_RATE_HZ))):
                pcm = np.concatenate([carry, block])
                end_s = start_s + len(pcm) / SAMPLE_RATE_HZ
                if index in done:
                    meta = journal.load(STAGE, index)[1]
                else:
                    meta = self._work(pcm, start_s, language, last)
                    journal.save(STAGE, index, {}, meta)
                language = language or meta["language"]
                carry = pcm[round((meta["next_s"] - start_s) * SAMPLE_RATE_HZ) :]
                start_s = meta["next_s"]
                self.on_progress(Progress("listening", end_s, info.duration_s))
        journal.save(STAGE + FINISHED, 0, {}, {})

    def _work(self, pcm: np.ndarray, start_s: float, language: str, last: bool) -> dict[str, Any]:
        """Return what is said in one block and where the next has to begin."""
        length_s = len(pcm) / SAMPLE_RATE_HZ
        chunks = self.transcriber.speech_spans(pcm)
        next_s = start_s + length_s
        if not last and len(chunks) > 1 and chunks[-1][1] > length_s - EDGE_S:
            next_s = start_s + chunks.pop()[0]
        said: list[Utterance] = []
        for chunk_start_s, chunk_end_s in chunks:
            part = pcm[round(chunk_start_s * SAMPLE_RATE_HZ) : round(chunk_end_s * SAMPLE_RATE_HZ)]
            utterances, heard = self.transcriber.transcribe(part, start_s + chunk_start_s, language or None)
            language = language or heard or ""
            said += utterances
            self.on_progress(Progress("listening", start_s + chunk_end_s, start_s + length_s))
        return {"said": [asdict(utterance) for utterance in said], "language": language, "next_s": next_s}


def _blocks(sound: Iterable[np.ndarray], size: int) -> Iterator[tuple[np.ndarray, bool]]:
    """Yield the samples in blocks of `size`, and whether a block is the last."""
    held: list[np.ndarray] = []
    num_held = 0
    for piece in sound:
        held.append(piece)
        num_held += len(piece)
        while num_held > size:
            pcm = np.concatenate(held)
            yield pcm[:size], False
            held, num_held = [pcm[size:]], num_held - size
    yield np.concatenate(held) if held else np.zeros(0, np.int16), True
