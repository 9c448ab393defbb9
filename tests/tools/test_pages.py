from __future__ import annotations

import json

import pytest

from hicom_agent.tools.pages import FULL_CHARS, SHORT_CHARS, fit


@pytest.mark.parametrize("max_chars", [SHORT_CHARS, FULL_CHARS])
@pytest.mark.parametrize("quote", ["", "word " * 10, "word " * 1000])
def test_a_result_fits_and_keeps_the_best_of_its_list_whole(quote: str, max_chars: int) -> None:
    items = [{"start_s": float(i), "score": 0.5, "quote": quote} for i in range(200)]
    found = fit({"answer": "At 7 s.", "citations": items}, "citations", max_chars)
    assert len(json.dumps(found, ensure_ascii=False)) <= max_chars
    kept = found["citations"]
    assert kept and [item["start_s"] for item in kept] == [float(i) for i in range(len(kept))]
    assert all(quote.startswith(item["quote"].rstrip("…").rstrip()) for item in kept)


def test_what_fits_is_left_as_it_is() -> None:
    result = {"answer": "x", "citations": [{"quote": "short"}] * 3}
    assert fit(result, "citations", SHORT_CHARS) == result
