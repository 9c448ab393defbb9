"""The memory of all videos in one folder: read by many, written by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from hicom_agent.errors import InputError
from hicom_agent.memory import files, queries
from hicom_agent.memory.catalog import Published, Readers
from hicom_agent.memory.conditioned import Conditioned
from hicom_agent.memory.disk import plain_errors
from hicom_agent.memory.files import SeenFile
from hicom_agent.memory.journal import Journal
from hicom_agent.memory.known import Known, Recent, Remembered
from hicom_agent.memory.naming import find_video
from hicom_agent.memory.queries import EVERY, Place, VideoFilter, VideoRow
from hicom_agent.memory.recovery import recover
from hicom_agent.memory.words import search_words
from hicom_agent.memory.writer import Writer
from hicom_agent.settings import TOKEN_BYTES
from hicom_agent.types import Clip, Damage, Record, ScreenText, StoredFrame, Utterance, VideoInfo

if TYPE_CHECKING:
    from hicom_agent.memory.arrays import Generation
    from hicom_agent.memory.generations import Manifest
    from hicom_agent.memory.vectors import Shelf
    from hicom_agent.types import Floats

Kind = Literal["frames", "speech", "texts", "clips"]
WordKind = Literal["speech", "texts"]


_NUM_FILMS = 16  # of which the frames are kept: to read those of an hour takes 20 ms, and each question needs them


class Store:
    """What is remembered of videos.

    Every reading method answers from one committed state. Inside `with store.snapshot() as still:` all calls of
    `still` answer from the same one, whatever a writer commits meanwhile; a snapshot is meant to last a question long.
    Reading is safe from many threads, also from those that share a snapshot while it is open.

    The index of a frame is its place in `frames(video_id)`, everywhere.
    """

    conditioned: Conditioned  # what questions made of videos; it has no snapshots, for it can be lost

    def __init__(self, root: Path, writer: Writer | None = None, token_bytes: int = TOKEN_BYTES) -> None:
        """Use `open`."""
        self._root = root
        self.conditioned = Conditioned(root, token_bytes)
        self._writer = writer
        self._readers = Readers(root)
        self._shelves: list[Shelf] = []  # one, made when arrays are first asked for
        self._remembered = Remembered()
        self._frames: Recent[Published, list[StoredFrame]] = Recent(_NUM_FILMS)
        self._known: Known | None = None  # of a snapshot

    @classmethod
    def open(cls, folder: Path, *, write: bool = False, token_bytes: int = TOKEN_BYTES) -> Store:
        """Open the store in `folder`; one that is not there reads as empty, and is made by writing.

        At most `token_bytes` of tokens compressed under questions are kept in it.

        Raises StoreBusy, StoreTooNew, StoreCorrupt, SetupError.
        """
        folder = Path(folder).absolute()
        store = cls(folder, Writer(folder) if write else None, token_bytes)
        try:
            if store._writer is not None:
                recover(store._writer.connect())
            with store.snapshot():
                pass
        except BaseException:
            store._close(clean=False)
            raise
        return store

    @property
    def root(self) -> Path:
        """Return the folder of the store."""
        return self._root

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all files and give up the lock."""
        self._close(clean=True)

    def _close(self, *, clean: bool) -> None:
        self._readers.close()
        self._remembered.forget()
        self._frames.forget()
        self.conditioned.close()
        for shelf in self._shelves:
            shelf.close()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close(clean=clean)

    def _writing(self) -> Writer:
        if self._writer is None:
            raise ValueError("this store was opened for reading; open it with write=True")
        return self._writer

    def journal(self, video_id: str, profile: str, settings_key: str) -> Journal:
        """Return what is finished of a video under this profile and these settings; anything else is dropped."""
        return self._writing().journal(video_id, profile, settings_key)

    def note_file(self, seen: SeenFile) -> None:
        """Keep that a file with the content of a video was seen, so that its path means that video from now on."""
        self._writing().note_file(seen)

    def commit(self, record: Record) -> str:
        """Make `record` the committed state of its video and return its version, such as "gen-000003"."""
        return self._writing().commit(record)

    def adopt(self, generation: Path, manifest: Manifest) -> str:
        """Make a copy of a generation of another store the committed state of its video; `shards.adopt` chooses it."""
        return self._writing().adopt(generation, manifest)

    def forget(self, video_id: str) -> None:
        """Remove a video and all that is kept of it; raises UnknownVideo."""
        self._writing().forget(video_id)
        self.conditioned.forget(video_id)

    @contextmanager
    def snapshot(self) -> Iterator[Store]:
        """Give a store that answers from one committed state as long as it is open."""
        if self._known is not None:
            yield self
            return
        with self._readers.snapshot() as db:
            still = Store(self._root)
            still._readers, still._shelves, still._known = self._readers, self._shelves, Known(db, self._remembered)
            still.conditioned, still._frames = self.conditioned, self._frames
            yield still

    @contextmanager
    def _knowing(self) -> Iterator[Known]:
        with self.snapshot() as still, plain_errors(self._root):
            assert still._known is not None, "a snapshot has a transaction"
            yield still._known

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._knowing() as known:
            yield known.db

    def videos(self) -> list[VideoRow]:
        """Return what there is, by title."""
        with self._knowing() as known:
            gone = files.replaced(self._files(known))
            return [replace(row, replaced=row.video_id in gone) for row in queries.video_rows(known.db)]

    def video(self, video_id: str) -> VideoRow:
        """Return one line of `videos`; raises UnknownVideo."""
        with self._knowing() as known:
            gone = files.replaced(self._files(known))
            return replace(queries.video_row(known.db, video_id), replaced=video_id in gone)

    def video_ids(self, which: VideoFilter = EVERY) -> list[str]:
        """Return the ids of the videos that pass a filter, in order."""
        with self._knowing() as known:
            if which == EVERY:
                return list(known.of("video ids", lambda db: queries.video_ids(db, EVERY)))
            return queries.video_ids(known.db, which)

    def without_clips(self) -> list[str]:
        """Return the ids of videos with frames to find and no vectors of clips: an older version has written them."""
        with self._knowing() as known:
            return queries.without_clips(known.db) if self._shelf().has_more(known, "frames", "clips") else []

    def find_video(self, name: str) -> str:
        """Return the id of the video that `name` means: id, path, title, file name, start of an id, or part of a title.

        Raises UnknownVideo, which names what there is.
        """
        with self._knowing() as known:
            return find_video(known.db, self._files(known), name, self._root)

    def seen_files(self, video_id: str) -> list[SeenFile]:
        """Return the files that a video was seen in, those seen last at the end."""
        with self._knowing() as known:
            return [seen for seen in self._files(known) if seen.video_id == video_id]

    def unfinished(self) -> list[tuple[str, str]]:
        """Return id and path of each video whose indexing was begun and not ended, "" where no path is known."""
        with self._reading() as db:
            return files.unfinished(db)

    def _files(self, known: Known) -> list[SeenFile]:
        return known.of("files", files.seen_files)

    def version(self, video_id: str) -> str:
        """Return the committed version of a video, such as "gen-000003"; raises UnknownVideo."""
        with self._reading() as db:
            return queries.where(db, video_id).version

    def info(self, video_id: str) -> VideoInfo:
        """Return what the container said of a video; raises UnknownVideo."""
        with self._reading() as db:
            return queries.info_of(db, video_id)

    def clips(self, video_id: str) -> list[Clip]:
        """Return the clips of a video in time order; raises UnknownVideo."""
        with self._reading() as db:
            return queries.clips_of(db, video_id)

    def frames(self, video_id: str) -> list[StoredFrame]:
        """Return the sampled frames of a video in time order, without thumbnails; raises UnknownVideo."""
        with self._reading() as db:
            return list(self._frames.of(queries.where(db, video_id), lambda: queries.frames_of(db, video_id)))

    def speech(self, video_id: str) -> list[Utterance]:
        """Return what is said in a video; raises UnknownVideo."""
        with self._reading() as db:
            return queries.speech_of(db, video_id)

    def texts(self, video_id: str) -> list[ScreenText]:
        """Return what is written in a video; raises UnknownVideo."""
        with self._reading() as db:
            return queries.texts_of(db, video_id)

    def lines_around(self, kind: WordKind, places: Sequence[Place]) -> list[list[tuple[int, Utterance | ScreenText]]]:
        """Return for each (video id, index) that line and those beside it, with their indices.

        Beside an utterance are those right before and after it, beside a text those on the screen together with it.
        """
        with self._reading() as db:
            return queries.lines_around(db, kind, places)

    def damage(self, video_id: str) -> list[Damage]:
        """Return what could not be decoded of a video; raises UnknownVideo."""
        with self._reading() as db:
            return queries.damage_of(db, video_id)

    def thumbnail(self, frame_id: str) -> bytes:
        """Return the JPEG of "VIDEO:INDEX", or of the kept frame that shows the same.

        Raises InputError where there is no such frame.
        """
        video_id, _, index = frame_id.rpartition(":")
        with self._opened(video_id) as generation:
            if not index.isdecimal() or int(index) >= generation.num_frames:
                raise InputError(f"no frame {frame_id[:80]!r}: give VIDEO:INDEX, INDEX below {generation.num_frames}")
            return generation.thumbnail(int(index))

    def features(self, video_id: str, frames: Sequence[int]) -> dict[str, NDArray[Any]]:
        """Return the packed features of frames, by name, one row for each of `frames`; only these are read.

        A frame that was not kept gets the row of the kept one that shows the same.
        Raises UnknownVideo, StoreCorrupt, and ValueError for a frame that is not there.
        """
        with self._opened(video_id) as generation:
            return generation.features(frames)

    def vectors(self, video_id: str, kind: Kind) -> Floats:
        """Return the unit vectors [n, e] of kept frames, utterances, texts or clips with frames; n = 0 if none."""
        with self._opened(video_id) as generation:
            return generation.vectors(kind)

    def widths(self, profile: str, besides: str = "") -> dict[str, int]:
        """Return how many numbers the vectors of a profile have, by kind, in another video than `besides`."""
        with self._reading() as db:
            found = queries.examples(db, profile, besides)
            return {kind: self._shelf().generation(which).vectors(kind).shape[1] for kind, which in found.items()}

    def search_vectors(
        self,
        kind: Kind,
        query: Floats,
        k: int,
        video_ids: Sequence[str] | None = None,
        *,
        profile: str = "",
        per_video: int | None = None,
    ) -> list[tuple[str, int, float]]:
        """Return the k entries nearest to `query` [e]: video id, index of the frame, utterance, text or clip, cosine.

        With `per_video`, at most so many of one video. Raises ValueError unless all these videos have vectors of this
        width: pass `profile` in a mixed store.
        """
        _check_question(k, video_ids)
        if not np.isfinite(query).all():
            raise ValueError("the question's vector holds what is not a number")
        with self._knowing() as known:
            return self._shelf().search(known, kind, query, k, video_ids, profile, per_video)

    def search_words(
        self,
        kind: WordKind,
        query: str,
        k: int,
        video_ids: Sequence[str] | None = None,
        *,
        per_video: int | None = None,
    ) -> list[tuple[str, int, float]]:
        """Return the k utterances or texts with words of `query`: video id, index, BM25 score (more is better).

        With `per_video`, at most so many of one video.
        """
        _check_question(k, video_ids)
        with self._knowing() as known:
            return search_words(known, kind, query, k, video_ids, per_video)

    @contextmanager
    def _opened(self, video_id: str) -> Iterator[Generation]:
        """Give the arrays of the committed generation; the transaction around keeps them from being removed."""
        with self._reading() as db:
            yield self._shelf().generation(queries.where(db, video_id))

    def _shelf(self) -> Shelf:
        if not self._shelves:
            from hicom_agent.memory.vectors import Shelf  # FAISS takes a while to import

            self._shelves.append(Shelf(self._root))
        return self._shelves[0]


def _check_question(k: int, video_ids: Sequence[str] | None) -> None:
    if k < 1:
        raise ValueError(f"need k >= 1, got {k}")
    if isinstance(video_ids, str):
        raise TypeError(f"video_ids is a list of ids, got the string {video_ids!r}")
