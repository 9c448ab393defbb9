"""What a tool needs to do its work; `build` makes one, and loads a model only when it is asked for."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hicom_agent.agent import Agent
    from hicom_agent.ingest import Indexer
    from hicom_agent.memory import Store
    from hicom_agent.settings import Settings
    from hicom_agent.types import Frame, VideoInfo


class Workspace(Protocol):
    """Settings, store and models of one caller."""

    settings: Settings

    @property
    def note(self) -> str:
        """Return what the last answer went without and what to do, if anything."""

    def store(self, *, write: bool = False) -> AbstractContextManager[Store]:
        """Open the memory."""

    def probe(self, path: str | Path) -> VideoInfo:
        """Return what a file is; raises VideoRefused or VideoUnreadable."""

    def indexer(self, store: Store) -> Indexer:
        """Return what watches videos."""

    def agent(self, store: Store) -> Agent:
        """Return what answers questions."""

    def read_frames(self, path: str, times_s: list[float], side_px: int) -> list[Frame]:
        """Return frames of a video file at given times."""
