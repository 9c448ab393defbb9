"""What the journal holds of a video, put together into one record: a pure function of the saved segments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hicom_agent import scenes
from hicom_agent.errors import VideoUnreadable
from hicom_agent.ingest import pictures, sound
from hicom_agent.types import Damage, Record, ScreenText, StoredFrame, Utterance, clean_text

if TYPE_CHECKING:
    from hicom_agent.memory import Journal
    from hicom_agent.types import VideoInfo

Saved = list[tuple[dict[str, np.ndarray], dict[str, Any]]]


def assemble(sha256: str, path: Path, info: VideoInfo, journal: Journal, watcher: pictures.Watcher, key: str) -> Record:
    """Return the record of a video whose pictures and sound are in the journal.

    Raises VideoUnreadable if there is neither a picture nor speech in it.
    """
    segments = _load_all(journal, pictures.STAGE)
    blocks = _load_all(journal, sound.STAGE)
    names = sorted({name for arrays, _ in segments for name in arrays})
    arrays = {name: np.concatenate([a[name] for a, _ in segments if name in a]) for name in names}
    frames = _frames(arrays)
    damage = [Damage(**fields) for _, meta in segments for fields in meta["damage"]]
    said = [Utterance(**fields) for _, meta in blocks for fields in meta["said"]]
    if not frames and not info.audio_codec:
        why = f": {damage[0].reason}" if damage else ""
        raise VideoUnreadable(f"{path}: no picture could be read{why}; is the file complete?")
    texts = _texts(frames, [lines for _, meta in segments for lines in meta["lines"]], watcher)
    duration_s = max([info.duration_s, *(u.end_s for u in said), *(f.time_s for f in frames)])
    cuts = [time_s for _, meta in segments for time_s in meta["cuts"]]
    changes = [time_s for _, meta in segments for time_s in meta["changes"]]
    clips = scenes.make_clips(duration_s, cuts, changes, holes=[(d.start_s, d.end_s) for d in damage])
    encode = watcher.encoder.encode_texts
    return Record(
        video_id=sha256[:16],
        sha256=sha256,
        path=str(path),
        title=clean_text(path.stem) or sha256[:16],
        info=info,
        profile=watcher.encoder.version,
        clips=clips,
        frames=frames,
        speech=said,
        texts=texts,
        damage=damage,
        vectors={
            "frames": arrays.get("pooled", np.zeros((0, 0), np.float32)),
            "speech": encode([utterance.text for utterance in said]),
            "texts": encode([text.text for text in texts]),
        },
        packed={name[7:]: array for name, array in arrays.items() if name.startswith("packed_")},
        language=next((meta["language"] for _, meta in blocks if meta["language"]), ""),
        covered_s=float(sum(clip.end_s - clip.start_s for clip in clips)),
        settings_key=key,
    )


def _load_all(journal: Journal, stage: str) -> Saved:
    return [journal.load(stage, index) for index in sorted(journal.done(stage))]


def _frames(arrays: dict[str, np.ndarray]) -> list[StoredFrame]:
    if not arrays:
        return []
    ends = np.cumsum(arrays["sizes"])
    blob = arrays["thumbs"].tobytes()
    thumbs = iter([blob[end - size : end] for end, size in zip(ends, arrays["sizes"], strict=True)])
    rows = zip(arrays["times"], arrays["shown_by"], arrays["novelty"], strict=True)
    return [
        StoredFrame(float(time_s), int(by), float(novelty), next(thumbs) if by == i else b"")
        for i, (time_s, by, novelty) in enumerate(rows)
    ]


def _texts(frames: list[StoredFrame], lines_of_kept: list[list[str]], watcher: pictures.Watcher) -> list[ScreenText]:
    """Return what stood on the screen; a frame that repeats a kept one shows its text."""
    if watcher.screen_reader is None:
        return []
    kept = [i for i, frame in enumerate(frames) if frame.shown_by == i]
    lines = dict(zip(kept, lines_of_kept, strict=True))
    times_s = [frame.time_s for frame in frames]
    found = watcher.screen_reader.gather(times_s, [lines[frame.shown_by] for frame in frames], watcher.sample_every_s)
    return join_blocks(found)


def join_blocks(lines: list[ScreenText]) -> list[ScreenText]:
    """Return lines that come and go together as one text: a heading belongs to what stands under it.

    >>> join_blocks([ScreenText(1, 4, "Ferry"), ScreenText(1, 4, "10:30"), ScreenText(2, 4, "Exit")])[0].text
    'Ferry. 10:30'
    """
    blocks: dict[tuple[float, float], list[str]] = {}
    for line in lines:
        blocks.setdefault((line.start_s, line.end_s), []).append(line.text)
    return [ScreenText(start_s, end_s, ". ".join(texts)) for (start_s, end_s), texts in blocks.items()]
