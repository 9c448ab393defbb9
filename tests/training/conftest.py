from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from hicom_agent.llm.hicom import VIDEO
from hicom_agent.testing import make_checkpoint, make_parts, make_video
from hicom_agent.training.samples import Sample

WIDTH = 32


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Let sums have one order here and in processes that a test starts: a resumed run is compared bit for bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a made checkpoint in which both branches are guided directly."""
    folder = tmp_path_factory.mktemp("direct")
    return make_checkpoint(folder, 7, projector="local43_global32", width=WIDTH, hidden_size=WIDTH)


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_parts(tmp_path_factory.mktemp("parts"), 8)


def talk(number: object, *said: str, **medium: Any) -> dict[str, Any]:
    """Return an entry in which human and gpt take turns."""
    turns = [{"from": ("human", "gpt")[i % 2], "value": text} for i, text in enumerate(said)]
    return {"id": str(number), **medium, "conversations": turns}


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of three pictures, two films, and conversations about them."""
    folder = tmp_path_factory.mktemp("footage")
    for i in range(3):
        picture = np.random.default_rng(i).integers(0, 256, (60, 90, 3), np.uint8)
        cv2.imwrite(str(folder / f"{i}.png"), picture)
    for i, name in enumerate(("street", "harbour")):
        make_video(folder / f"{name}.mp4", seconds=2, fps=8, seed=i)
    captions = [talk(i, "<image>\nWhat is it?", "a car", image=f"{i}.png") for i in range(3)]
    (folder / "captions.json").write_text(json.dumps(captions))
    films = [
        talk("street", "What drives by?\n<video>", "a bus", "What colour?", "red", video="street.mp4"),
        talk("harbour", "<video>\nWhat is at the pier?", "a boat", video="harbour.mp4", start=0.5, end=1.5),
    ]
    (folder / "clips.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in films))
    (folder / "mixture.yaml").write_text("- {path: clips.jsonl}\n- {path: captions.json, ratio: 0.5}\n")
    return folder


class Made(torch.utils.data.Dataset[Sample]):
    """Samples with features, or pixels, from a seed."""

    def __init__(self, count: int, *, pixels: bool = False, words: Sequence[int] = (70, 71, 72)) -> None:
        self.count, self.pixels, self.words = count, pixels, list(words)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        random = torch.Generator().manual_seed(index)
        ids = [60, VIDEO, 61 + index % 5, *self.words]
        labels = [-100] * 3 + ids[3:]
        guide = torch.randint(3, 40, (64,), generator=random)
        if self.pixels:
            return Sample(ids, labels, guide, "video", torch.rand(4, 3, 126, 126, generator=random) * 2 - 1)
        pair = torch.randn(2, 4, 9, 9, WIDTH, generator=random)
        return Sample(ids, labels, guide, "video", None, (pair[0], pair[1]))
