"""Pictures as they are handed out, painted where they answer to a question if there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hicom_agent.tools.ask_video import check_question
from hicom_agent.types import timecode

if TYPE_CHECKING:
    from hicom_agent.memory import Store
    from hicom_agent.tools.workspace import Workspace


class Painter:
    """Paints frames of a store under one question; without one it leaves them as they are."""

    def __init__(self, workspace: Workspace, store: Store, question: str | None) -> None:
        """Raise InputError for an empty or overlong question."""
        self._store, self._workspace, self._question = store, workspace, question
        if question is not None:
            self._question = check_question(question, workspace.settings.max_question_chars)

    def frame(self, video_id: str, index: int, time_s: float, frame_id: str, jpeg: bytes) -> dict[str, Any]:
        """Return time, timecode, frame id and JPEG of a sampled frame.

        With a question the JPEG is painted, and with it come the heat of each place, [h][w] over the whole picture from
        0 to 1, and the strongest as the frame's relevance.
        """
        shown = {"time_s": time_s, "timecode": timecode(time_s), "frame_id": frame_id, "jpeg": jpeg}
        if self._question is None:
            return shown
        from hicom_agent.agent.where import heat
        from hicom_agent.draw import paint_heat

        encoder = self._workspace.agent(self._store).encoder
        grid = heat(self._store, encoder, video_id, self._question, index).astype(float)
        told = {"relevance": round(grid.max(), 3), "heat": grid.round(3).tolist()}
        return {**shown, "jpeg": paint_heat(jpeg, grid), **told}
