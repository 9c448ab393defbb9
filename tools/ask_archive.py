"""Ask many videos one question, and get one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hicom_agent.tools.ask_video import check_not_empty, check_question
from hicom_agent.tools.filters import choose_videos

if TYPE_CHECKING:
    from hicom_agent.agent import Budget
    from hicom_agent.memory import VideoFilter
    from hicom_agent.tools.workspace import Workspace
    from hicom_agent.types import Answer


def ask_archive(
    workspace: Workspace,
    question: str,
    which: VideoFilter | None = None,
    budget: Budget | None = None,
    max_videos: int | None = None,
) -> Answer:
    """Return one answer from the likeliest of all videos, or of those that pass a filter, which share the budget.

    Raises InputError for an empty or overlong question and where no video passes, UnknownVideo where there is none.
    """
    question = check_question(question, workspace.settings.max_question_chars)
    with workspace.store() as store, store.snapshot() as still:
        check_not_empty(still, "run hicom-agent index PATH")
        chosen = choose_videos(still, (), which)
        from hicom_agent.agent import ASKED

        return workspace.agent(still).ask_archive(question, chosen, budget, max_videos or ASKED)
