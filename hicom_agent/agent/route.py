"""Which of many videos are worth looking at for one question, by the vectors of their clips and by their words."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from hicom_agent.agent.evidence import Found, Kind
from hicom_agent.agent.fusion import fuse

if TYPE_CHECKING:
    from hicom_agent.agent.film import Encoder
    from hicom_agent.memory import Store
    from hicom_agent.types import Floats

ROUTED, ROUTED_MOST = 8, 16  # videos that are looked at, where there are more; so many only to fill a long list
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
    ways = _ways(store, encoder, query, None if video_ids is None else among, limit)
    return list(fuse([[video_id for video_id, _, _ in found] for found in ways], RANK_OFFSET))[:limit]


def num_routed(limit: int, per_video: int) -> int:
    """Return of how many videos `limit` moments are chosen, at most `per_video` of each.

    >>> num_routed(10, 3), num_routed(50, 3), num_routed(50, 4)
    (8, 16, 13)
    """
    return max(ROUTED, min(ROUTED_MOST, -(-limit // per_video)))


def _ways(store: Store, encoder: Encoder, query: str, only: list[str] | None, limit: int) -> list[Found]:
    """Return the best clips, and the best lines by meaning and by words, some of one video at most.

    Two threads share the work: FAISS and SQLite let go of the interpreter.
    """
    guide, sentence = encoder.encode_guide(query), encoder.encode_texts([query])[0]

    def by_meaning(kind: Kind) -> Found:
        return store.search_vectors(kind, sentence, limit, only, per_video=PER_VIDEO)

    def by_words(kind: Kind) -> Found:
        return store.search_words(kind, query, limit, only, per_video=PER_VIDEO)

    with ThreadPoolExecutor(1) as pool:
        lines = pool.submit(lambda: [by_meaning("speech"), by_meaning("texts")])
        clips = _clips(store, guide, encoder.version, only, limit)
        said, written = by_words("speech"), by_words("texts")
        speech, texts = lines.result()
    return [clips, speech, said, texts, written]


def _clips(store: Store, guide: Floats, profile: str, only: list[str] | None, k: int) -> Found:
    """Return the clips nearest to the guide; of videos that a version without vectors of clips wrote, the frames."""
    found = store.search_vectors("clips", guide, k, only, profile=profile, per_video=PER_VIDEO)
    without = store.without_clips()
    if without:
        others = without if only is None else sorted(set(without) & set(only))
        frames = store.search_vectors("frames", guide, k, others, profile=profile, per_video=PER_VIDEO)
        found = heapq.nsmallest(k, [*found, *frames], key=lambda each: (-each[2], *each[:2]))
    return found
