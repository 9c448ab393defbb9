"""The 1000 classes in words: what they are called, what they are, and where that lies among sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hicom_agent.errors import ModelMissing

if TYPE_CHECKING:
    from hicom_agent.types import Floats

NUM_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Labels:
    """What the classes are called, in the order of the classifier."""

    names: tuple[tuple[str, ...], ...]  # synonyms of each class
    definitions: tuple[str, ...]  # one phrase each


def load_labels(folder: Path) -> Labels:
    """Read the class list, the lemmas and the definitions from `folder`.

    Raises ModelMissing where a file is absent or does not cover the classes.
    """
    try:
        synsets = (folder / "imagenet_synsets.txt").read_text().split()
        lemmas = _read_table(folder / "imagenet_synset_to_lemma.txt")
        definitions = _read_table(folder / "imagenet_synset_to_definition.txt")
        names = tuple(tuple(lemmas[synset].split(", ")) for synset in synsets)
        labels = Labels(names, tuple(definitions[synset] for synset in synsets))
    except (OSError, KeyError) as error:
        raise ModelMissing(f"no class names in {folder}: {error}; pull them: hicom-agent models pull") from error
    if len(labels.names) != NUM_CLASSES:
        raise ModelMissing(f"{len(labels.names)} class names in {folder}, expected {NUM_CLASSES}; pull them again")
    return labels


def _read_table(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {key: value for key, _, value in (line.partition("\t") for line in lines)}


def make_label_vectors(labels: Labels, encode: Callable[[Sequence[str]], Floats]) -> Floats:
    """Return unit vectors [1000, e]: half the names, half the names with the definition."""
    joined = [", ".join(names) for names in labels.names]
    described = [f"{name}: {text}" for name, text in zip(joined, labels.definitions, strict=True)]
    total = encode(joined) + encode(described)
    return np.asarray(total / np.linalg.norm(total, axis=1, keepdims=True), np.float32)
