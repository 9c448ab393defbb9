"""A video into memory: one pass over the pictures, one over the sound, one commit.

The pictures are worked in segments of a minute. What a segment gives depends on its own pictures and on what earlier
segments kept, never on where the pass began, so a run that was killed resumes and ends with the same index.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hicom_agent import video
from hicom_agent.errors import InputError, UnknownVideo
from hicom_agent.ingest.pictures import Encoder, Watcher
from hicom_agent.ingest.record import assemble
from hicom_agent.ingest.sound import Listener
from hicom_agent.types import Damage, Progress, Record

if TYPE_CHECKING:
    from hicom_agent.memory import Store
    from hicom_agent.ocr import ScreenReader
    from hicom_agent.speech import Transcriber

__all__ = ["Encoder", "Indexer", "Models", "Options", "Report"]


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller may set of an indexer."""

    roots: tuple[Path, ...] = ()  # folders that videos may come from; none: anywhere
    max_bytes: int = 200 * 2**30
    sample_every_s: float = 1.0
    ocr: bool = False  # read what is written
    speech: bool = False  # listen to what is said
    limits: video.Limits = field(default_factory=video.Limits)


@dataclass(frozen=True, slots=True)
class Models:
    """What watches and listens."""

    encoder: Encoder
    screen_reader: ScreenReader | None  # with the option `ocr`
    transcriber: Transcriber | None  # with the option `speech`


@dataclass(frozen=True, slots=True)
class Report:
    """What indexing one video came to."""

    video_id: str
    path: str
    title: str
    state: Literal["indexed", "resumed", "unchanged"]
    version: str
    duration_s: float
    covered_s: float  # seconds that could be read
    num_clips: int
    num_sampled: int  # frames looked at
    num_kept: int  # of these, frames that showed something new and were encoded
    num_utterances: int
    num_texts: int
    damage: list[Damage]
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return what `index --json` prints."""
        return asdict(self)


class Indexer:
    """Watches videos with one set of models and writes them into one store."""

    def __init__(
        self,
        store: Store,
        version: str,
        load: Callable[[], Models],
        options: Options,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        """`load` is called for the first video that has to be watched; `version` is that of its encoder."""
        self.store, self.version, self.options = store, version, options
        self.on_progress = on_progress
        self._load = load

    @property
    def settings_key(self) -> str:
        """Return the words that say what this indexer does; more words, more in the index."""
        words = [f"every={self.options.sample_every_s}"]
        words += ["ocr"] if self.options.ocr else []
        words += ["speech"] if self.options.speech else []
        return " ".join(words)

    def identify(self, path: str | Path) -> str:
        """Return the id that the content of a file has; raises InputError (refused, or written to meanwhile)."""
        with video.open_video(path, self.options.roots, self.options.max_bytes) as opened:
            return video.content_hash(opened)[:16]

    def index(self, path: str | Path, *, again: bool = False) -> Report:
        """Watch the video at `path` and remember it; do nothing if its content is remembered already.

        Raises InputError (refused, unreadable, changed while being watched), StoreError, SetupError.
        """
        began_s = time.monotonic()
        with video.open_video(path, self.options.roots, self.options.max_bytes) as opened:
            self.on_progress(Progress("hashing", 0, opened.size_bytes, "bytes", opened.path.name))
            before = _stamp(opened.fd)
            sha256 = video.content_hash(opened)
            self.on_progress(Progress("hashing", opened.size_bytes, opened.size_bytes, "bytes", opened.path.name))
            self._note(sha256[:16], str(opened.path), *before)
            known = None if again else self.known(sha256[:16])
            if known is not None:
                return known
            record, resumed = self._work(opened, sha256)
            if _stamp(opened.fd) != before:
                raise InputError(f"{opened.path} changed while it was being indexed; run the same command again")
            self.on_progress(Progress("remembering", record.info.duration_s, record.info.duration_s))
            version = self.store.commit(record)
        return _report(record, version, "resumed" if resumed else "indexed", time.monotonic() - began_s)

    def _note(self, video_id: str, path: str, size_bytes: int, mtime_ns: int) -> None:
        """Keep where this content was seen: that path means it from now on."""
        from hicom_agent.memory import SeenFile

        self.store.note_file(SeenFile(video_id, path, size_bytes, mtime_ns, time.time()))

    def _work(self, opened: video.OpenedVideo, sha256: str) -> tuple[Record, bool]:
        """Return the record, and whether an earlier run had begun it."""
        info = video.probe(opened, self.options.limits)
        journal = self.store.journal(sha256[:16], self.version, self.settings_key)
        resumed = bool(journal.done("pictures") or journal.done("sound"))
        models, limits, tell = self._load(), self.options.limits, self.on_progress
        watcher = Watcher(models.encoder, models.screen_reader, self.options.sample_every_s, limits, tell)
        if info.codec:
            watcher.watch(opened, info, journal)
        if models.transcriber and info.audio_codec:
            Listener(models.transcriber, limits, tell).listen(opened, info, journal)
        return assemble(sha256, opened.path, info, journal, watcher, self.settings_key), resumed

    def known(self, video_id: str) -> Report | None:
        """Return the report of a video that is remembered with at least what is asked for now."""
        try:
            row = self.store.video(video_id)
        except UnknownVideo:
            return None
        same = row.profile == self.version
        if not same or not set(self.settings_key.split()) <= set(row.settings_key.split()):
            return None
        return Report(
            video_id=video_id,
            path=row.path,
            title=row.title,
            state="unchanged",
            version=row.version,
            duration_s=row.duration_s,
            covered_s=row.covered_s,
            num_clips=row.num_clips,
            num_sampled=row.num_frames,
            num_kept=row.num_kept,
            num_utterances=len(self.store.speech(video_id)),
            num_texts=len(self.store.texts(video_id)),
            damage=self.store.damage(video_id),
        )


def _stamp(fd: int) -> tuple[int, int]:
    facts = os.fstat(fd)
    return facts.st_size, facts.st_mtime_ns


def _report(record: Record, version: str, state: Literal["indexed", "resumed"], seconds: float) -> Report:
    return Report(
        video_id=record.video_id,
        path=record.path,
        title=record.title,
        state=state,
        version=version,
        duration_s=record.info.duration_s,
        covered_s=record.covered_s,
        num_clips=len(record.clips),
        num_sampled=len(record.frames),
        num_kept=sum(frame.shown_by == i for i, frame in enumerate(record.frames)),
        num_utterances=len(record.speech),
        num_texts=len(record.texts),
        damage=record.damage,
        seconds=round(seconds, 3),
    )
