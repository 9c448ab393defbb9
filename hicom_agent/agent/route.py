"""Which of many videos are worth looking at for one question, by the vectors of their clips and by their words."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hicom_agent.agent.evidence import KINDS, Found, words_of_each

if TYPE_CHECKING:
    from hicom_agent.agent.film import Encoder
    from hicom_agent.memory import Store
    from hicom_agent.types import Floats

ROUTED = 16  # videos that are looked at, where there are more
RANK_OFFSET = (
    4  # of reciprocal ranks: with the usual 60 a video that four ways place by chance beats one that one finds
)
PER_VIDEO = 2  # entries of one ranking that count for a video: a film of many such clips is one film


def route(
    store: Store, encoder: Encoder, query: str, video_ids: Sequence[str] | None = None, limit: int = ROUTED
) -> list[str]:
    """Return the `limit` videos of these (None: all) that most likely hold what is asked for, likeliest first.

    Where there are no more than that, all are returned, unsearched.
    """
    if limit < 1:
        raise ValueError(f"need limit >= 1, got {limit}")
    among = store.video_ids() if video_ids is None else list(dict.fromkeys(video_ids))
    if len(among) <= limit:
        return among
    scores: dict[str, float] = defaultdict(float)
    for found in _ways(store, encoder, query, None if video_ids is None else among, limit):
        for rank, (video_id, _, _) in enumerate(found):
            scores[video_id] += 1 / (RANK_OFFSET + rank + 1)
    return sorted(scores, key=lambda video_id: (-scores[video_id], video_id))[:limit]


def _ways(store: Store, encoder: Encoder, query: str, only: list[str] | None, limit: int) -> Iterator[Found]:
    """Give the best clips, and the best lines by meaning and by words, some of one video at most."""
    yield _clips(store, encoder.encode_guide(query), encoder.version, only, limit)
    sentence = encoder.encode_texts([query])[0]
    for kind in KINDS:
        yield store.search_vectors(kind, sentence, limit, only, per_video=PER_VIDEO)
        yield words_of_each(store, kind, query, only, limit, PER_VIDEO)


def _clips(store: Store, guide: Floats, profile: str, only: list[str] | None, k: int) -> Found:
    """Return the clips nearest to the guide; of videos that a version without vectors of clips wrote, the frames."""
    found = store.search_vectors("clips", guide, k, only, profile=profile, per_video=PER_VIDEO)
    without = store.without_clips()
    if without:
        others = without if only is None else sorted(set(without) & set(only))
        frames = store.search_vectors("frames", guide, k, others, profile=profile, per_video=PER_VIDEO)
        found = heapq.nsmallest(k, [*found, *frames], key=lambda each: (-each[2], *each[:2]))
    return found
