"""MLVU, its dev set: seven tasks of multiple choice about videos of three minutes to two hours.

As published (MLVU/MVLU): `json/N_TASK.json`, each a list of video, duration, question, candidates, answer (the text of
one of them) and question_type; `video/N_TASK/VIDEO`. The two tasks of generation, sub_scene and summary, have no
candidates and are left out, as M-avg leaves them out. Names of videos are only unique within a task.
"""

from __future__ import annotations

import re
from pathlib import Path

from hicom_agent.errors import InputError
from hicom_agent.evaluation.layout import find_named, peek, read_entries
from hicom_agent.evaluation.questions import Question

TASKS = ("plotQA", "needle", "ego", "count", "order", "anomaly_reco", "topic_reasoning")
GENERATION = ("sub_scene", "summary")
_FILE = re.compile(rf"(?:\d_)?({'|'.join((*TASKS, *GENERATION))})")


def looks(folder: Path) -> bool:
    """Tell whether a folder, or the folder MLVU in it, holds this benchmark."""
    return any("question_type" in peek(file) for file in _files(folder))


def read(folder: Path) -> list[Question]:
    """Return the questions of multiple choice; raises InputError."""
    questions = []
    for file in _files(folder):
        task = _task(file)
        videos = [file.parents[1] / "video" / name for name in (file.stem, task)]
        for number, entry in enumerate(read_entries(file) if task in TASKS else ()):
            video, options = entry.text("video"), entry.texts("candidates")
            questions.append(
                Question(
                    id=f"{task}-{number}",
                    video=f"{task}/{video}",
                    path=find_named(videos, video, entry.where),
                    text=entry.text("question"),
                    options=options,
                    answer=entry.option("answer", options),
                    groups=(("task", entry.text("question_type")),),
                )
            )
    if not questions:
        raise InputError(f"{folder} has no task of multiple choice: {', '.join(TASKS)}")
    return questions


def _files(folder: Path) -> list[Path]:
    root = folder if (folder / "json").is_dir() else folder / "MLVU"
    return sorted(file for file in (root / "json").glob("*.json") if _FILE.fullmatch(file.stem))


def _task(file: Path) -> str:
    found = _FILE.fullmatch(file.stem)
    assert found is not None
    return found[1]
