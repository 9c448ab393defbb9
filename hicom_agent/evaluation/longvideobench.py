"""LongVideoBench, its validation set: 1,337 questions that refer to moments in videos of up to an hour.

As published (longvideobench/LongVideoBench): `lvb_val.json`, a list of video_id, video_path, subtitle_path, question,
candidates (three to five), correct_choice (a number), duration_group (15, 60, 600 or 3600 seconds), question_category,
starting_timestamp_for_subtitles, duration, id; `videos/`, and `subtitles/` in JSON. Videos were cut out of longer ones
and the subtitles were not, so these begin at starting_timestamp_for_subtitles.
"""

from __future__ import annotations

from pathlib import Path

from hicom_agent.evaluation.layout import Entry, find_named, read_entries
from hicom_agent.evaluation.questions import Question

FILE = "lvb_val.json"
DURATIONS = {15: "8-15 s", 60: "15-60 s", 600: "180-600 s", 3600: "900-3600 s"}


def looks(folder: Path) -> bool:
    """Tell whether a folder holds this benchmark."""
    return (folder / FILE).is_file()


def read(folder: Path) -> list[Question]:
    """Return the questions; raises InputError."""
    return [_question(folder, entry) for entry in read_entries(folder / FILE)]


def _question(folder: Path, entry: Entry) -> Question:
    options, duration = entry.texts("candidates"), int(entry.number("duration_group"))
    if duration not in DURATIONS:
        raise entry.wrong("duration_group", f"one of {', '.join(map(str, DURATIONS))}")
    groups = (("duration", DURATIONS[duration]), ("task", entry.text("question_category")))
    return Question(
        id=entry.text("id"),
        video=entry.text("video_path"),
        path=find_named([folder / "videos"], entry.text("video_path"), entry.where),
        text=entry.text("question"),
        options=options,
        answer=entry.index("correct_choice", len(options)),
        groups=groups,
        subtitles=find_named([folder / "subtitles"], entry.text("subtitle_path"), entry.where),
        subtitles_from_s=entry.number("starting_timestamp_for_subtitles", 0.0),
    )
