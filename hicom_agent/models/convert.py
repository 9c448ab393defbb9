"""Turn a GGUF language model into a CTranslate2 one, in a process of its own: it takes memory of 9 to 16 such files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

from hicom_agent.errors import SetupError
from hicom_agent.models.fetch import Progress
from hicom_agent.models.manifest import Model

_MEMORY = 9  # of the size of the file
_PACKAGE_ROOT = Path(__file__).resolve().parents[2]  # -P leaves out the working folder, where anything may lie


def require_memory(model: Model) -> None:
    """Raise SetupError where the memory that a conversion takes is not free."""
    free, needed = psutil.virtual_memory().available, _MEMORY * sum(file.bytes for file in model.files)
    if free < needed:
        raise SetupError(
            f"model {model.name!r}: its conversion takes {needed / 1e9:.1f} GB of memory once, {free / 1e9:.1f} GB are "
            "free; close other programs and pull again"
        )


def convert(model: Model, folder: Path, on_progress: Progress) -> None:
    """Replace the GGUF file in `folder` by the CTranslate2 files that `model.made` names.

    Raises SetupError with the last line of the conversion's output.
    """
    on_progress("convert", 0, 0)  # it does not tell how far it is
    source = folder / model.files[0].path
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        paths = os.pathsep.join(filter(None, [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": paths}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "hicom_agent.models.convert", str(source), scratch],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:300]
            raise SetupError(
                f"model {model.name!r}: conversion failed: {last}; run: pip install 'hicom-agent[nano]' and pull again"
            )
        for name in model.made:
            (Path(scratch) / "made" / name).replace(folder / name)
    source.unlink()
    on_progress("convert", 1, 1)


def _convert_gguf(source: Path, scratch: Path) -> None:
    """Write `scratch`/made from a GGUF file. No template or code of the file is run."""
    import torch
    from ctranslate2.converters import TransformersConverter
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where, made, plain = str(source.parent), scratch / "made", scratch / "plain"
    tokenizer = AutoTokenizer.from_pretrained(where, gguf_file=source.name)
    network = AutoModelForCausalLM.from_pretrained(where, gguf_file=source.name, dtype=torch.float32)
    # save_pretrained refuses a model that was quantised; its weights are plain float32 by now
    network.hf_quantizer, network.is_quantized = None, False
    for name in ("quantization_config", "_pre_quantization_dtype"):
        network.config.__dict__.pop(name, None)
    network.save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    del network
    TransformersConverter(str(plain)).convert(str(made), quantization="int8")
    shutil.copy(plain / "tokenizer.json", made)


if __name__ == "__main__":
    _convert_gguf(Path(sys.argv[1]), Path(sys.argv[2]))
