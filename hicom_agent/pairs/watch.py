"""One pass over a film: cuts by a loose threshold, keyframes of low mutual similarity, and from them the clips."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from hicom_agent import scenes, video
from hicom_agent.errors import InputError, VideoUnreadable
from hicom_agent.pairs.clips import Film, Watched, choose_scenes
from hicom_agent.pairs.likeness import Eye, Keyframes
from hicom_agent.types import Damage, Frame, Progress

if TYPE_CHECKING:
    from hicom_agent.pairs.terms import Terms
    from hicom_agent.types import VideoInfo

BATCH = 16  # pictures looked at once
Tell = Callable[[Progress], None]


def stamp(opened: video.OpenedVideo) -> tuple[int, int]:
    """Return size and time of the last change, by which a file that was watched is known again."""
    facts = os.fstat(opened.fd)
    return facts.st_size, facts.st_mtime_ns


def watch_film(
    opened: video.OpenedVideo, terms: Terms, eye: Eye, limits: video.Limits, on_progress: Tell = lambda progress: None
) -> Film:
    """Return the clips of a film; raises InputError for one that cannot be read, changes, or has no pictures."""
    info = video.probe(opened, limits)
    if not info.codec:
        raise VideoUnreadable(f"{str(opened.path)!r} has no moving pictures; only videos have clips")
    size_bytes, mtime_ns = before = stamp(opened)
    watched = _watch(opened, info, terms, eye, limits, on_progress)
    if stamp(opened) != before:
        raise InputError(f"{str(opened.path)!r} changed while it was watched; run the same command again")
    return Film(
        path=str(opened.path),
        size_bytes=size_bytes,
        mtime_ns=mtime_ns,
        duration_s=watched.duration_s,
        width_px=info.width_px,
        height_px=info.height_px,
        num_cuts=len(watched.cuts),
        num_keyframes=len(watched.keyframes_s),
        scenes=tuple(choose_scenes(watched, terms.num_pictures, terms.min_s, terms.max_s)),
        damage_s=sum(damage.end_s - damage.start_s for damage in watched.damage),
    )


def _watch(
    opened: video.OpenedVideo, info: VideoInfo, terms: Terms, eye: Eye, limits: video.Limits, on_progress: Tell
) -> Watched:
    cuts: set[float] = set()
    changes: list[float] = []
    damage: list[Damage] = []
    frames_s: list[float] = []
    keyframes_s: list[float] = []
    gate, keyframes = scenes.ChangeGate(), Keyframes(eye, terms.similarity)
    plan = video.StreamPlan(side_px=terms.side_px)
    with closing(video.stream(opened, plan, limits)) as items:
        for segment in scenes.split_segments(items, 0):
            part = (segment.glimpses, segment.start_s, segment.end_s)
            cuts |= {*scenes.segment_cuts(*part), *scenes.segment_cuts(*part, "loose")}
            changes += scenes.segment_changes(*part)
            damage += segment.damage
            keyframes_s += _keyframes(segment.frames, len(frames_s), gate, keyframes)
            frames_s += [frame.time_s for frame in segment.frames]
            done_s = min(segment.end_s, info.duration_s or segment.end_s)
            note = f"{opened.path.name}, {len(keyframes_s)} keyframes"
            on_progress(Progress("watching", done_s, info.duration_s, "s", note))
    duration_s = info.duration_s or max([*frames_s, *(hole.end_s for hole in damage)], default=0.0)
    return Watched(duration_s, sorted(cuts), changes, damage, frames_s, keyframes_s)


def _keyframes(frames: list[Frame], num_before: int, gate: scenes.ChangeGate, keyframes: Keyframes) -> list[float]:
    """Return the times of a segment's keyframes; only what no earlier frame shows is compared at all."""
    new = [frame for i, frame in enumerate(frames) if gate.add(frame, num_before + i)[0] == num_before + i]
    found = []
    for i in range(0, len(new), BATCH):
        batch = new[i : i + BATCH]
        chosen = keyframes.choose([frame.picture for frame in batch])
        found += [frame.time_s for frame, is_key in zip(batch, chosen, strict=True) if is_key]
    return found
