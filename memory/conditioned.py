"""The conditioned tier: what questions made of videos, kept so that a later question can use it again.

    <store>/conditioned/looks.sqlite   who looked for what, where that is seen, and where the tokens of each clip lie
                        tokens-1.bin   the tokens, one entry for each (clip, question)

It costs time to lose and nothing else: what is not whole, not of this generation of the video or not of this model is
as if it were not there, and where nothing can be written, nothing is remembered. Many processes may read and write.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hicom_agent.memory.disk import crash_point
from hicom_agent.memory.looks import Looks, add_count, counts, drop_looks, evict, file_number, live_bytes, touch
from hicom_agent.memory.queries import VideoRow
from hicom_agent.memory.tokens import TokenFile, pack_clip, pack_tokens, unpack_clip, unpack_tokens
from hicom_agent.types import Clip, CompressedClip

FOLDER = "conditioned"
VIEW = -1  # in the place of a clip: tokens of several clips together, as a language model read them
_WASTE = 0.25  # share of the token file that may be dead
_LEAST_BYTES = 1 << 20  # dead bytes that are not worth a compaction
_OF = "video_id = ? AND indexed_at = ? AND profile = ?"

Reuse = Literal["alike", "same", "nothing"]  # of a question that means the same, of the very same words, of none
Floats = NDArray[np.float32]
Rows = list[tuple[Any, ...]]
_Row = tuple[int, int, str, bytes]  # look, clip, frames, attended


@dataclass(frozen=True, slots=True)
class Asked:
    """A question whose look at a video is kept."""

    key: int
    text: str  # what it looks for
    vector: Floats  # of the text, among sentences


@dataclass(frozen=True, slots=True)
class Look:
    """What one question made of one whole video."""

    key: int  # where it is kept; -1 if nowhere
    text: str  # what was looked for
    vector: Floats  # of the text, among sentences
    guide: Floats  # [e], of the question, under which clips are compressed
    presence: Floats  # [t], how likely each sampled frame shows it


@dataclass(frozen=True, slots=True)
class Kept:
    """How much is kept, and how often it was of use."""

    num_looks: int
    num_clips: int
    bytes: int  # of tokens
    file_bytes: int
    max_bytes: int
    hits: int
    misses: int
    evicted: int  # looks that had to go for want of room


class Conditioned:
    """The conditioned tier of one store; no method fails for what the disk does."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        """Nothing is kept with `max_bytes` of 0."""
        self._folder, self._max_bytes = root / FOLDER, max_bytes
        self.reuse: Reuse = "alike"  # what a question may use of earlier ones
        self._looks = Looks(self._folder)
        self._files: dict[int, TokenFile] = {}

    def close(self) -> None:
        """Let go of the files."""
        self._looks.close()
        for file in self._files.values():
            file.close()
        self._files.clear()

    def asked(self, video: VideoRow) -> list[Asked]:
        """Return the questions whose looks at this generation of a video are kept, newest first."""
        query = f"SELECT id, text, vector FROM looks WHERE {_OF} ORDER BY id DESC"
        rows: Rows = self._looks.read(lambda db: db.execute(query, _of(video)).fetchall(), [])
        return [Asked(key, text, np.frombuffer(vector, np.float32)) for key, text, vector in rows]

    def recall(self, key: int) -> Look | None:
        """Return a look, and remember that it was of use."""
        query = "SELECT text, vector, guide, presence FROM looks WHERE id = ?"
        row = self._looks.read(lambda db: db.execute(query, [key]).fetchone(), None)
        if row is None:
            return None
        self._looks.write(lambda db: touch(db, key), None)
        return Look(key, row[0], *(np.frombuffer(blob, np.float32).copy() for blob in row[1:]))

    def clip(self, key: int, clip: Clip) -> CompressedClip | None:
        """Return a clip as it was compressed under the question of a look, None if that is not kept."""
        data = self._entry(key, clip.index)
        with suppress(ValueError):
            return unpack_clip(data, clip) if data is not None else None
        return None

    def view(self, key: int, frames: str) -> Floats | None:
        """Return the tokens [n, d] that a language model read of these frames, None if they are not kept."""
        data = self._entry(key, VIEW, frames)
        with suppress(ValueError):
            return unpack_tokens(data) if data is not None else None
        return None

    def search(self, video: VideoRow, guide: Floats, limit: int) -> list[tuple[int, float]]:
        """Return the clips that earlier questions looked at for something like `guide` [e]; cosines, best first."""
        query = f"SELECT clip, attended FROM tokens JOIN looks ON look = id WHERE {_OF} AND clip >= 0"
        found: Rows = self._looks.read(lambda db: db.execute(query, _of(video)).fetchall(), [])
        rows = [row for row in found if len(row[1]) == 2 * len(guide)]
        if not rows:
            return []
        attended = np.stack([np.frombuffer(row[1], np.float16) for row in rows]).astype(np.float32)
        cosines = attended @ np.asarray(guide, np.float32) / max(float(np.linalg.norm(guide)), 1e-9)
        best: dict[int, float] = {}
        for row in np.argsort(-cosines, kind="stable").tolist():
            best.setdefault(int(rows[row][0]), float(cosines[row]))
        return list(best.items())[:limit]

    def kept(self, video_id: str = "") -> Kept:
        """Return how much is kept, of one video or of all; hits, misses and what was evicted are always of all."""

        def count(db: sqlite3.Connection) -> Kept:
            some = "WHERE ? IN ('', video_id)"
            (looks,) = db.execute(f"SELECT count(*) FROM looks {some}", [video_id]).fetchone()
            query = f"SELECT count(*), coalesce(sum(size), 0) FROM tokens JOIN looks ON look = id {some}"
            clips, size = db.execute(query, [video_id]).fetchone()
            told = [counts(db).get(name, 0) for name in ("hits", "misses", "evicted")]
            return Kept(looks, clips, size, self._file(file_number(db)).num_bytes(), self._max_bytes, *told)

        return self._looks.read(count, Kept(0, 0, 0, 0, self._max_bytes, 0, 0, 0))

    def times(self, video_id: str) -> set[float]:
        """Return when the generations of a video were made of which something is kept."""
        query = "SELECT DISTINCT indexed_at FROM looks WHERE video_id = ?"
        rows: Rows = self._looks.read(lambda db: db.execute(query, [video_id]).fetchall(), [])
        return {row[0] for row in rows}

    def remember(self, video: VideoRow, look: Look, clips: Sequence[CompressedClip]) -> int:
        """Keep a look at a video with the clips that it compressed, and return its key; -1 if it cannot be kept."""
        if not self._max_bytes:
            return -1

        def keep(db: sqlite3.Connection) -> int:
            db.execute("DELETE FROM looks WHERE video_id = ? AND indexed_at < ?", [video.video_id, video.indexed_at])
            blobs = [np.ascontiguousarray(a, np.float32).tobytes() for a in (look.vector, look.guide, look.presence)]
            columns = "video_id, indexed_at, profile, text, vector, guide, presence, used_at"
            row = [*_of(video), look.text, *blobs, time.time()]
            db.execute(f"INSERT OR IGNORE INTO looks ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            add_count(db, "misses")
            query = f"SELECT id FROM looks WHERE {_OF} AND text = ?"
            key = int(db.execute(query, [*_of(video), look.text]).fetchone()[0])
            self._put(db, *_entries_of(key, clips))
            return key

        key = self._looks.write(keep, -1, then=self._sweep)
        self._tidy()
        return key

    def extend(self, key: int, clips: Sequence[CompressedClip]) -> None:
        """Keep more clips of a look."""
        self._append(*_entries_of(key, clips))

    def keep_view(self, key: int, frames: str, tokens: Floats) -> None:
        """Keep the tokens [n, d] of `frames`, words that say which frames these are, as a language model reads them."""
        self._append([(key, VIEW, frames, b"")], [pack_tokens(tokens)])

    def forget(self, video_id: str) -> None:
        """Remove all that is kept of a video, from the disk too."""
        if self._looks.exists:
            self._looks.write(lambda db: drop_looks(db, "video_id = ?", video_id), None)
            self._tidy(force=True)

    def check(self) -> list[str]:
        """Return what is kept and not whole, in words; it is not used, and `mend` drops it."""
        query = "SELECT video_id, text, clip, file, place, size, crc FROM tokens JOIN looks ON look = id"

        def find(db: sqlite3.Connection) -> list[str]:
            return [
                f"tokens of {video_id} for {text!r}, clip {clip}"
                for video_id, text, clip, file, *where in db.execute(query).fetchall()
                if self._file(file).read(*where) is None
            ]

        return self._looks.read(find, [])

    def mend(self, known: Mapping[str, float]) -> int:
        """Drop what is not whole or of no generation in `known` (video: when indexed); return how many entries."""

        def drop(db: sqlite3.Connection) -> int:
            before: int = db.execute("SELECT count(*) FROM tokens").fetchone()[0]
            for key, video_id, at in db.execute("SELECT id, video_id, indexed_at FROM looks").fetchall():
                if known.get(video_id) != at:
                    drop_looks(db, "id = ?", key)
            query = "SELECT file, place, size, crc, look, clip, frames FROM tokens"
            for file, place, size, crc, *key in db.execute(query).fetchall():
                if self._file(file).read(place, size, crc) is None:
                    db.execute("DELETE FROM tokens WHERE look = ? AND clip = ? AND frames = ?", key)
            return before - int(db.execute("SELECT count(*) FROM tokens").fetchone()[0])

        return self._looks.write(drop, 0) if self._looks.exists else 0

    def _append(self, rows: Sequence[_Row], entries: Sequence[bytes]) -> None:
        if rows:
            self._looks.write(lambda db: self._put(db, rows, entries), None, then=self._sweep)
            self._tidy()

    def _put(self, db: sqlite3.Connection, rows: Sequence[_Row], entries: Sequence[bytes]) -> None:
        """Write entries and then say where they are: what a killed writer leaves between is dead, and goes later."""
        if not rows or sum(map(len, entries)) > self._max_bytes:
            return
        number = file_number(db)
        places = self._file(number).append(entries)
        crash_point("tokens-written")
        insert = "INSERT OR REPLACE INTO tokens SELECT ?, ?, ?, ?, ?, ?, ?, ?"
        query = f"{insert} WHERE EXISTS (SELECT 1 FROM looks WHERE id = ?)"
        db.executemany(query, [(*row, number, *at, row[0]) for row, at in zip(rows, places, strict=True)])
        crash_point("tokens-known")

    def _tidy(self, *, force: bool = False) -> None:
        """Let go of the looks not used for longest while there is too much, and of dead bytes while there are many."""

        def is_wasteful(db: sqlite3.Connection, live: int) -> bool:
            size = self._file(file_number(db)).num_bytes()
            return size - live > (0 if force else max(_LEAST_BYTES, _WASTE * size))

        def needs(db: sqlite3.Connection) -> bool:
            live = live_bytes(db)
            return live > self._max_bytes or is_wasteful(db, live)

        def tidy(db: sqlite3.Connection) -> None:
            if is_wasteful(db, evict(db, self._max_bytes)):
                self._compact(db)

        if self._looks.read(needs, False):  # seldom, and a transaction that writes costs more
            self._looks.write(tidy, None, then=self._sweep)

    def _compact(self, db: sqlite3.Connection) -> None:
        """Write what is alive into the next file, inside the caller's transaction."""
        number = file_number(db)
        target = self._file(number + 1)
        target.path.unlink(missing_ok=True)
        query = "SELECT place, size, crc, look, clip, frames FROM tokens WHERE file = ? ORDER BY place"
        for place, size, crc, *key in db.execute(query, [number]).fetchall():
            data = self._file(number).read(place, size, crc)
            if data is None:
                db.execute("DELETE FROM tokens WHERE look = ? AND clip = ? AND frames = ?", key)
                continue
            [(moved, _, _)] = target.append([data])
            change = "UPDATE tokens SET file = ?, place = ? WHERE look = ? AND clip = ? AND frames = ?"
            db.execute(change, [number + 1, moved, *key])
        add_count(db, "compactions")
        crash_point("tokens-compacted")

    def _sweep(self, db: sqlite3.Connection) -> None:
        """Remove token files that compaction replaced, and what a killed one left."""
        current = self._file(file_number(db))
        for number in [number for number, file in self._files.items() if file is not current]:
            self._files.pop(number).close()
        for path in self._folder.glob("tokens-*.bin"):
            if path != current.path:
                path.unlink(missing_ok=True)

    def _entry(self, key: int, clip: int, frames: str = "") -> bytes | None:
        query = "SELECT file, place, size, crc FROM tokens WHERE look = ? AND clip = ? AND frames = ?"

        def read(db: sqlite3.Connection) -> bytes | None:
            row = db.execute(query, [key, clip, frames]).fetchone()
            return self._file(row[0]).read(*row[1:]) if row else None

        return self._looks.read(read, None)  # under its lock: a file is closed when it is replaced

    def _file(self, number: int) -> TokenFile:
        return self._files.setdefault(number, TokenFile(self._folder / f"tokens-{number}.bin"))


def _entries_of(key: int, clips: Sequence[CompressedClip]) -> tuple[list[_Row], list[bytes]]:
    """Return rows and entries of the clips of a look."""
    attended = [np.ascontiguousarray(clip.attended, np.float16).tobytes() for clip in clips]
    rows = [(key, clip.clip.index, "", vector) for clip, vector in zip(clips, attended, strict=True)]
    return rows, [pack_clip(clip) for clip in clips]


def _of(video: VideoRow) -> list[str | float]:
    """Return which generation is meant, by when it was made: versions begin anew for a video that was forgotten."""
    return [video.video_id, video.indexed_at, video.profile]
