"""A video into memory: one pass over the pictures, one over the sound, one commit.

The pictures are worked in segments of a minute. What a segment gives depends on its own pictures and on what earlier
segments kept, never on where the pass began, so a run that was killed resumes and ends with the same index.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from hicom_agent import scenes, video
from hicom_agent.errors import InputError, VideoUnreadable
from hicom_agent.types import Clip, Damage, Frame, Glimpse, Progress, Record, StoredFrame, Utterance, clean_text

if TYPE_CHECKING:
    from hicom_agent.memory import Journal, Store
    from hicom_agent.ocr import ScreenReader
    from hicom_agent.speech import Transcriber
    from hicom_agent.types import Floats, FrameFeatures, Picture, ScreenText, VideoInfo

SEGMENT_S = 60.0
SOUND_BLOCK_S = 600.0
SAMPLE_RATE_HZ = 16_000
BATCH = 16  # pictures the encoder sees at once


class Encoder(Protocol):
    """What ingest needs of an encoder."""

    version: str

    def encode_frames(self, pictures: Sequence[Picture]) -> FrameFeatures: ...  # noqa: D102
    def encode_texts(self, texts: Sequence[str]) -> Floats: ...  # noqa: D102
    def pack(self, features: FrameFeatures) -> dict[str, np.ndarray]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Report:
    """What indexing one video came to."""

    video_id: str
    path: str
    title: str
    state: Literal["indexed", "resumed", "unchanged"]
    version: str
    duration_s: float
    covered_s: float
    num_clips: int
    num_sampled: int  # frames looked at
    num_kept: int  # of these, frames that showed something new and were encoded
    num_utterances: int
    num_texts: int
    damage: list[Damage] = field(default_factory=list)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return what `index --json` prints."""
        return asdict(self)


@dataclass
class Segment:
    """A minute of video as it comes from the decoder, with the glimpses around it that a cut detector needs."""

    index: int
    glimpses: list[Glimpse]
    frames: list[Frame]
    damage: list[Damage]

    @property
    def start_s(self) -> float:
        """Return where it starts."""
        return self.index * SEGMENT_S


def split_segments(items: Iterable[Glimpse | Frame | Damage], first: int) -> Iterator[Segment]:
    """Yield segments from number `first` on, each as soon as all that belongs to it was seen."""
    glimpses: list[Glimpse] = []
    frames: list[Frame] = []
    damage: list[Damage] = []
    index, seen_glimpse_s, seen_frame_s = first, 0.0, 0.0

    def cut() -> Segment:
        start_s, end_s = index * SEGMENT_S, (index + 1) * SEGMENT_S
        near = [g for g in glimpses if start_s - scenes.LEAD_S <= g.time_s < end_s + scenes.TAIL_S]
        segment = Segment(
            index,
            near,
            [f for f in frames if start_s <= f.time_s < end_s],
            [d for d in damage if start_s <= d.start_s < end_s],
        )
        glimpses[:] = [g for g in glimpses if g.time_s >= end_s - scenes.LEAD_S]
        frames[:] = [f for f in frames if f.time_s >= end_s]
        damage[:] = [d for d in damage if d.start_s >= end_s]
        return segment

    for item in items:
        if isinstance(item, Glimpse):
            glimpses.append(item)
            seen_glimpse_s = item.time_s
        elif isinstance(item, Frame):
            frames.append(item)
            seen_frame_s = item.time_s
        else:
            damage.append(item)
            seen_glimpse_s = seen_frame_s = max(item.end_s, seen_glimpse_s, seen_frame_s)
        while min(seen_glimpse_s - scenes.TAIL_S, seen_frame_s) >= (index + 1) * SEGMENT_S:
            yield cut()
            index += 1
    while any(x >= index * SEGMENT_S for x in [*(g.time_s for g in glimpses), *(d.start_s for d in damage)]):
        yield cut()
        index += 1


class Indexer:
    """Watches videos with one set of models and writes them into one store."""

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        screen_reader: ScreenReader | None = None,
        transcriber: Transcriber | None = None,
        options: Options | None = None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self.store = store
        self.encoder = encoder
        self.screen_reader = screen_reader
        self.transcriber = transcriber
        self.options = options or Options()
        self.on_progress = on_progress

    @property
    def settings_key(self) -> str:
        """Return the words that say what this indexer does."""
        words = [f"every={self.options.sample_every_s}"]
        words += ["ocr"] if self.screen_reader else []
        words += ["speech"] if self.transcriber else []
        return " ".join(words)

    def index(self, path: str | Path, *, again: bool = False) -> Report:
        """Watch the video at `path` and remember it; do nothing if its content is remembered already.

        Raises InputError (refused, unreadable, changed while being watched), StoreError, SetupError.
        """
        began_s = time.monotonic()
        with video.open_video(path, self.options.roots, self.options.max_bytes) as opened:
            self.on_progress(Progress("hashing", 0, opened.size_bytes, "bytes", opened.path.name))
            before = _stamp(opened.fd)
            sha256 = video.content_hash(opened)
            if not again and (known := self._known(sha256[:16])):
                return known
            info = video.probe(opened, self.options.limits)
            journal = self.store.journal(sha256[:16], self.encoder.version, self.settings_key)
            resumed = bool(journal.done("pictures") or journal.done("sound"))
            if info.codec:
                self._watch(opened, info, journal)
            if self.transcriber and info.audio_codec:
                self._listen(opened, info, journal)
            if _stamp(opened.fd) != before:
                raise InputError(f"{opened.path} changed while it was being indexed; run the same command again")
            self.on_progress(Progress("remembering", info.duration_s, info.duration_s))
            record = self._assemble(sha256, opened.path, info, journal)
            version = self.store.commit(record)
        return _report(record, version, "resumed" if resumed else "indexed", time.monotonic() - began_s)

    def _known(self, video_id: str) -> Report | None:
        """Return the report of a video that is remembered with at least what is asked for now."""
        for row in self.store.videos():
            asked = set(self.settings_key.split())
            if row.video_id == video_id and row.profile == self.encoder.version and asked <= set(row.settings_key.split()):
                return Report(
                    video_id, row.path, row.title, "unchanged", row.version, row.duration_s, row.covered_s, row.num_clips,
                    row.num_sampled, row.num_kept, row.num_utterances, row.num_texts, self.store.damage(video_id),
                )  # fmt: skip
        return None

    # ------------------------------------------------------------------ pictures

    def _watch(self, opened: video.OpenedVideo, info: VideoInfo, journal: Journal) -> None:
        done = journal.done("pictures")
        if -1 in done:
            return
        first = next(i for i in range(len(done) + 1) if i not in done)
        gate = scenes.ChangeGate()
        saved = [journal.load("pictures", i) for i in range(first)]
        if saved:
            keys = [k for k in saved[0][0] if k.startswith("gate_")]
            gate = scenes.ChangeGate({k[5:]: np.concatenate([arrays[k] for arrays, _ in saved]) for k in keys})
        num_sampled = sum(len(arrays["times"]) for arrays, _ in saved)
        plan = video.StreamPlan(
            start_s=max(0.0, first * SEGMENT_S - scenes.LEAD_S), sample_every_s=self.options.sample_every_s
        )
        with closing(video.stream(opened, plan, self.options.limits)) as items:
            for segment in split_segments(items, first):
                arrays, meta = self._watch_segment(segment, gate, num_sampled)
                journal.save("pictures", segment.index, arrays, meta)
                num_sampled += len(segment.frames)
                kept = f"{len(arrays['sizes'])} of {len(segment.frames)} frames new"
                done_s = min(segment.start_s + SEGMENT_S, info.duration_s)
                self.on_progress(Progress("watching", done_s, info.duration_s, "s", kept))
        journal.save("pictures", -1, {}, {})

    def _watch_segment(
        self, segment: Segment, gate: scenes.ChangeGate, num_before: int
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return what is saved of a segment: cuts, sampled frames, and features and thumbnails of the kept ones."""
        end_s = segment.start_s + SEGMENT_S
        num_kept_before = len(gate)
        seen = [gate.add(frame, num_before + i) for i, frame in enumerate(segment.frames)]
        kept = [frame for i, frame in enumerate(segment.frames) if seen[i][0] == num_before + i]
        thumbs = [scenes.thumbnail(frame) for frame in kept]
        lines = self._read_screen(kept)
        arrays = {
            "times": np.array([frame.time_s for frame in segment.frames], np.float64),
            "shown_by": np.array([shown_by for shown_by, _ in seen], np.int32),
            "novelty": np.array([novelty for _, novelty in seen], np.float32),
            "sizes": np.array([len(thumb) for thumb in thumbs], np.int32),
            "thumbs": np.frombuffer(b"".join(thumbs), np.uint8),
            **{f"gate_{name}": array[num_kept_before:] for name, array in gate.state().items()},
            **self._encode(kept),
        }
        meta = {
            "cuts": scenes.segment_cuts(segment.glimpses, segment.start_s, end_s),
            "changes": scenes.segment_changes(segment.glimpses, segment.start_s, end_s),
            "damage": [asdict(d) for d in segment.damage],
            "lines": lines,
        }
        return arrays, meta

    def _encode(self, kept: list[Frame]) -> dict[str, np.ndarray]:
        """Return pooled vectors and packed patch features of the kept frames, in batches."""
        parts: list[dict[str, np.ndarray]] = []
        for i in range(0, len(kept), BATCH):
            features = self.encoder.encode_frames([frame.picture for frame in kept[i : i + BATCH]])
            packed = {f"packed_{name}": array for name, array in self.encoder.pack(features).items()}
            parts.append({"pooled": features.pooled, **packed})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}

    def _read_screen(self, kept: list[Frame]) -> list[list[str]]:
        if self.screen_reader is None:
            return []
        return [[line.text for line in self.screen_reader.read(frame.picture)] for frame in kept]

    # ------------------------------------------------------------------ sound

    def _listen(self, opened: video.OpenedVideo, info: VideoInfo, journal: Journal) -> None:
        """Write down what is said, in blocks of ten minutes; a chunk of speech that crosses a block's end is carried."""
        assert self.transcriber is not None
        done = journal.done("sound")
        if -1 in done:
            return
        language: str | None = None
        carry = np.zeros(0, np.int16)
        carry_s = 0.0
        with closing(video.read_audio(opened, self.options.limits)) as sound:
            for index, (block, last) in enumerate(_blocks(sound, int(SOUND_BLOCK_S * SAMPLE_RATE_HZ))):
                pcm, start_s = np.concatenate([carry, block]), carry_s
                end_s = start_s + len(pcm) / SAMPLE_RATE_HZ
                if index in done:
                    meta = journal.load("sound", index)[1]
                else:
                    meta = self._listen_block(pcm, start_s, language, last)
                    journal.save("sound", index, {}, meta)
                language, carry_s = meta["language"] or language, meta["next_s"]
                carry = pcm[len(pcm) - round((end_s - carry_s) * SAMPLE_RATE_HZ) :]
                self.on_progress(Progress("listening", end_s, info.duration_s))
        journal.save("sound", -1, {}, {})

    def _listen_block(self, pcm: np.ndarray, start_s: float, language: str | None, last: bool) -> dict[str, Any]:
        assert self.transcriber is not None
        end_s = start_s + len(pcm) / SAMPLE_RATE_HZ
        chunks = self.transcriber.speech_spans(pcm)
        next_s = end_s
        if not last and chunks and start_s + chunks[-1][1] > end_s - 1.0 and len(chunks) > 1:
            next_s = start_s + chunks.pop()[0]
        said: list[Utterance] = []
        for chunk_start_s, chunk_end_s in chunks:
            part = pcm[int(chunk_start_s * SAMPLE_RATE_HZ) : int(chunk_end_s * SAMPLE_RATE_HZ)]
            utterances, language = self.transcriber.transcribe(part, start_s + chunk_start_s, language)
            said += utterances
            self.on_progress(Progress("listening", start_s + chunk_end_s, 0))
        return {"said": [asdict(u) for u in said], "language": language or "", "next_s": next_s}

    # ------------------------------------------------------------------ record

    def _assemble(self, sha256: str, path: Path, info: VideoInfo, journal: Journal) -> Record:
        segments = _load_all(journal, "pictures")
        arrays = {name: np.concatenate([a[name] for a, _ in segments if name in a]) for name in _names(segments)}
        damage = [Damage(**d) for _, meta in segments for d in meta["damage"]]
        said = [Utterance(**u) for _, meta in _load_all(journal, "sound") for u in meta["said"]]
        frames = _stored_frames(arrays)
        duration_s = max([info.duration_s, *(u.end_s for u in said), *(f.time_s for f in frames)])
        if not frames and info.codec and not said:
            raise VideoUnreadable(f"{path}: no picture and no speech could be read; is the file complete?")
        texts = self._texts(frames, [lines for _, meta in segments for lines in meta["lines"]])
        cuts = [c for _, meta in segments for c in meta["cuts"]]
        changes = [c for _, meta in segments for c in meta["changes"]]
        clips = scenes.make_clips(duration_s, cuts, changes, holes=[(d.start_s, d.end_s) for d in damage])
        languages = [meta["language"] for _, meta in _load_all(journal, "sound") if meta["language"]]
        return Record(
            video_id=sha256[:16],
            sha256=sha256,
            path=str(path),
            title=clean_text(path.stem) or sha256[:16],
            info=info,
            profile=self.encoder.version,
            clips=clips,
            frames=frames,
            speech=said,
            texts=texts,
            damage=damage,
            vectors={
                "frames": arrays.get("pooled", np.zeros((0, 0), np.float32)),
                "speech": self.encoder.encode_texts([u.text for u in said]),
                "texts": self.encoder.encode_texts([t.text for t in texts]),
            },
            packed={name[7:]: array for name, array in arrays.items() if name.startswith("packed_")},
            language=languages[0] if languages else "",
            covered_s=_covered_s(clips),
            settings_key=self.settings_key,
        )

    def _texts(self, frames: list[StoredFrame], lines_of_kept: list[list[str]]) -> list[ScreenText]:
        """Return what stood on the screen; a frame that repeats a kept one shows its text."""
        if self.screen_reader is None:
            return []
        kept = [i for i, frame in enumerate(frames) if frame.thumbnail]
        lines = dict(zip(kept, lines_of_kept, strict=True))
        times_s = [frame.time_s for frame in frames]
        return self.screen_reader.gather(
            times_s, [lines[frame.shown_by] for frame in frames], self.options.sample_every_s
        )


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller may set of the indexer."""

    roots: tuple[Path, ...] = ()  # folders that videos may come from; none: anywhere
    max_bytes: int = 200 * 2**30
    sample_every_s: float = 1.0
    limits: video.Limits = field(default_factory=video.Limits)


def _stamp(fd: int) -> tuple[int, int]:
    facts = os.fstat(fd)
    return facts.st_size, facts.st_mtime_ns


def _blocks(sound: Iterable[np.ndarray], size: int) -> Iterator[tuple[np.ndarray, bool]]:
    """Yield the samples in blocks of `size`, and whether a block is the last."""
    held: list[np.ndarray] = []
    for piece in sound:
        held.append(piece)
        while sum(map(len, held)) > size:
            pcm = np.concatenate(held)
            yield pcm[:size], False
            held = [pcm[size:]]
    yield np.concatenate(held) if held else np.zeros(0, np.int16), True


def _load_all(journal: Journal, stage: str) -> list[tuple[dict[str, np.ndarray], dict[str, Any]]]:
    return [journal.load(stage, index) for index in sorted(journal.done(stage)) if index >= 0]


def _names(segments: list[tuple[dict[str, np.ndarray], dict[str, Any]]]) -> list[str]:
    return sorted({name for arrays, _ in segments for name in arrays})


def _stored_frames(arrays: dict[str, np.ndarray]) -> list[StoredFrame]:
    if not arrays:
        return []
    ends = np.cumsum(arrays["sizes"])
    blob = arrays["thumbs"].tobytes()
    thumbs = iter([blob[end - size : end] for end, size in zip(ends, arrays["sizes"], strict=True)])
    return [
        StoredFrame(float(t), int(by), float(novelty), next(thumbs) if by == i else b"")
        for i, (t, by, novelty) in enumerate(zip(arrays["times"], arrays["shown_by"], arrays["novelty"], strict=True))
    ]


def _covered_s(clips: list[Clip]) -> float:
    return float(sum(clip.end_s - clip.start_s for clip in clips))


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
        num_kept=sum(bool(frame.thumbnail) for frame in record.frames),
        num_utterances=len(record.speech),
        num_texts=len(record.texts),
        damage=record.damage,
        seconds=round(seconds, 3),
    )
