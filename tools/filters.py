"""Which videos are meant, as people and agents write it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from hicom_agent.errors import InputError
from hicom_agent.types import parse_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hicom_agent.memory import Store, VideoFilter


def read_filter(
    folder: str = "",
    indexed_after: str = "",
    indexed_before: str = "",
    duration: tuple[str, str] = ("", ""),
    language: str = "",
) -> VideoFilter | None:
    """Return the filter that these words mean, None if they are all empty; `duration` is the shortest and the longest.

    Days are local, and a day begins at midnight. Raises InputError for a time or a duration that is none.
    """
    from hicom_agent.memory import VideoFilter

    shortest, longest = (_seconds(text) if text else None for text in duration)
    after, before = (_moment(text) if text else None for text in (indexed_after, indexed_before))
    given = {
        "folder": folder or None,
        "indexed_from_s": after,
        "indexed_until_s": before,
        "min_duration_s": shortest,
        "max_duration_s": longest,
        "language": language.strip().lower() or None,
    }
    told: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return VideoFilter(**told) if told else None


def choose_videos(store: Store, names: Sequence[str], which: VideoFilter | None) -> list[str] | None:
    """Return the ids of the named videos that pass a filter, None for all there are.

    Raises UnknownVideo for a name, InputError where nothing is left.
    """
    named = list(dict.fromkeys(store.find_video(name) for name in names))
    if which is None:
        return named or None
    passing = store.video_ids(which)
    chosen = [video_id for video_id in named if video_id in set(passing)] if named else passing
    if not chosen and (named or store.video_ids()):
        raise InputError("no indexed video is of this folder, time, length and language; see hicom-agent list")
    return chosen


def _seconds(text: str) -> float:
    try:
        return parse_time(text)
    except ValueError as error:
        raise InputError(str(error)) from error


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(
            f"{text[:40]!r} is no day; write it as 2026-01-31, or with a time: 2026-01-31T18:00"
        ) from error
