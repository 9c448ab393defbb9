"""Several questions about one film at once: the clips in which they meet are read once, and compressed for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hicom_agent.agent.evidence import Window
from hicom_agent.agent.facts import asks_fact
from hicom_agent.agent.film import Encoder, Film, compress_under, open_look
from hicom_agent.agent.parts import split_question
from hicom_agent.agent.plan import understand
from hicom_agent.agent.sight import choose_clips, num_clips
from hicom_agent.agent.temporal import anchor_question, read_task
from hicom_agent.types import Clip, CompressedClip

if TYPE_CHECKING:
    from hicom_agent.memory import Store


def first_looks(question: str, duration_s: float) -> list[tuple[str, int, Window]]:
    """Return what a question certainly looks for: text, number of clips, window; not what depends on findings."""
    found = []
    for task in (read_task(part, duration_s) for part in split_question(question)):
        anchors = [anchor.text for anchor in task.anchors[:1] if not anchor.is_answer_before]
        subs = [understand(anchor_question(name)[0]) for name in task.rivals or anchors]
        subs = subs or ([] if task.anchors else [understand(task.text)])
        looked = [s for s in subs if "visual" in s.sources and s.kind != "outline" and not asks_fact(s.text)]
        found += [(sub.text, num_clips(sub.kind), task.window) for sub in looked]
    return found


def prepare(store: Store, encoder: Encoder, film: Film, looks: Sequence[tuple[str, int, Window]]) -> int:
    """Compress the clips that several questions (text, limit, window) are about to look at; return how many tokens.

    Questions meet in the same clips, of which the features are read once for all of them. What is kept of it is what
    `look` would have kept, so answers stay the same.
    """
    kept = {text: open_look(store, encoder, film, text) for text, _, _ in looks}
    wanted: dict[Clip, dict[str, None]] = {}
    for text, limit, window in looks:
        for clip in choose_clips(store, encoder, film, kept[text], limit, window)[0]:
            if kept[text].key < 0 or store.conditioned.clip(kept[text].key, clip) is None:
                wanted.setdefault(clip, {})[text] = None
    made: dict[str, list[CompressedClip]] = {text: [] for text in kept}
    for clip, texts in wanted.items():
        guides = [kept[text].guide for text in texts]
        found = compress_under(store, encoder, film, clip, film.indices_in(clip), guides)
        for text, compressed in zip(texts, found, strict=True):
            made[text].append(compressed)
    for text, clips in made.items():
        if kept[text].key < 0:
            store.conditioned.remember(film.asked_with(encoder), kept[text], clips)
        elif clips:
            store.conditioned.extend(kept[text].key, clips)
    return sum(len(clip.tokens) for clips in made.values() for clip in clips)
