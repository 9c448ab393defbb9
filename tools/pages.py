"""Results cut to a size that every client takes: fewer and shorter quotes first, then fewer moments."""

from __future__ import annotations

import json
from typing import Any

from hicom_agent.types import shorten

SHORT_CHARS, FULL_CHARS = 2000, 8000


def fit(result: dict[str, Any], lists: str, max_chars: int) -> dict[str, Any]:
    """Return `result` with as much of its list `lists` as fits into `max_chars` of JSON; the best come first.

    >>> fit({"hits": [{"quote": "a" * 50}] * 9}, "hits", 70)["hits"] == [{"quote": "a" * 40 + "…"}]
    True
    """
    for longest in (400, 160, 40):
        items = [_shorten(item, longest) for item in result[lists]]
        if _size(fitted := {**result, lists: items}) <= max_chars:
            return fitted
    while items and _size(fitted) > max_chars:
        items = items[:-1]
        fitted = {**result, lists: items}
    return fitted


def _shorten(item: dict[str, Any], longest: int) -> dict[str, Any]:
    quote = item.get("quote", "")
    return {**item, "quote": shorten(quote, longest)} if quote else item


def _size(result: dict[str, Any]) -> int:
    return len(json.dumps(result, ensure_ascii=False))
