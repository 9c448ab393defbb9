"""LVBench: 1,549 questions about 103 videos of an hour and more.

As published (THUDM/LVBench): `video_info.meta.jsonl`, a line for each video with key, type and qa, a list of uid,
question (with its options as lines "(A) ..."), answer (a letter), question_type (a list: a question counts in each) and
time_reference; the videos are `all_videos/KEY.mp4`, or fetched by the key into `videos/`. The same name of file is used
by MotionBench, which has no question_type as a list of LVBench's six.
"""

from __future__ import annotations

import re
from pathlib import Path

from hicom_agent.errors import InputError
from hicom_agent.evaluation.layout import Entry, find_video, first_of, peek, read_entries
from hicom_agent.evaluation.questions import LETTERS, Question

PLACES = ("video_info.meta.jsonl", "data/video_info.meta.jsonl")
VIDEOS = ("all_videos", "videos", "scripts/videos", "data/videos")
TYPES = (
    "key information retrieval",
    "event understanding",
    "summarization",
    "entity recognition",
    "reasoning",
    "temporal grounding",
)
_OPTION = re.compile(r"^\s*\(([A-Z])\)\s*", re.MULTILINE)


def looks(folder: Path) -> bool:
    """Tell whether a folder holds this benchmark."""
    file = first_of(folder, PLACES)
    return file is not None and {"key", "qa"} <= set(peek(file))


def read(folder: Path) -> list[Question]:
    """Return the questions; raises InputError."""
    file = first_of(folder, PLACES)
    assert file is not None, "looks is asked first"
    videos = [folder / name for name in VIDEOS]
    questions = []
    for entry in read_entries(file):
        asked = entry.fields.get("qa")
        if not isinstance(asked, list):
            raise entry.wrong("qa", "a list of questions")
        path = find_video(videos, entry.text("key"), entry.where)
        for number, fields in enumerate(asked, 1):
            one = Entry(fields, f"question {number} of {entry.where}")
            questions.append(_question(one, entry.text("key"), path, entry.text("type")))
    return questions


def _question(entry: Entry, key: str, path: Path | None, video_type: str) -> Question:
    text, options = split_options(entry)
    types = entry.fields.get("question_type")
    if not isinstance(types, list) or not types or not all(each in TYPES for each in types):
        raise entry.wrong("question_type", f"a list of some of {', '.join(TYPES)}")
    return Question(
        id=entry.name("uid"),
        video=key,
        path=path,
        text=text,
        options=options,
        answer=entry.letter("answer", len(options)),
        groups=(*(("task", each) for each in types), ("video", video_type)),
    )


def split_options(entry: Entry) -> tuple[str, tuple[str, ...]]:
    """Return the bare question and its options, which stand in one text; raises InputError."""
    parts = _OPTION.split(entry.text("question"))
    text, letters, options = parts[0].strip(), parts[1::2], [part.strip() for part in parts[2::2]]
    if not text or len(options) < 2 or "".join(letters) != LETTERS[: len(letters)] or not all(options):
        raise InputError(f"{entry.where}: expected a question and lines (A) ..., (B) ..., got {parts[0][:80]!r}")
    return text, tuple(options)
