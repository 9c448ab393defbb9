"""Show what is remembered of one video, and how likely each moment of it shows what a question asks for."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicom_agent.errors import InputError
from hicom_agent.tools.ask_video import check_question
from hicom_agent.tools.same_file import changed

if TYPE_CHECKING:
    from hicom_agent.agent.where import Relevance
    from hicom_agent.tools.workspace import Workspace

PICTURES = 6  # of peaks, under a curve


def show_video(workspace: Workspace, video: str) -> dict[str, Any]:
    """Return the video's row, its clips with what is seen in them, transcript, texts and damage."""
    with workspace.store() as store:
        video_id = store.find_video(video)
        row = store.video(video_id)
        seen = workspace.agent(store).describe_clips(video_id)
        kept = store.conditioned.kept(video_id)
        return {
            "video": asdict(row),
            "warning": changed(workspace.settings, store, video_id, video),
            "conditioned": {
                "questions": kept.num_looks,
                "clips": kept.num_clips,
                "bytes": kept.bytes,
                "bytes_per_hour": round(3600 * kept.bytes / row.duration_s) if row.duration_s else 0,
            },
            "clips": [{**asdict(clip), "seen": words} for clip, words in seen],
            "speech": [asdict(said) for said in store.speech(video_id)],
            "texts": [asdict(text) for text in store.texts(video_id)],
            "damage": [asdict(damage) for damage in store.damage(video_id)],
        }


def show_relevance(workspace: Workspace, video: str, question: str, file: Path | None = None) -> dict[str, Any]:
    """Write a curve of how likely each sampled frame shows what is asked for, as a PNG, and return what it shows.

    Moments are those that an answer would cite as seen. Without a `file` it is named after the video, in the working
    folder. Raises InputError for an empty question, a video without pictures, and a file that cannot be written.
    """
    from hicom_agent.agent.evidence import SEEN_FROM
    from hicom_agent.agent.where import peaks, relevance
    from hicom_agent.draw import Curve, draw_curve

    question = check_question(question, workspace.settings.max_question_chars)
    with workspace.store() as store, store.snapshot() as still:
        video_id = still.find_video(video)
        row = still.video(video_id)
        warning = changed(workspace.settings, still, video_id, video)
        found = relevance(still, workspace.agent(still).encoder, video_id, question)
        best = [(i, still.thumbnail(f"{video_id}:{i}")) for i in peaks(found, PICTURES)]
        borders_s = [clip.start_s for clip in still.clips(video_id)]
    told = "shaded: moments that an answer cites" if found.moments else "no moment counts as seen"
    curve = Curve(
        title=question,
        below=f"{row.title}: how likely each frame shows it; {told}; dashes: seen from {SEEN_FROM}; ticks: clips",
        duration_s=row.duration_s,
        times_s=found.times_s,
        values=found.values,
        threshold=SEEN_FROM,
        spans_s=[(moment.start_s, moment.end_s) for moment in found.moments],
        borders_s=borders_s,
        pictures=[(float(found.times_s[i]), float(found.values[i]), jpeg) for i, jpeg in best],
    )
    file = file or Path(f"{_plain(row.title) or video_id}-relevance.png")
    try:
        file.write_bytes(draw_curve(curve))
    except OSError as error:
        raise InputError(f"cannot write {file}: {error.strerror}") from error
    return {
        "video_id": video_id,
        "question": question,
        "duration_s": row.duration_s,
        "seen_from": SEEN_FROM,
        **_numbers(found),
        "file": str(file),
        "warning": warning,
    }


def _plain(title: str) -> str:
    return re.sub(r"[^\w-]+", "-", title).strip("-")


def _numbers(found: Relevance) -> dict[str, Any]:
    """Return the curve and its moments for programs."""
    points = zip(found.times_s.tolist(), found.values.tolist(), strict=True)
    return {
        "points": [{"time_s": round(time_s, 3), "relevance": round(value, 3)} for time_s, value in points],
        "moments": [
            {
                "start_s": round(moment.start_s, 3),
                "end_s": round(moment.end_s, 3),
                "score": round(moment.support, 3),
                "frame_id": f"{moment.video_id}:{moment.index}",
            }
            for moment in found.moments
        ],
    }
