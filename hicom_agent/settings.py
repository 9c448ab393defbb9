"""What a user may set: flags beat HICOM_AGENT_* variables, which beat the file, which beats the defaults."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_cache_path, user_config_path, user_data_path
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hicom_agent.errors import InputError

PREFIX = "HICOM_AGENT_"
TOKEN_BYTES = 512 * 2**20  # some 200 questions with the small models


class Settings(BaseModel):
    """The settings of one run; made by `load_settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: Path = Field(
        default_factory=lambda: user_data_path("hicom-agent"), description="where videos are remembered"
    )
    cache: Path = Field(default_factory=lambda: user_cache_path("hicom-agent"), description="where models are kept")
    roots: tuple[Path, ...] = Field(default=(), description="folders videos may be opened from; none: anywhere")
    profile: Literal["auto", "nano", "hicom-7b"] = Field(default="auto", description="which models serve")
    checkpoint: Path | None = Field(default=None, description="folder of the weights of hicom-7b; default: the cache")
    vision_tower: Path | None = Field(default=None, description="folder with the config and tokenizer of its SigLIP")
    device: str = Field(default="", description="of hicom-7b, such as cuda:1 or cpu; empty: a GPU if there is one")
    max_visual_tokens: int = Field(default=2624, ge=128, description="of hicom-7b, shown to its language model at once")
    token_bytes: int = Field(
        default=TOKEN_BYTES, ge=0, description="of tokens compressed under questions, kept per store; 0: none"
    )
    llm: str = Field(default="", description="a LangChain chat model such as ollama:qwen3, or packaged:qwen-1500m")
    speech: bool = True
    ocr: bool = True
    sample_every_s: float = Field(default=1.0, gt=0, le=60)
    max_question_chars: int = Field(default=2000, ge=1)
    max_video_bytes: int = Field(default=200 * 2**30, ge=1)
    max_duration_s: float = Field(default=100 * 3600.0, gt=0)
    threads: int = Field(default=0, ge=0, description="CPU threads of the models; 0: all cores")
    offline: bool = Field(default=False, description="never fetch a model")


def load_settings(flags: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings; flags whose value is None are as if not given.

    Raises InputError, which names the setting and where it came from.
    """
    environment = os.environ if environment is None else environment
    values = _read_file(Path(environment.get(PREFIX + "CONFIG", user_config_path("hicom-agent") / "config.toml")))
    for name in Settings.model_fields:
        text = environment.get(PREFIX + name.upper())
        if text is not None:
            values[name] = tuple(filter(None, text.split(os.pathsep))) if name == "roots" else text
    values.update({name: value for name, value in (flags or {}).items() if value is not None})
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InputError(f"setting {name}={first['input']!r}: {first['msg']}; see hicom-agent --help") from error


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read settings file {path}: {error}") from error
