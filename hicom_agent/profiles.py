"""Which profile serves: asked for, or the best that this machine can run; and the parts of profile hicom-7b."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hicom_agent.errors import ModelMissing, SetupError
from hicom_agent.settings import Settings
from hicom_agent.types import shorten

if TYPE_CHECKING:
    from hicom_agent.agent import Writer
    from hicom_agent.encode.hicom import HIComEncoder
    from hicom_agent.llm.loading import Loader
    from hicom_agent.llm.reader import HIComReader
    from hicom_agent.llm.reranker import Reranker

LOG = logging.getLogger(__name__)
RERANKER = "reranker"
READER = "qwen-1500m"  # a larger language model that packages carry
PACKAGED = f"packaged:{READER}"  # it in the place of a chat model
SPARE_BYTES = 4 * 2**30  # of a GPU's memory, beside the weights: frames, states, what else runs


@dataclass(frozen=True, slots=True)
class Choice:
    """A profile and the reason for it."""

    name: str  # "nano" or "hicom-7b"
    why: str


def choose_profile(settings: Settings) -> Choice:
    """Return the profile asked for; if that is auto, hicom-7b where the weights and a GPU for them are there."""
    if settings.profile != "auto":
        return Choice(settings.profile, "asked for")
    try:
        folder = find_checkpoint(settings)
    except ModelMissing:
        return Choice("nano", "no weights of hicom-7b here")
    need, free = weight_bytes(folder) + SPARE_BYTES, gpu_bytes(settings.device)
    if not free:
        return Choice("nano", "no GPU")
    if free < need:
        return Choice("nano", f"the GPU has {free / 2**30:.0f} GB free, hicom-7b needs {need / 2**30:.0f}")
    return Choice("hicom-7b", f"weights in {folder}, and a GPU with {free / 2**30:.0f} GB free")


def find_checkpoint(settings: Settings) -> Path:
    """Return the folder of the weights of hicom-7b: the setting, else the cache; raises ModelMissing."""
    from hicom_agent import models

    if settings.checkpoint is None:
        return models.ensure("hicom-7b", settings.cache, offline=True)
    if not (settings.checkpoint / "config.json").is_file():
        raise ModelMissing(f"checkpoint {settings.checkpoint} has no config.json; name the folder of the weights")
    return settings.checkpoint


def weight_bytes(folder: Path) -> int:
    """Return the size of the weights in a folder."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def gpu_bytes(device: str = "") -> int:
    """Return the free memory of a GPU, the first by default; 0 without one, or if another device is wanted."""
    import torch

    if not torch.cuda.is_available() or (device and not device.startswith("cuda")):
        return 0
    return int(torch.cuda.mem_get_info(device or None)[0])


def open_hicom(settings: Settings) -> Loader:
    """Return the checked, unread weights; raises SetupError, which names what is missing or damaged."""
    from hicom_agent import models
    from hicom_agent.llm.loading import Loader

    folder, tower = find_checkpoint(settings), settings.vision_tower
    try:
        loader = Loader(folder, tower, settings.device or None)
    except ModelMissing:
        if tower is not None:
            raise
        tower = models.ensure("siglip", settings.cache, offline=settings.offline)
        loader = Loader(folder, tower, settings.device or None)
    if not loader.config.guided:
        raise SetupError(f"{folder} was trained without guidance, so it has no space in which to search; use another")
    return loader


def nano_files(find_model: Callable[[str], Path]) -> tuple[Path, Path, Path]:
    """Return where the parts of the encoder of profile nano are."""
    return find_model("lite0") / "efficientnet-lite0.pth", find_model("minilm"), find_model("imagenet-labels")


def is_installed(module: str, extra: str) -> bool:
    """Return whether an optional package is here; a part that is switched on and is not is told."""
    if importlib.util.find_spec(module) is not None:
        return True
    LOG.warning("%s is not installed, so this part is skipped; run: pip install 'hicom-agent[%s]'", module, extra)
    return False


def make_encoder(weights: Loader, minilm: Path) -> HIComEncoder:
    """Return the encoder of profile hicom-7b; of the weights only the vision tower is read."""
    from hicom_agent.encode.hicom import HIComEncoder
    from hicom_agent.encode.sentences import SentenceModel
    from hicom_agent.encode.siglip import GuideTokenizer

    guides, sentences = GuideTokenizer(weights.tower_folder), SentenceModel(minilm)
    pad = weights.config.aspect == "pad"
    return HIComEncoder(weights.load_tower(), guides, sentences, weights.version, pad=pad)


def make_reader(weights: Loader, max_visual_tokens: int) -> HIComReader:
    """Return the language model of profile hicom-7b."""
    from hicom_agent.encode.siglip import GuideTokenizer
    from hicom_agent.llm import HIComModel
    from hicom_agent.llm.reader import HIComReader

    return HIComReader(HIComModel(weights), GuideTokenizer(weights.tower_folder), max_visual_tokens)


def find_reranker(find_model: Callable[[str], Path], threads: int, *, waits: bool = True) -> Reranker | None:
    """Return what reads a line together with the question, or None, and say so, where it cannot be had.

    Raises ModelMissing for a caller that does not wait for it.
    """
    if not is_installed("onnxruntime", "nano"):
        return None
    from hicom_agent.llm.reranker import Reranker

    try:
        return Reranker(find_model(RERANKER), threads=threads)
    except SetupError as error:
        if not waits and isinstance(error, ModelMissing):
            raise
        LOG.warning("lines are not read together with the question: %s", error.line)
        return None


def tell_missing(wanted: str, why_not: str) -> str:
    """Return what an answer went without and what to do, for an agent."""
    if why_not:
        return f"answered without the language model ({shorten(why_not, 200)})"
    from hicom_agent import models

    minutes = models.load_manifest()[wanted].convert_minutes
    better = "better" if wanted == RERANKER else "shorter"
    return f"the model {wanted} is being prepared: ask again in about {minutes} for a {better} answer"


def writer_model(llm: str) -> str:
    """Return which packaged language model a setting names."""
    return READER if llm == PACKAGED else "smollm2"


def make_writer(llm: str, find_model: Callable[[str], Path], threads: int) -> Writer:
    """Return the language model of this name that reads words: packaged, or any chat model of LangChain."""
    from hicom_agent.llm.lines import LineReader
    from hicom_agent.llm.text import ChatText, SmallTextModel

    if llm == PACKAGED:
        return LineReader(find_model(writer_model(llm)), threads=threads)
    return ChatText(llm) if llm else SmallTextModel(find_model(writer_model(llm)), threads=threads)
