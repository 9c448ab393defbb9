"""What a stage starts from: the checkpoint of the stage before, or a SigLIP and a Qwen2 that never met."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hicom_agent.errors import InputError, SetupError
from hicom_agent.llm.checkpoint import Checkpoint, Entry
from hicom_agent.llm.loading import TEXT, VISION
from hicom_agent.training.config import PROJECTOR, TrainConfig

STAGE_KEY = "hicom_agent_stage"
_BEFORE = {"condition": "align", "tune": "condition"}


def open_start(config: TrainConfig) -> tuple[Checkpoint, dict[str, Any]]:
    """Return the checkpoint that a stage starts from, and what it changes of its config.json.

    Raises InputError for a start of another kind than the stage needs.
    """
    recipe = config.recipe
    if config.start is not None:
        if config.language_model is not None:
            raise InputError("give start, or vision_tower and language_model to align from; not both")
        checkpoint = _open(config.start)
        _check_stage(config, checkpoint)
    elif config.stage != "align":
        raise InputError(f"{config.stage} needs start: the folder that the stage {_BEFORE[config.stage]} wrote")
    elif config.vision_tower is None or config.language_model is None:
        raise InputError("align needs vision_tower and language_model (folders with weights), or start")
    else:
        checkpoint = join(config.vision_tower, config.language_model)
    changes: dict[str, Any] = {
        "use_guide": config.guide or _guide(config, checkpoint),
        "num_frames": recipe.frames,
        "image_aspect_ratio": recipe.aspect,
        STAGE_KEY: config.stage,
    }
    if config.projector is not None or "mm_projector_type" not in checkpoint.config:
        changes["mm_projector_type"] = config.projector or PROJECTOR
    return checkpoint, changes


def _guide(config: TrainConfig, checkpoint: Checkpoint) -> str:
    """Return the stage's kind of guidance, or the one that a checkpoint has already where the stage needs any."""
    own = str(checkpoint.config.get("use_guide") or "off")
    return own if config.recipe.guide != "off" and own != "off" else config.recipe.guide


def _open(folder: Path) -> Checkpoint:
    if not (folder / "config.json").is_file():
        raise InputError(f"start: {str(folder)!r} is no folder of a checkpoint: it has no config.json")
    return Checkpoint(folder)


def _check_stage(config: TrainConfig, checkpoint: Checkpoint) -> None:
    folder = checkpoint.folder
    if "mm_projector_type" not in checkpoint.config:
        kind = checkpoint.config.get("model_type", "unknown")
        raise InputError(
            f"{config.stage} needs a HICom checkpoint, and {str(folder)!r} is a {kind!r} model without a projector; "
            "align it first: hicom-agent train --stage align with vision_tower and language_model"
        )
    done = checkpoint.config.get(STAGE_KEY)
    if config.stage == "tune" and done == "align" and not config.skip_condition:
        raise InputError(
            f"tune needs what the stage condition wrote, and {str(folder)!r} was only aligned; "
            "run --stage condition first, or set skip_condition: true"
        )


def join(vision_tower: Path, language_model: Path) -> Checkpoint:
    """Return one checkpoint of a SigLIP's and a Qwen2's folder, under the release's names, without a projector."""
    tower = _weights(vision_tower, "vision_tower", "a SigLIP model")
    joined = _weights(language_model, "language_model", "a Qwen2 model")
    if "mm_projector_type" in joined.config or joined.config.get("model_type") not in ("qwen2", "hicom_qwen2"):
        raise InputError(
            f"language_model: {str(language_model)!r} is a {joined.config.get('model_type')!r} model, expected 'qwen2'"
        )
    vision = tower.config.get("vision_config")
    if not isinstance(vision, dict):
        raise InputError(f"vision_tower: {str(vision_tower)!r} has no vision_config; expected a SigLIP model")
    entries = {name: entry for name, entry in joined.entries.items() if not name.endswith(".inv_freq")}
    for name, entry in tower.entries.items():
        for own, release in (("vision_model.", VISION), ("text_model.", TEXT)):
            if name.startswith(own) and not name.endswith(".position_ids"):
                entries[release + name.removeprefix(own)] = Entry(entry.file, entry.shape, name)
    joined.entries = entries
    joined.config = {
        **joined.config,
        "model_type": "hicom_qwen2",
        "architectures": ["HIComQwen2ForCausalLM"],
        "mm_vision_tower": str(vision_tower.resolve()),
        "mm_hidden_size": vision.get("hidden_size", 768),
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
        "mm_patch_merge_type": "spatial_unpad",
        "mm_newline_position": "no_token",
    }
    return joined


def _weights(folder: Path, key: str, kind: str) -> Checkpoint:
    if not (folder / "config.json").is_file():
        raise InputError(f"{key}: {str(folder)!r} has no config.json; expected the folder of {kind} with weights")
    try:
        return Checkpoint(folder)
    except SetupError as error:
        raise InputError(f"{key}: {error}; expected the folder of {kind} with weights") from error
