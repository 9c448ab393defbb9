"""Video-MME: 2,700 questions about 900 videos.

As published (lmms-lab/Video-MME): `videomme/test-00000-of-00001.parquet` with video_id, duration (short, medium, long),
domain, sub_category, url, videoID, question_id, task_type, question, options (four texts such as "A. Apples."), answer
(a letter); the videos unpack to `data/VIDEOID.mp4`, the subtitles to `subtitle/VIDEOID.srt`. Most videos have some.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hicom_agent.errors import InputError, SetupError
from hicom_agent.evaluation.layout import Entry, find_named, find_video, first_of, unlettered
from hicom_agent.evaluation.questions import Question

FILE = "test-00000-of-00001.parquet"
PLACES = (f"videomme/{FILE}", FILE, f"data/{FILE}")
COLUMNS = ("videoID", "question_id", "duration", "domain", "sub_category", "task_type", "question", "options", "answer")
DURATIONS = ("short", "medium", "long")


def looks(folder: Path) -> bool:
    """Tell whether a folder holds this benchmark; without pyarrow by the names of its files."""
    file = first_of(folder, PLACES)
    if file is None or (folder / "lvb_val.json").is_file():
        return False
    return importlib.util.find_spec("pyarrow") is None or {"videoID", "question_id"} <= set(_columns(file))


def read(folder: Path) -> list[Question]:
    """Return the questions; raises InputError, SetupError without pyarrow."""
    file = first_of(folder, PLACES)
    assert file is not None, "looks is asked first"
    videos, subtitles = [folder / name for name in ("data", "videos", "video")], [folder / "subtitle"]
    questions = []
    for number, row in enumerate(_rows(file), 1):
        entry = Entry(row, f"row {number} of {file}")
        options = tuple(unlettered(option, i) for i, option in enumerate(entry.texts("options")))
        video, duration = entry.text("videoID"), entry.text("duration")
        if duration not in DURATIONS:
            raise entry.wrong("duration", f"one of {', '.join(DURATIONS)}")
        groups = {"duration": duration, "task": entry.text("task_type"), "domain": entry.text("domain")}
        questions.append(
            Question(
                id=entry.text("question_id"),
                video=video,
                path=find_video(videos, video, entry.where),
                text=entry.text("question"),
                options=options,
                answer=entry.letter("answer", len(options)),
                groups=tuple(groups.items()),
                subtitles=find_named(subtitles, f"{video}.srt", entry.where),
            )
        )
    return questions


@contextmanager
def _parquet(file: Path) -> Iterator[Any]:
    """Yield an open file; raises InputError for what cannot be read of it, SetupError without pyarrow."""
    if importlib.util.find_spec("pyarrow") is None:
        raise SetupError(f"{file.name} needs the package pyarrow; run: pip install 'hicom-agent[archive]'")
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as opened:
            yield opened
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise InputError(f"cannot read {file}: {str(error)[:200]}") from error


def _columns(file: Path) -> list[str]:
    with suppress(InputError), _parquet(file) as parquet:
        return list(parquet.schema_arrow.names)
    return []


def _rows(file: Path) -> list[dict[str, Any]]:
    with _parquet(file) as parquet:
        if missing := sorted(set(COLUMNS) - set(parquet.schema_arrow.names)):
            raise InputError(f"{file}: no column {missing[0]!r}; expected {', '.join(COLUMNS)}")
        return list(parquet.read(columns=list(COLUMNS)).to_pylist())
