"""What the catalogue answers about one video or all of them, inside a reader's transaction."""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from hicom_agent.errors import UnknownVideo
from hicom_agent.memory.catalog import CacheFile, Published
from hicom_agent.memory.naming import short
from hicom_agent.types import Clip, Damage, ScreenText, StoredFrame, Utterance, VideoInfo


@dataclass(frozen=True, slots=True)
class VideoRow:
    """One line of the list of videos."""

    video_id: str
    path: str  # where it lay when it was indexed
    title: str
    duration_s: float
    covered_s: float  # seconds that were decoded
    num_clips: int
    num_frames: int  # sampled
    num_kept: int  # of them, those that show something new
    profile: str
    settings_key: str  # what else the indexing depended on
    version: str  # "gen-000001"
    indexed_at: float  # seconds since 1970
    language: str
    bytes: int  # on the disk
    replaced: bool = False  # every path that it lay in holds another video by now


_COLUMNS = ", ".join(field.name for field in fields(VideoRow) if field.name != "replaced")
_WITHOUT_CLIPS = (
    "FROM videos JOIN caches ON caches.video = videos.key AND kind = 'frames'"
    " WHERE NOT EXISTS (SELECT 1 FROM caches c WHERE c.video = videos.key AND c.kind = 'clips')"
    " AND EXISTS (SELECT 1 FROM clips c JOIN frames f ON f.video = c.video"
    " WHERE c.video = videos.key AND f.time_s >= c.start_s AND f.time_s < c.end_s) ORDER BY video_id"
)


@dataclass(frozen=True, slots=True)
class VideoFilter:
    """Which videos count: those of which all that is set here holds."""

    folder: str = ""  # they lay there, or below it, when they were indexed
    indexed_from_s: float = 0.0  # seconds since 1970
    indexed_until_s: float = math.inf  # and before this
    min_duration_s: float = 0.0
    max_duration_s: float = math.inf
    language: str = ""  # of the speech, such as "en"
    profile: str = ""  # that made their vectors

    def conditions(self) -> tuple[str, dict[str, Any]]:
        """Return what SQL asks of a row of videos, and the values for it."""
        below = os.fsencode(os.path.join(os.path.abspath(self.folder), "")) if self.folder else b""  # noqa: PTH100, PTH118
        return (
            "substr(path, 1, :num_bytes) = :below AND indexed_at >= :indexed_from_s AND indexed_at < :indexed_until_s"
            " AND duration_s BETWEEN :min_duration_s AND :max_duration_s"
            " AND :language IN ('', language) AND :profile IN ('', profile)",
            {**asdict(self), "below": below, "num_bytes": len(below)},
        )


Place = tuple[str, int]  # video id, and index of an utterance or a text
EVERY = VideoFilter()


def video_rows(db: sqlite3.Connection) -> list[VideoRow]:
    """Return all videos by title, without a word on what was replaced."""
    return [_row(row) for row in db.execute(f"SELECT {_COLUMNS} FROM videos ORDER BY title, video_id")]


def video_ids(db: sqlite3.Connection, which: VideoFilter) -> list[str]:
    """Return the ids of the videos that pass a filter, in order."""
    condition, values = which.conditions() if which != EVERY else ("true", {})
    found = db.execute(f"SELECT video_id FROM videos WHERE {condition} ORDER BY video_id", values)
    return [video_id for (video_id,) in found]


def without_clips(db: sqlite3.Connection) -> list[str]:
    """Return the ids of videos that have vectors of frames and, written by an older version, none of their clips."""
    return [video_id for (video_id,) in db.execute(f"SELECT video_id {_WITHOUT_CLIPS}")]


def video_row(db: sqlite3.Connection, video_id: str) -> VideoRow:
    """Return one video; raises UnknownVideo."""
    return _row(db.execute(f"SELECT {_COLUMNS} FROM videos WHERE key = ?", [key_of(db, video_id)]).fetchone())


def _row(row: Sequence[Any]) -> VideoRow:
    return VideoRow(row[0], os.fsdecode(row[1]), *row[2:])


def key_of(db: sqlite3.Connection, video_id: str) -> int:
    """Return the row number of a video; raises UnknownVideo."""
    found = db.execute("SELECT key FROM videos WHERE video_id = ?", [video_id]).fetchone()
    if found is None:
        raise UnknownVideo(f"no indexed video has the id {short(video_id)}; see hicom-agent list")
    return int(found[0])


def where(db: sqlite3.Connection, video_id: str) -> Published:
    """Return which generation of a video is committed."""
    key = key_of(db, video_id)
    row = db.execute("SELECT video_id, version, manifest_sha256, profile FROM videos WHERE key = ?", [key]).fetchone()
    return Published(*row)


def examples(db: sqlite3.Connection, profile: str, besides: str) -> dict[str, Published]:
    """Return, for each kind of stored vectors, one generation of a profile that has some, of another video."""
    query = (
        "SELECT video_id, version, manifest_sha256, profile FROM videos WHERE profile = ? AND video_id != ?"
        " AND EXISTS (SELECT 1 FROM caches WHERE video = key AND kind = ?) LIMIT 1"
    )
    rows = {kind: db.execute(query, [profile, besides, kind]).fetchone() for kind in ("frames", "speech", "texts")}
    return {kind: Published(*row) for kind, row in rows.items() if row}


def info_of(db: sqlite3.Connection, video_id: str) -> VideoInfo:
    """Return what the container said of a video."""
    columns = "duration_s, width_px, height_px, codec, audio_codec"
    return VideoInfo(*db.execute(f"SELECT {columns} FROM videos WHERE key = ?", [key_of(db, video_id)]).fetchone())


def clips_of(db: sqlite3.Connection, video_id: str) -> list[Clip]:
    """Return the clips of a video in time order."""
    rows = db.execute("SELECT idx, start_s, end_s FROM clips WHERE video = ? ORDER BY idx", [key_of(db, video_id)])
    return [Clip(*row) for row in rows]


def frames_of(db: sqlite3.Connection, video_id: str) -> list[StoredFrame]:
    """Return the sampled frames of a video in time order, without their thumbnails."""
    columns = "time_s, shown_by, novelty"
    rows = db.execute(f"SELECT {columns} FROM frames WHERE video = ? ORDER BY idx", [key_of(db, video_id)])
    return [StoredFrame(time_s, shown_by, novelty, b"") for time_s, shown_by, novelty in rows]


def damage_of(db: sqlite3.Connection, video_id: str) -> list[Damage]:
    """Return the stretches that could not be decoded."""
    columns = "start_s, end_s, reason"
    rows = db.execute(f"SELECT {columns} FROM damage WHERE video = ? ORDER BY idx", [key_of(db, video_id)])
    return [Damage(*row) for row in rows]


def speech_of(db: sqlite3.Connection, video_id: str) -> list[Utterance]:
    """Return what is said in a video."""
    return [Utterance(*row) for row in _spans(db, "speech", video_id)]


def texts_of(db: sqlite3.Connection, video_id: str) -> list[ScreenText]:
    """Return what is written in a video."""
    return [ScreenText(*row) for row in _spans(db, "texts", video_id)]


def _spans(db: sqlite3.Connection, table: str, video_id: str) -> list[tuple[float, float, str]]:
    query = f"SELECT start_s, end_s, text FROM {table} WHERE video = ? ORDER BY idx"
    return db.execute(query, [key_of(db, video_id)]).fetchall()


_BESIDE = {  # right before and after; on the screen together
    "speech": "b.idx BETWEEN at - 1 AND at + 1",
    "texts": "(b.idx = at OR (b.start_s < a.end_s AND a.start_s < b.end_s))",
}


def lines_around(
    db: sqlite3.Connection, kind: Literal["speech", "texts"], places: Sequence[Place]
) -> list[list[tuple[int, Utterance | ScreenText]]]:
    """Return for each line it and those beside it, with their indices; nothing for one that is not there."""
    make: type[Utterance | ScreenText] = Utterance if kind == "speech" else ScreenText
    found: list[list[tuple[int, Utterance | ScreenText]]] = [[] for _ in places]
    asked = "SELECT key AS number, json_extract(value, '$[0]') AS asked_id, json_extract(value, '$[1]') AS at"
    query = (
        f"SELECT number, b.idx, b.start_s, b.end_s, b.text FROM ({asked} FROM json_each(?))"
        f" JOIN videos ON video_id = asked_id JOIN {kind} a ON a.video = videos.key AND a.idx = at"
        f" JOIN {kind} b ON b.video = videos.key AND {_BESIDE[kind]} ORDER BY number, b.idx"
    )
    for number, index, *row in db.execute(query, [json.dumps(places)]):
        found[number].append((index, make(*row)))
    return found


def indexed(
    db: sqlite3.Connection, kind: str, video_ids: Sequence[str] | None, profile: str
) -> list[tuple[Published, CacheFile]]:
    """Return the generations with vectors of a kind, of these videos (None: all) and this profile ("": any)."""
    only = "" if video_ids is None else "AND video_id IN (SELECT value FROM json_each(:ids))"
    rows = db.execute(
        "SELECT video_id, version, manifest_sha256, profile, file, caches.sha256 FROM videos"
        f" JOIN caches ON caches.video = videos.key AND kind = :kind WHERE :profile IN ('', profile) {only}"
        " ORDER BY video_id",
        {"kind": kind, "profile": profile, "ids": json.dumps(list(video_ids or []))},
    )
    return [(Published(*row[:4]), CacheFile(*row[4:])) for row in rows]
