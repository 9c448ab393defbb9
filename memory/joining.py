"""Several stores into one: of what more than one has, the best copy that is whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from hicom_agent.errors import InputError, StoreCorrupt, StoreTooNew, UnknownVideo
from hicom_agent.memory import queries
from hicom_agent.memory.catalog import CATALOG, published
from hicom_agent.memory.generations import Manifest, video_folders
from hicom_agent.memory.shards import Taken, note_files, reading, row_of, sealed, take_over
from hicom_agent.memory.store import Store
from hicom_agent.types import Progress

_NOT_TAKEN = (StoreCorrupt, StoreTooNew, UnknownVideo)
Found = dict[str, list[tuple[Manifest, Path]]]


def merge(
    target: Store, sources: Sequence[Path], on_progress: Callable[[Progress], None] = lambda progress: None
) -> list[Taken]:
    """Take over every video of all `sources`; where several have one, or `target` has it, the best of them.

    That is the one with more in it, as its settings say, and of equal ones the newer. What cannot be taken is in the
    result with the reason, then the next best is; the rest goes on. A second run goes on where a killed one ended.

    Raises InputError for a folder that is no store; StoreError, SetupError.
    """
    check_sources(sources)
    found, taken = _find(sources)
    total, done = sum(max(m.num_bytes for m, _ in some) for some in found.values()), 0
    for video_id, candidates in sorted(found.items()):
        on_progress(Progress("merging", done, total, "bytes", video_id))
        taken += _take_best(target, video_id, candidates)
        done += max(manifest.num_bytes for manifest, _ in candidates)
    on_progress(Progress("merging", total, total, "bytes"))
    return taken


def check_sources(sources: Sequence[Path]) -> None:
    """Raise InputError for a folder that is no store."""
    for source in sources:
        if not source.is_dir() or not ((source / CATALOG).exists() or video_folders(source)):
            raise InputError(f"{source} is no store: it has no {CATALOG}")


def _take_best(target: Store, video_id: str, candidates: Iterable[tuple[Manifest, Path]]) -> Iterator[Taken]:
    known = row_of(target, video_id)
    for wanted, source in _best_first(candidates):
        if known is not None and not _is_better(wanted, known.settings_key, known.indexed_at):
            yield Taken(video_id, str(source), "there already", known.version)
            return
        try:
            with reading(source) as db:  # a writer there may have replaced it: then the newer one is taken
                found = take_over(target, *sealed(source, queries.where(db, video_id)), known)
                note_files(target, db, video_id)
        except _NOT_TAKEN as error:
            yield Taken(video_id, str(source), "refused", why=str(error))
        else:
            yield replace(found, source=str(source))
            return


def _find(sources: Sequence[Path]) -> tuple[Found, list[Taken]]:
    """Return what the sources have, and what of it cannot be taken."""
    found: Found = defaultdict(list)
    refused = []
    for source in sources:
        with reading(source) as db:
            for which in published(db).values():
                try:
                    found[which.video_id].append((sealed(source, which)[1], source))
                except _NOT_TAKEN as error:
                    refused.append(Taken(str(which.video_id), str(source), "refused", why=str(error)))
    return {video_id: some for video_id, some in found.items() if some}, refused


def _best_first(candidates: Iterable[tuple[Manifest, Path]]) -> Iterator[tuple[Manifest, Path]]:
    left = list(candidates)
    while left:
        most = [c for c in left if not any(_words(other) > _words(c[0]) for other, _ in left)]
        best = max(most, key=lambda c: c[0].committed_at)  # of equal ones the first
        left.remove(best)
        yield best


def _is_better(one: Manifest, settings_key: str, indexed_at: float) -> bool:
    mine, other = _words(one), set(settings_key.split())
    return mine > other or (not mine < other and one.committed_at > indexed_at)


def _words(manifest: Manifest) -> set[str]:
    return set(manifest.settings_key.split())
