"""Words as people type and say them, made into a full-text question that cannot be anything else."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

WordKind = Literal["speech", "texts"]
MOST = 1000  # entries scored for one question
_MOST_PASSED = 4000  # entries with the words that may be passed over, for they are of other videos
_MANY = 64  # videos, from which on each entry is looked up to tell whose it is
_TIES = 64  # entries beyond those asked for, among which equal ones are put in order
_MAX_WORDS = 64
_MAX_CHARS = 20_000
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
    db: sqlite3.Connection, kind: WordKind, question: str, k: int, video_ids: Sequence[str] | None
) -> list[tuple[str, int, float]]:
    """Return the k entries that match best: video id, index, BM25 score (more is better).

    To score an entry takes 5 us, and a common word stands in a tenth of all. So where more than `MOST` entries would be
    scored, the rarest words are looked for, which tell most, and of a common word alone not every entry is.
    """
    words, scope = telling_words(question), _scope(db, kind, video_ids)
    if not words or scope is None:
        return []
    rows = db.execute(
        f"SELECT v.video_id, t.idx, score FROM (SELECT id, score FROM ("
        f"SELECT rowid AS id, -bm25({kind}_words) AS score FROM {kind}_words"
        f" WHERE {kind}_words MATCH :query {scope.condition} LIMIT :most) ORDER BY score DESC LIMIT :k + {_TIES})"
        f" JOIN {kind} t USING (id) JOIN videos v ON v.key = t.video ORDER BY score DESC, v.video_id, t.idx LIMIT :k",
        {"query": _rarest(db, kind, words, scope), "k": k, "most": MOST, **scope.values},
    )
    return [(video_id, index, score) for video_id, index, score in rows]


@dataclass(frozen=True, slots=True)
class _Scope:
    """Which entries may be found."""

    condition: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    within: str = ""  # a condition that FTS5 itself uses to pass over what lies before and after
    share: float = 1.0  # of what lies in between


def _scope(db: sqlite3.Connection, kind: WordKind, video_ids: Sequence[str] | None) -> _Scope | None:
    """Return which entries are of these videos, None if there are none; those of one video have ids in a row."""
    if video_ids is None:
        return _Scope()
    ends = db.execute(
        f"SELECT (SELECT id FROM {kind} WHERE video = key ORDER BY idx LIMIT 1),"
        f" (SELECT id FROM {kind} WHERE video = key ORDER BY idx DESC LIMIT 1)"
        " FROM videos WHERE video_id IN (SELECT value FROM json_each(?))",
        [json.dumps(list(video_ids))],
    )
    ranges = [(first, last) for first, last in ends if first is not None]
    if not ranges:
        return None
    low, high = min(first for first, _ in ranges), max(last for _, last in ranges)
    within = f"AND rowid BETWEEN {low} AND {high}"
    share = sum(last - first + 1 for first, last in ranges) / (high - low + 1)
    if len(ranges) > _MANY:
        among = f"(SELECT video FROM {kind} WHERE id = {kind}_words.rowid) IN"
        keys = "(SELECT key FROM videos WHERE video_id IN (SELECT value FROM json_each(:ids)))"
        return _Scope(f"{within} AND {among} {keys}", {"ids": json.dumps(list(video_ids))}, within, 1.0)
    inside = " OR ".join(f"rowid BETWEEN {first} AND {last}" for first, last in ranges)
    return _Scope(f"{within} AND ({inside})", {}, within, share)


def _rarest(db: sqlite3.Connection, kind: WordKind, words: Sequence[str], scope: _Scope) -> str:
    """Return an FTS5 query for any of as many of the words, rarest first, as leave few enough entries to score."""
    room = min(int(MOST / scope.share), _MOST_PASSED)
    query = f"SELECT count(*) FROM (SELECT 1 FROM {kind}_words WHERE {kind}_words MATCH ? {scope.within} LIMIT ?)"
    found = [(db.execute(query, [word, room + 1]).fetchone()[0], word) for word in words]
    chosen: list[str] = []
    for num, word in sorted(found, key=lambda each: each[0]):  # a stable sort
        room -= num
        if room >= 0 or not chosen:
            chosen.append(word)
    return " OR ".join(chosen)
