"""Looking: the clips that may show it are compressed under the question, and give the moments and places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from hicom_agent.agent.evidence import ALWAYS, SEEN_FROM, SURELY_SEEN_FROM, Evidence, Window
from hicom_agent.agent.film import Encoder, Film, compress_clip, open_look
from hicom_agent.agent.fusion import fuse
from hicom_agent.agent.meter import Budget
from hicom_agent.memory import Look
from hicom_agent.types import Clip, CompressedClip

if TYPE_CHECKING:
    from hicom_agent.memory import Store
    from hicom_agent.types import Floats

LIKELY_FROM = 0.3  # presence from which a frame is worth a look
NEAR_STRONGEST = 0.6  # share of the film's strongest moment that another needs: what is there shows most clearly
STILL_SEEN = 0.4  # share of the film's surest frame down to which a moment goes on
ALIKE = 0.8  # ratio of the strengths of two moments that are one, cut by the length of a clip
ONE_FRAME = 0.8  # factor for what is seen in a single frame, with no neighbour to confirm it
LABELS = 3  # words put to a moment
CLIPS = 8  # looked at per question
CLIPS_FOR_ALL = 32  # where every occurrence counts: when, how often, how long; or where the first look found nothing
CLOSEST = 3  # moments named where nothing is seen
CANDIDATES, FRAMES = 32, 128  # clips of a film that count as near, and frames by which those of a single one are found
SEEN_BEFORE = 2  # clips looked at beside the likeliest, because an earlier question saw something like it there


@dataclass(slots=True)
class Sight:
    """What looking for one question came to."""

    evidence: list[Evidence] = field(default_factory=list)
    closest: list[Evidence] = field(default_factory=list)  # the best frames, whether or not they are believed
    compressed: list[CompressedClip] = field(default_factory=list)  # now
    recalled: list[CompressedClip] = field(default_factory=list)  # by an earlier question that looked for the same
    presence: Floats = field(default_factory=lambda: np.zeros(0, np.float32))  # [t], of all sampled frames of the film
    key: int = -1  # of the look in the conditioned memory
    num_left: int = 0  # likely clips that the budget did not suffice for
    num_more: int = 0  # likely clips beyond the limit

    @property
    def looked_at(self) -> list[CompressedClip]:
        """Return all clips that were looked at."""
        return [*self.recalled, *self.compressed]


def nearest_clips(store: Store, encoder: Encoder, question: str, video_ids: Sequence[str]) -> dict[str, list[int]]:
    """Return for each of several videos the numbers of the clips with the vectors nearest to a question, nearest first.

    To read the vectors of all their frames takes ten times as long, and finds nearly the same (benchmarks/near.py).
    A video without vectors of clips, as older versions wrote them, is left out.
    """
    guide, found = encoder.encode_guide(question), dict[str, list[int]]()
    num = max(1, CANDIDATES * len(video_ids))
    hits = store.search_vectors("clips", guide, num, video_ids, profile=encoder.version, per_video=CANDIDATES)
    for video_id, number, _ in hits:
        found.setdefault(video_id, []).append(number)
    return found


def near_clips(store: Store, film: Film, guide: Floats) -> list[int]:
    """Return the numbers of the clips with the frames nearest to a guide, nearest first."""
    rank = {i: at for at, (_, i, _) in enumerate(store.search_vectors("frames", guide, FRAMES, [film.video_id]))}
    best = {}
    for clip in film.clips:
        ranks = [rank[shown] for i in film.indices_in(clip) if (shown := film.frames[i].shown_by) in rank]
        if ranks:
            best[clip.index] = min(ranks)
    return sorted(best, key=lambda number: (best[number], number))[:CANDIDATES]


def find_clips(film: Film, look: Look, clips: Sequence[Clip], near: Sequence[int]) -> list[Clip]:
    """Return those of `clips` that are near (by their numbers, nearest first) or likely to show it, best first."""
    presence = {
        clip.index: float(look.presence[i.start : i.stop].max()) for clip in film.clips if (i := film.indices_in(clip))
    }
    likely = [number for number in presence if presence[number] >= LIKELY_FROM]
    likely.sort(key=lambda number: (-presence[number], number))
    scores = fuse([[("", number) for number in near], [("", number) for number in likely]])
    ranked = [clip for clip in clips if clip.index in presence and ("", clip.index) in scores]
    return sorted(ranked, key=lambda clip: (-scores["", clip.index], clip.index))


def num_clips(kind: str) -> int:
    """Return how many clips a question of this kind looks at, first."""
    return CLIPS_FOR_ALL if kind in ("when", "count", "how long", "whether") else CLIPS


def choose_clips(
    store: Store, encoder: Encoder, film: Film, kept: Look, limit: int, window: Window
) -> tuple[list[Clip], int]:
    """Return the clips worth compressing for a look, best first, and how many more there are."""
    near = near_clips(store, film, kept.guide) if film.near is None else film.near
    inside = [clip for clip in film.clips if clip.start_s < window[1] and clip.end_s > window[0]]
    ranked = find_clips(film, kept, inside, near)
    if not ranked and window != ALWAYS:  # the likeliest of a film may all lie elsewhere
        ranked = [clip for clip in inside if film.indices_in(clip)]
    clips, beyond = ranked[:limit], ranked[limit:]
    if beyond and store.conditioned.reuse == "alike":
        seen_before = dict(store.conditioned.search(film.asked_with(encoder), kept.guide, SEEN_BEFORE))
        clips += [clip for clip in beyond if clip.index in seen_before]
    return clips, len(ranked) - len(clips)


def look(
    store: Store,
    encoder: Encoder,
    film: Film,
    question: str,
    limit: int,
    budget: Budget | None = None,
    window: Window = ALWAYS,
) -> Sight:
    """Look at the `limit` best clips under the question; return moments in which it is seen, surest first.

    What an earlier question that looked for the same has compressed is used again; the rest is compressed now, and
    remembered. With a `window` nothing outside of it is looked at.
    """
    budget = budget or Budget()
    kept = open_look(store, encoder, film, question)
    clips, num_more = choose_clips(store, encoder, film, kept, limit, window)
    sight = Sight(presence=kept.presence, key=kept.key, num_more=num_more)
    _compress(sight, kept, clips, store, encoder, film, budget)
    presence = kept.presence * np.array([window[0] <= frame.time_s < window[1] for frame in film.frames])
    low = max(LIKELY_FROM, STILL_SEEN * float(kept.presence.max(initial=0.0)))
    for compressed in sight.looked_at:
        indices = film.indices_in(compressed.clip)
        here = presence[indices.start : indices.stop]
        sight.evidence += [_moment(film, compressed, here, run) for run in runs(here, low)]
        best = int(np.argmax(here))
        if window[0] <= film.frames[indices.start + best].time_s < window[1]:
            sight.closest.append(_moment(film, compressed, here, (best, best)))
    sight.evidence = strong_moments(sight.evidence, film.step_s)
    sight.closest.sort(key=lambda piece: -piece.support)
    shown = sight.evidence or sight.closest[:CLOSEST]
    named = _name(store, encoder, film, shown)
    sight.evidence, sight.closest = (named, sight.closest) if sight.evidence else ([], named)
    return sight


def _compress(
    sight: Sight, kept: Look, clips: Sequence[Clip], store: Store, encoder: Encoder, film: Film, budget: Budget
) -> None:
    """Put the clips into `sight` as they look under the question, and keep what is new of them."""
    num_tokens = 0
    for number, clip in enumerate(clips):
        known = store.conditioned.clip(kept.key, clip) if kept.key >= 0 else None
        if known is not None:
            sight.recalled.append(known)
            continue
        if not budget.allows(num_tokens):
            sight.num_left = len(clips) - number
            break
        compressed = compress_clip(store, encoder, film, clip, film.indices_in(clip), kept.guide)
        sight.compressed.append(compressed)
        num_tokens += len(compressed.tokens)
    if kept.key < 0:
        sight.key = store.conditioned.remember(film.asked_with(encoder), kept, sight.compressed)
    elif sight.compressed:
        store.conditioned.extend(kept.key, sight.compressed)


def _name(store: Store, encoder: Encoder, film: Film, pieces: list[Evidence]) -> list[Evidence]:
    """Return the pieces with the names of what their best frames show."""
    if not pieces:
        return []
    names = encoder.describe(store.features(film.video_id, [piece.index for piece in pieces]), LABELS)
    return [replace(piece, text=", ".join(words)) for piece, words in zip(pieces, names, strict=True)]


def strong_moments(moments: list[Evidence], gap_s: float) -> list[Evidence]:
    """Return the moments that are strong, also beside the strongest, joined where they touch, best first.

    Beside a sure one none counts that is not.
    """
    strongest = max((moment.support for moment in moments), default=0.0)
    low = SURELY_SEEN_FROM if strongest >= SURELY_SEEN_FROM else SEEN_FROM
    strong = [moment for moment in moments if moment.support >= max(low, NEAR_STRONGEST * strongest)]
    return sorted(join_moments(strong, gap_s), key=lambda moment: -moment.support)


def strength(presence: Floats) -> float:
    """Return how surely a run of frames shows it: its two best frames must agree, for a thing stays for a while.

    >>> strength(np.array([0.9, 0.5, 0.7]))
    0.8
    """
    if len(presence) == 1:
        return ONE_FRAME * float(presence[0])
    return float(np.sort(presence)[-2:].mean())


def _moment(film: Film, compressed: CompressedClip, presence: Floats, run: tuple[int, int]) -> Evidence:
    """Return a run of a clip's frames as evidence, shown by the frame to which the question attends most.

    The last frame stands until the next one is sampled.
    """
    first, last = run
    clip = compressed.clip
    start = film.indices_in(clip).start
    best = first + int(np.argmax(compressed.frame_relevance[first : last + 1]))
    start_s, after = film.frames[start + first].time_s, start + last + 1
    end_s = min(film.frames[after].time_s, clip.end_s) if after < len(film.frames) else clip.end_s
    support = strength(presence[first : last + 1])
    return Evidence(
        film.video_id, "visual", start_s, max(end_s, start_s), support, "", film.frames[start + best].shown_by
    )


def runs(values: Floats, low: float) -> list[tuple[int, int]]:
    """Return the stretches [first, last] that stay at `low` or above.

    >>> runs(np.array([0, .4, .9, .4, 0, .4]), .3)
    [(1, 3), (5, 5)]
    """
    found: list[tuple[int, int]] = []
    first = None
    for i, value in enumerate([*values, -1.0]):
        if value >= low and first is None:
            first = i
        elif value < low and first is not None:
            found.append((first, i - 1))
            first = None
    return found


def join_moments(moments: list[Evidence], gap_s: float) -> list[Evidence]:
    """Return the moments in time order; those that lie at most `gap_s` apart and are as sure are one."""
    joined: list[Evidence] = []
    for moment in sorted(moments, key=lambda m: (m.start_s, m.end_s)):
        if joined and moment.start_s - joined[-1].end_s <= gap_s + 1e-3 and _alike(joined[-1], moment):
            before = joined.pop()
            better = before if before.support >= moment.support else moment
            end_s = max(before.end_s, moment.end_s)
            moment = Evidence(
                better.video_id, "visual", before.start_s, end_s, better.support, better.text, better.index
            )
        joined.append(moment)
    return joined


def _alike(one: Evidence, other: Evidence) -> bool:
    return min(one.support, other.support) >= ALIKE * max(one.support, other.support)
