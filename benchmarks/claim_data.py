"""The samples of the claim's stages: films as features of the frozen encoder, questions as ids, by seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from claim_base import guide_ids, to_pixels, word_ids
from claim_world import World, ask, describe
from torch import Tensor
from torch.utils.data import Dataset

from hicom_agent.encode.siglip import SiglipTower
from hicom_agent.llm.chat import IGNORED, SENTINELS
from hicom_agent.training.samples import Sample

GROUP = (2, 4, 4)  # frames, rows and columns of which average pooling makes one token


@torch.inference_mode()
def encode(tower: SiglipTower, worlds: Sequence[World], folder: Path) -> None:
    """Write V and E [n, t, h, w, d] of all films as float16."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for world in worlds:
        values, patches = tower.encode_frames(to_pixels(world.frames))
        parts.append(torch.stack([values, patches.rows(slice(None))]).half().numpy())
    both = np.stack(parts)
    np.save(folder / "V.npy", both[:, 0])
    np.save(folder / "E.npy", both[:, 1])


class Films:
    """Worlds beside their features, which stay on the disk."""

    def __init__(self, worlds: Sequence[World], folder: Path) -> None:
        self.worlds = worlds
        self._values, self._patches = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in "VE")

    def features(self, number: int, *, pooled: bool, frames: slice = slice(None)) -> tuple[Tensor, Tensor]:
        """Return V and E [t, h, w, d] of a film, or the means of its groups in the place of both."""
        values, patches = (torch.from_numpy(np.array(x[number, frames])).float() for x in (self._values, self._patches))
        if not pooled:
            return values, patches
        size = (min(GROUP[0], len(values)), *GROUP[1:])
        means = torch.nn.functional.avg_pool3d(values.permute(3, 0, 1, 2)[None], size)[0].permute(1, 2, 3, 0)
        return means, means


class Asked(Dataset[Sample]):
    """What a stage learns from: `align` names the things of a frame, `condition` describes one, `tune` answers."""

    def __init__(self, films: Films, stage: str, count: int, seed: int, *, guided: bool, pooled: bool) -> None:
        self.films, self.stage, self.seed, self.count = films, stage, seed, count
        self.guided, self.pooled = guided, pooled

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Sample:
        random = np.random.default_rng([self.seed, number, len(self.stage)])
        which = int(random.integers(len(self.films.worlds)))
        question, answer, _, frames = self._pair(random, self.films.worlds[which])
        return make_sample(self.films, which, question, answer, frames, guided=self.guided, pooled=self.pooled)

    def _pair(self, random: np.random.Generator, world: World) -> tuple[str, str, str, slice]:
        if self.stage == "align":
            at = int(random.integers(len(world.frames)))
            seen = [thing.name for thing in world.things if thing.first <= at]
            return "what is there", " , ".join(sorted(seen)) or "none", "align", slice(at, at + 1)
        kind = "describe" if self.stage == "condition" else ""
        while True:
            found = ask(random, world, kind)
            if found is not None:
                return *found, slice(None)


def make_sample(
    films: Films, which: int, question: str, answer: str, frames: slice, *, guided: bool, pooled: bool
) -> Sample:
    """Return one question about one film with its answer, and the loss on the answer."""
    modal = "image" if pooled or frames != slice(None) else "video"
    prompt = [
        *word_ids("<|im_start|> user"),
        SENTINELS[modal],
        *word_ids(f"{question} <|im_end|> <|im_start|> assistant"),
    ]
    told = word_ids(f"{answer} <|im_end|>")
    return Sample(
        input_ids=prompt + told,
        labels=[IGNORED] * len(prompt) + told,
        guide_ids=torch.tensor(guide_ids(question)) if guided else None,
        modal=modal,
        pixels=None,
        features=films.features(which, pooled=pooled, frames=frames),
    )


def held_out(worlds: Sequence[World], each: int, seed: int) -> list[tuple[int, str, str, str]]:
    """Return (world, question, answer, kind), up to `each` different questions of every world."""
    rows: list[tuple[int, str, str, str]] = []
    for number, world in enumerate(worlds):
        random, found = np.random.default_rng([seed, number]), {}
        for _ in range(4 * each):
            pair = ask(random, world)
            if pair is not None and len(found) < each:
                found[pair[0]] = pair
        rows += [(number, *pair) for pair in found.values()]
    return rows


__all__ = ["Asked", "Films", "describe", "encode", "held_out", "make_sample"]
