"""A checkpoint written in the release's layout: weights in shards, then the files beside them, the config last."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from hicom_agent.errors import SetupError
from hicom_agent.llm.loading import Loader

SHARD_BYTES = 4 * 2**30
# of a tokenizer and of generation, in a folder of Qwen2
_BESIDE = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "generation_config.json",
)
_OF_TOWER = (
    "config.json",
    "spiece.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "preprocessor_config.json",
)


def save_checkpoint(folder: Path, loader: Loader, tensors: Mapping[str, Tensor], fixed: AbstractSet[str]) -> None:
    """Write `tensors` under their names; those of `fixed` are copied from the loader's checkpoint bit for bit."""
    start = loader.checkpoint
    if folder.resolve() == start.folder.resolve():
        raise SetupError(f"{folder} holds the checkpoint that training starts from; name another output")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").unlink(missing_ok=True)
        _write_weights(folder, _in_order(loader, tensors, fixed))
        for name in _BESIDE:
            if (start.folder / name).is_file():
                shutil.copyfile(start.folder / name, folder / name)
        tower = folder / loader.tower_folder.resolve().name  # of "." and ".." too, which would name other folders
        tower.mkdir(exist_ok=True)
        for name in _OF_TOWER:
            if (loader.tower_folder / name).is_file():
                shutil.copyfile(loader.tower_folder / name, tower / name)
        config = {**start.config, "mm_vision_tower": tower.name}
        (folder / "config.json").write_text(json.dumps(config, indent=1))
    except OSError as error:
        raise SetupError(f"cannot write the checkpoint {folder}: {error}") from error


def _in_order(loader: Loader, tensors: Mapping[str, Tensor], fixed: AbstractSet[str]) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in tensors.items():
        if name not in fixed:
            yield name, tensor
    yield from loader.checkpoint.read(name for name in tensors if name in fixed)


def _write_weights(folder: Path, tensors: Iterator[tuple[str, Tensor]]) -> None:
    """Write shards of some GB and their index; never more than one is in memory."""
    old_ones = (*folder.glob("model-*.safetensors"), *folder.glob("model-*.part"))
    for old in (*old_ones, folder / "model.safetensors.index.json"):
        old.unlink(missing_ok=True)
    shards: list[tuple[Path, list[str]]] = []
    waiting: dict[str, Tensor] = {}
    total = 0

    def flush() -> None:
        file = folder / f"model-{len(shards) + 1:05d}.part"
        save_file(waiting, str(file), metadata={"format": "pt"})
        shards.append((file, list(waiting)))
        waiting.clear()

    for name, tensor in tensors:
        if waiting and sum(each.nbytes for each in waiting.values()) + tensor.nbytes > SHARD_BYTES:
            flush()
        waiting[name] = tensor.to("cpu", copy=True).contiguous() if tensor.device.type != "cpu" else tensor.contiguous()
        total += tensor.nbytes
    flush()
    places = {}
    for number, (file, names) in enumerate(shards, 1):
        final = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        file.rename(folder / final)
        places.update(dict.fromkeys(names, final))
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))


def save_trained(file: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write the weights that learn, as a point to resume from."""
    save_file({name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}, str(file))


@torch.no_grad()
def load_trained(file: Path, parameters: Mapping[str, Tensor]) -> None:
    """Read what `save_trained` wrote into the parameters; raises SetupError where the names differ."""
    from safetensors.torch import load_file

    found = load_file(str(file))
    if found.keys() != parameters.keys():
        raise SetupError(f"{file} holds other weights than this stage trains; use --no-resume to start anew")
    for name, tensor in found.items():
        parameters[name].copy_(tensor)
