"""Words as people type and say them, made into a full-text question that cannot be anything else."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from typing import Literal

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


def match_words(question: str) -> str:
    """Return an FTS5 query for any of the words of `question`, "" if it has none; stop words count only if alone.

    >>> match_words('When does "the dog" NOT bark?')
    '"dog" OR "bark"'
    """
    words = list(dict.fromkeys(re.findall(r"[^\W_]+", question[:_MAX_CHARS].lower())))
    telling = [word for word in words if word not in _STOP_WORDS] or words
    return " OR ".join(f'"{spaced(word).strip()}"' for word in telling[:_MAX_WORDS])


def search_words(
    db: sqlite3.Connection, kind: Literal["speech", "texts"], question: str, k: int, video_ids: Sequence[str] | None
) -> list[tuple[str, int, float]]:
    """Return the k entries that match best: video id, index, BM25 score (more is better)."""
    query = match_words(question)
    if not query:
        return []
    only = "" if video_ids is None else "AND v.video_id IN (SELECT value FROM json_each(:ids))"
    rows = db.execute(
        f"SELECT v.video_id, t.idx, -bm25({kind}_words) AS score FROM {kind}_words"
        f" JOIN {kind} t ON t.id = {kind}_words.rowid JOIN videos v ON v.key = t.video"
        f" WHERE {kind}_words MATCH :query {only} ORDER BY score DESC, v.video_id, t.idx LIMIT :k",
        {"query": query, "ids": json.dumps(list(video_ids or [])), "k": k},
    )
    return [(video_id, index, score) for video_id, index, score in rows]
