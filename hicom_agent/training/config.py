"""What a run of training is given: a stage's defaults, over them a file, over them flags."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr  # of a short text, however large and deep a value is
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from hicom_agent.errors import InputError, SetupError

Stage = Literal["align", "condition", "tune"]
Mode = Literal["off", "direct", "coarse", "fine"]
Checked = TypeVar("Checked", bound=BaseModel)


MAX_NAME_BYTES = 255


def _check_path(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("no path has a NUL in it")
    if any(len(os.fsencode(part)) > MAX_NAME_BYTES for part in path.parts):
        raise ValueError(f"no name in a path is longer than {MAX_NAME_BYTES} bytes")
    return path.expanduser()


Place = Annotated[Path, AfterValidator(_check_path)]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the paper does in a stage."""

    learning_rate: float
    batch: int
    frames: int
    guide: Mode
    aspect: str


PROJECTOR = "local43_global32"  # of the release; both branches are guided as use_guide says
# Source: specification of HICom, section 16; injector parameters and SigLIP's parts have rates of their own.
RECIPES: dict[Stage, Recipe] = {
    "align": Recipe(1e-3, 512, 1, "off", "square"),
    "condition": Recipe(1e-4, 256, 32, "direct", "pad"),
    "tune": Recipe(1e-5, 256, 32, "direct", "pad"),
}


class Part(BaseModel):
    """One file of conversations in a mixture."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    path: Place = Field(description="JSON or JSONL of LLaVA conversations")
    root: Place | None = Field(default=None, description="folder of its pictures and videos; default: the file's")
    images_root: Place | None = Field(default=None, description="another name for root")
    ratio: float | None = Field(default=None, gt=0, description="below 1 a drawn part of it, above 1 repeated")
    count: int | None = Field(default=None, ge=1, description="in place of ratio: so many samples")

    @model_validator(mode="after")
    def _check(self) -> Part:
        if self.ratio is not None and self.count is not None:
            raise ValueError("give ratio or count, not both")
        if self.root is not None and self.images_root is not None:
            raise ValueError("give root or images_root, which mean the same")
        return self

    @property
    def folder(self) -> Path:
        """Return the folder that names of pictures and videos start from."""
        return self.root or self.images_root or self.path.parent


class TrainConfig(BaseModel):
    """One stage of training; what is None is the stage's own."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    stage: Stage
    output: Place = Field(description="folder of the checkpoint that comes out, with logs and what a resume needs")
    start: Place | None = Field(
        default=None, description="folder of a HICom checkpoint: of the stage before, a release"
    )
    vision_tower: Place | None = Field(default=None, description="folder of the SigLIP; with weights to start align")
    language_model: Place | None = Field(default=None, description="folder of a Qwen2 model, to start align")
    data: Place | tuple[Part, ...] = Field(default=(), description="parts, a YAML list of them, or one JSON or JSONL")
    roots: tuple[Place, ...] = Field(default=(), description="folders videos may be opened from; none: anywhere")

    projector: str | None = Field(default=None, description="mm_projector_type; default: the start's, or the release's")
    guide: Mode | None = Field(default=None, description="use_guide")
    frames: int | None = Field(default=None, ge=1, le=1024)
    max_text_ids: int = Field(default=4096, ge=16, description="of a prompt and its answers, before visual tokens")
    train_head_and_text: bool = Field(default=False, description="tune also SigLIP's head and text encoder")
    skip_condition: bool = Field(default=False, description="tune an aligned checkpoint that was never conditioned")

    learning_rate: float | None = Field(default=None, gt=0)
    injector_learning_rate: float = Field(default=1e-3, gt=0, description="of guide injectors, in condition")
    head_and_text_learning_rate: float = Field(default=2e-6, gt=0)
    batch: int | None = Field(default=None, ge=1, description="samples in a step, over all processes")
    micro_batch: int = Field(default=4, ge=1, description="samples on a device at once; the rest by accumulation")
    epochs: float = Field(default=1.0, gt=0)
    max_steps: int | None = Field(default=None, ge=1, description="in place of epochs")
    warmup: float = Field(default=0.03, ge=0, lt=1, description="share of the steps")
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, ge=0, description="0: no clipping")
    seed: int = Field(default=0, ge=0, lt=2**32)

    device: Literal["", "cpu", "cuda"] = Field(default="", description="empty: a GPU if there is one")
    bf16: bool | None = Field(default=None, description="compute in bfloat16; default: on a GPU")
    gradient_checkpointing: bool = Field(default=False, description="of the language model: less memory, more time")
    workers: int = Field(default=0, ge=0, description="processes that prepare samples")
    logging_steps: int = Field(default=1, ge=1)
    save_steps: int = Field(default=100, ge=1, description="between two points that a run can be resumed from")
    tensorboard: bool = True

    @property
    def recipe(self) -> Recipe:
        """Return the stage's own values under what the config says."""
        own = RECIPES[self.stage]
        return Recipe(
            learning_rate=self.learning_rate or own.learning_rate,
            batch=self.batch or own.batch,
            frames=self.frames or own.frames,
            guide=self.guide or own.guide,
            aspect=own.aspect,
        )

    @model_validator(mode="after")
    def _check(self) -> TrainConfig:
        if self.stage != "tune" and self.train_head_and_text:
            raise ValueError("train_head_and_text is for the stage tune")
        return self


def load_config(path: str | Path, **flags: Any) -> TrainConfig:
    """Return the config in a YAML or TOML file; flags that are not None beat it, paths in it start at its folder.

    Raises InputError, which names the key.
    """
    file = Path(path)
    values = read_mapping(file)
    for name in ("output", "start", "vision_tower", "language_model"):
        values[name] = _from(file.parent, values.get(name))
    if isinstance(values.get("roots"), list):
        values["roots"] = [_from(file.parent, root) for root in values["roots"]]
    values["data"] = _placed(values.get("data", ()), file)
    stated, wanted = values.get("stage"), flags.get("stage")
    if stated and wanted and stated != wanted:
        raise InputError(f"{file}: it is for the stage {stated!r}, not {wanted!r}; name its own with --stage")
    values.update({name: value for name, value in flags.items() if value is not None})
    return check_config({name: value for name, value in values.items() if value is not None}, str(file))


def check_config(values: Mapping[str, Any], where: str) -> TrainConfig:
    """Return the config of these values; raises InputError, which names the first that is wrong."""
    return _check(TrainConfig, values, where)


def check_part(values: Any, where: str) -> Part:
    """Return the part of these values; raises InputError."""
    if not isinstance(values, dict):
        raise InputError(f"{where}: need a path and how much of it, got {repr(values)}")
    return _check(Part, values, where)


def _check(kind: type[Checked], values: Mapping[str, Any], where: str) -> Checked:
    try:
        return kind(**{str(key): value for key, value in values.items()})
    except ValidationError as error:
        first = error.errors()[0]
        # a union's branches stand in the place of keys, too long to be any
        name = ".".join(str(part) for part in first["loc"] if "[" not in str(part)) or "config"
        if first["type"] in ("missing", "path_type"):
            field = kind.model_fields[str(first["loc"][0])]
            got = "is missing" if first["type"] == "missing" else f"is {repr(first['input'])}"
            raise InputError(f"{where}: {name} {got}; expected: {field.description}") from error
        if first["type"] == "extra_forbidden":
            raise InputError(f"{where}: there is no key {name!r}; there are: {', '.join(kind.model_fields)}") from error
        raise InputError(f"{where}: {name}: {first['msg']}, got {repr(first['input'])}") from error


def read_mapping(file: Path) -> dict[str, Any]:
    """Return the keys and values of a YAML or TOML file; raises InputError."""
    try:
        found = tomllib.loads(_text(file)) if file.suffix == ".toml" else read_yaml(file)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{file}: is no TOML: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{file}: need keys and values, got {type(found).__name__}")
    return found


def read_yaml(file: Path) -> Any:
    """Return what a YAML file holds, without its own types; raises InputError."""
    try:
        import yaml
    except ImportError as error:
        raise SetupError("no package 'yaml'; run: pip install 'hicom-agent[train]'") from error
    try:
        return yaml.safe_load(_text(file))
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # of a date or a number that is none
        raise InputError(f"{file}: is no YAML: {' '.join(str(error).split())[:200]}") from error


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {file}: {error}") from error


def _placed(data: Any, file: Path) -> Any:
    """Return what the key `data` of a file says, with paths that start at its folder."""
    if isinstance(data, str):
        return _from(file.parent, data)
    if not isinstance(data, (list, tuple)):
        return data
    return tuple(
        check_part(placed_part(part, file.parent), f"{file}: data: part {number}") for number, part in enumerate(data)
    )


def placed_part(part: Any, folder: Path) -> Any:
    """Return a part of a mixture with its paths starting at a folder; what is no part stays as it is."""
    if not isinstance(part, dict):
        return part
    keys = ("path", "root", "images_root")
    return {key: _from(folder, value) if key in keys else value for key, value in part.items()}


def _from(folder: Path, value: Any) -> Any:
    """Return a path that starts at a folder, if it is one at all."""
    return folder / Path(value).expanduser() if isinstance(value, str) else value
