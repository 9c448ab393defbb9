"""EgoSchema: 5,031 questions about clips of three minutes, of which 500 have a public answer.

As published (egoschema/EgoSchema): `questions.json`, a list of q_uid, google_drive_id, question and "option 0" to
"option 4"; `subset_answers.json`, q_uid to the number of the right option; `videos/Q_UID.mp4`, or `good_clips_git/`.
The other answers are known to the benchmark's server alone, which takes a JSON object of q_uid to number.
"""

from __future__ import annotations

from pathlib import Path

from hicom_agent.evaluation.layout import Entry, find_video, peek, read_entries, read_json
from hicom_agent.evaluation.questions import Question

NUM_OPTIONS = 5


def looks(folder: Path) -> bool:
    """Tell whether a folder holds this benchmark."""
    file = folder / "questions.json"
    return file.is_file() and "q_uid" in peek(file)


def read(folder: Path) -> list[Question]:
    """Return the questions, most without an answer; raises InputError."""
    file = folder / "subset_answers.json"
    answers = Entry(read_json(file) if file.is_file() else {}, str(file))
    videos = [folder / name for name in ("videos", "good_clips_git")]
    questions = []
    for entry in read_entries(folder / "questions.json"):
        name = entry.text("q_uid")
        questions.append(
            Question(
                id=name,
                video=name,
                path=find_video(videos, name, entry.where),
                text=entry.text("question"),
                options=tuple(entry.text(f"option {i}") for i in range(NUM_OPTIONS)),
                answer=answers.index(name, NUM_OPTIONS) if name in answers.fields else None,
            )
        )
    return questions
