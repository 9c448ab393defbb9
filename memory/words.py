"""Words as people type and say them, made into a full-text question that cannot be anything else."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hicom_agent.memory.groups import first_of
from hicom_agent.memory.known import Known

WordKind = Literal["speech", "texts"]
MOST = 500  # entries scored for one question
_MOST_PASSED = 2000  # entries with the words that may be passed over, for they are of other videos
_MANY = 64  # videos, from which on each entry is looked up to tell whose it is
_DEEPEST = 256  # entries among which those of many videos are looked for
_TIES = 64  # entries beyond those asked for, among which equal ones are put in order
_MAX_WORDS = 64
_MAX_CHARS = 20_000
_NUM_COUNTS = 1 << 14  # words of which is kept how many entries have them
# Scripts written without spaces: every sign is a word of its own, and what stood together is looked for together.
_UNSPACED = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])")
_STOP = (
    "a about all am an and any are as at be been being but by can could did do does doing for from had has have having"
    " he her hers him his how i if in into is it its me my no not of on or our ours out she so some such than that the"
    " their them then there these they this those to too up us was we were what when where which while who whom whose"
    " why will with would you your yours"
)
_STOP_WORDS = frozenset(_STOP.split())


def spaced(text: str) -> str:
    """Return `text` with spaces around each sign of a script that has none.

    >>> spaced("abc 図書館")
    'abc  図  書  館 '
    """
    return _UNSPACED.sub(r" \1 ", text)


def telling_words(question: str) -> list[str]:
    """Return the words of `question` as FTS5 looks for them, each once; stop words count only if alone.

    >>> telling_words('When does "the dog" NOT bark?')
    ['"dog"', '"bark"']
    """
    words = list(dict.fromkeys(re.findall(r"[^\W_]+", question[:_MAX_CHARS].lower())))
    telling = [word for word in words if word not in _STOP_WORDS] or words
    return [f'"{spaced(word).strip()}"' for word in telling[:_MAX_WORDS]]


def search_words(
    known: Known,
    kind: WordKind,
    question: str,
    k: int,
    video_ids: Sequence[str] | None,
    per_video: int | None = None,
) -> list[tuple[str, int, float]]:
    """Return the k entries that match best, at most `per_video` of one video: video id, index, BM25 score.

    To score an entry takes 5 us, and a common word stands in a tenth of all. So where more than `MOST` entries would be
    scored, the rarest words are looked for, which tell most, and of a common word alone not every entry is.
    """
    words, lines = telling_words(question), _lines_of(known, kind, video_ids)
    if not words or not lines.video_ids:
        return []
    scope = _Scope() if video_ids is None else _scope(known, kind, lines)
    rows = known.db.execute(
        f"SELECT id, score FROM (SELECT rowid AS id, -bm25({kind}_words) AS score FROM {kind}_words"
        f" WHERE {kind}_words MATCH :query {scope.condition} LIMIT :most) ORDER BY score DESC LIMIT :best",
        {
            "query": _rarest(known, kind, words, scope),
            "most": MOST,
            "best": _TIES + (k if per_video is None else max(k, _DEEPEST)),
            **scope.values,
        },
    ).fetchall()
    if not rows:
        return []
    ids, scores = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    video = np.searchsorted(lines.firsts, ids, "right") - 1
    order = np.lexsort((ids, lines.ranks[video], -scores))
    best = (order if per_video is None else order[first_of(video[order], per_video)])[:k]
    places = video[best].tolist(), (ids - lines.firsts[video])[best].tolist(), scores[best].tolist()
    return [(lines.video_ids[at], index, score) for at, index, score in zip(*places, strict=True)]


@dataclass(frozen=True, slots=True)
class _Lines:
    """Where the entries of videos are; those of one video have ids in a row, so none of them need be read."""

    video_ids: list[str]
    firsts: NDArray[np.int64]  # id of the first entry of each, growing
    lasts: NDArray[np.int64]
    ranks: NDArray[np.int64]  # of the videos by their ids


def _lines_of(known: Known, kind: WordKind, video_ids: Sequence[str] | None) -> _Lines:
    """Return where the entries of these videos (None: all) are; of a thousand videos that takes 35 ms."""
    name = f"lines of {kind}"
    if video_ids is not None and not known.got(name):
        return _read_lines(known.db, kind, video_ids)
    every = known.of(name, lambda db: _read_lines(db, kind, None))
    if video_ids is None:
        return every
    place = known.of(f"places of {kind}", lambda db: {video_id: at for at, video_id in enumerate(every.video_ids)})
    some = sorted(place[video_id] for video_id in set(video_ids) if video_id in place)
    ids = [every.video_ids[at] for at in some]
    return _Lines(ids, every.firsts[some], every.lasts[some], every.ranks[some])


def _read_lines(db: sqlite3.Connection, kind: WordKind, video_ids: Sequence[str] | None) -> _Lines:
    ends = db.execute(
        f"SELECT (SELECT id FROM {kind} WHERE video = key ORDER BY idx LIMIT 1) AS first,"
        f" (SELECT id FROM {kind} WHERE video = key ORDER BY idx DESC LIMIT 1), video_id"
        f" FROM videos {'' if video_ids is None else 'WHERE video_id IN (SELECT value FROM json_each(:ids))'}",
        {"ids": json.dumps(list(video_ids or []))},
    )
    found = sorted(each for each in ends if each[0] is not None)
    ids, ends_of = [each[2] for each in found], np.array([each[:2] for each in found], np.int64).reshape(-1, 2)
    return _Lines(ids, ends_of[:, 0].copy(), ends_of[:, 1].copy(), np.argsort(np.argsort(np.array(ids, str))))


@dataclass(frozen=True, slots=True)
class _Scope:
    """Which entries may be found."""

    condition: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    within: str = ""  # where the entries with a word are counted, if not everywhere
    share: float = 1.0  # of what lies in between the first and the last


def _scope(known: Known, kind: WordKind, lines: _Lines) -> _Scope:
    low, high = int(lines.firsts[0]), int(lines.lasts[-1])
    within = f"AND rowid BETWEEN {low} AND {high}"
    share = float((lines.lasts - lines.firsts + 1).sum()) / (high - low + 1)
    num = known.of(f"number of {kind}", lambda db: db.execute(f"SELECT max(id) FROM {kind}").fetchone()[0])
    counted = "" if 2 * (high - low + 1) > num else within
    if len(lines.video_ids) > _MANY:
        among = f"(SELECT video FROM {kind} WHERE id = {kind}_words.rowid) IN"
        keys = "(SELECT key FROM videos WHERE video_id IN (SELECT value FROM json_each(:ids)))"
        return _Scope(f"{within} AND {among} {keys}", {"ids": json.dumps(lines.video_ids)}, counted, 1.0)
    inside = " OR ".join(
        f"rowid BETWEEN {first} AND {last}"
        for first, last in zip(lines.firsts.tolist(), lines.lasts.tolist(), strict=True)
    )
    return _Scope(f"{within} AND ({inside})", {}, counted, share)


def _rarest(known: Known, kind: WordKind, words: Sequence[str], scope: _Scope) -> str:
    """Return an FTS5 query for any of as many of the words, rarest first, as leave few enough entries to score."""
    room = min(int(MOST / scope.share), _MOST_PASSED)
    query = f"SELECT count(*) FROM (SELECT 1 FROM {kind}_words WHERE {kind}_words MATCH ? {scope.within} LIMIT ?)"

    def count(word: str) -> int:
        return int(known.db.execute(query, [word, _MOST_PASSED + 1]).fetchone()[0])

    counts: dict[str, int] = {} if scope.within else known.of(f"counts of {kind}", lambda db: {})
    if len(counts) > _NUM_COUNTS:
        counts.clear()
    found = []
    for word in words:
        num = counts.get(word)
        counts[word] = num = count(word) if num is None else num
        found.append((num, word))
    chosen: list[str] = []
    for num, word in sorted(found, key=lambda each: each[0]):  # a stable sort
        room -= num
        if room >= 0 or not chosen:
            chosen.append(word)
    return " OR ".join(chosen)
