"""Ask one video one question."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hicom_agent.errors import InputError, UnknownVideo
from hicom_agent.tools.index_video import index_video

if TYPE_CHECKING:
    from hicom_agent.tools.workspace import Workspace
    from hicom_agent.types import Answer


def ask_video(workspace: Workspace, video: str, question: str) -> Answer:
    """Return the answer from what was seen, said and written in `video`, a path, id or unique part of a title.

    A file that is not in memory is indexed first. Raises InputError for an empty or overlong question, UnknownVideo.
    """
    question = check_question(question, workspace.settings.max_question_chars)
    with workspace.store() as store:
        try:
            video_id = store.find_video(video)
        except UnknownVideo as error:
            if not Path(video).exists():
                where = f"no file {video}, and " if "/" in video else ""
                raise UnknownVideo(f"{where}{error}") from error
            video_id = ""
    if not video_id:
        video_id = index_video(workspace, video).video_id
    with workspace.store() as store, store.snapshot() as still:
        return workspace.agent(still).ask(video_id, question)


def check_question(question: str, max_chars: int, what: str = "question") -> str:
    """Return the question without surrounding space; raise InputError if nothing is left or it is too long."""
    question = question.strip()
    if not question:
        raise InputError(f'the {what} is empty; ask something like "when does a car drive through?"')
    if len(question) > max_chars:
        raise InputError(f"the {what} has {len(question)} characters; at most {max_chars} are read")
    return question
