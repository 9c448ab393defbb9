"""One training sample, and many of them as a batch: plain lists and tensors that go to any device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hicom_agent.llm.chat import IGNORED


@dataclass(frozen=True, slots=True)
class Sample:
    """Words, what is seen beside them, and where the loss is."""

    input_ids: list[int]  # prompt and answer, a sentinel (-201 or -200) where visual tokens go, at most one
    labels: list[int]  # as long; -100 where there is no loss
    guide_ids: Tensor | None  # [64]; None where guidance is off, or nothing is seen
    modal: str  # "video" or "image"
    pixels: Tensor | None  # [t, 3, side, side] in -1 to 1
    features: tuple[Tensor, Tensor] | None = None  # in place of pixels: V and E [t, h, w, d], of a frozen tower

    def __post_init__(self) -> None:
        if len(self.input_ids) != len(self.labels):
            raise ValueError(f"need as many labels as ids, got {len(self.labels)} and {len(self.input_ids)}")
        sentinels = sum(each < 0 for each in self.input_ids)
        seen = self.pixels is not None or self.features is not None
        if sentinels != seen:
            raise ValueError(f"need one sentinel where something is seen and none elsewhere, got {sentinels}")


@dataclass(frozen=True, slots=True)
class Broken:
    """What stands in the place of a sample that cannot be used."""

    name: str
    reason: str


def collate(samples: Sequence[Sample | Broken]) -> dict[str, Any]:
    """Return a batch for `TrainableHICom.forward`: words padded to [b, n], the rest as lists of b.

    Broken samples are left out and named under "skipped".
    """
    whole = [sample for sample in samples if isinstance(sample, Sample)]
    words = [torch.tensor(sample.input_ids) for sample in whole] or [torch.empty(0, dtype=torch.long)]
    labels = [torch.tensor(sample.labels) for sample in whole] or [torch.empty(0, dtype=torch.long)]
    return {
        "input_ids": pad_sequence(words, batch_first=True),
        "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
        "lengths": [len(sample.input_ids) for sample in whole],
        "guide_ids": [sample.guide_ids for sample in whole],
        "modals": [sample.modal for sample in whole],
        "pixels": [sample.pixels for sample in whole],
        "features": [sample.features for sample in whole],
        "skipped": [(each.name, each.reason) for each in samples if isinstance(each, Broken)],
    }
