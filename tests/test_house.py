"""The house stands: links, the wheel, what importing costs, and where lines may not cross."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINKS = {"tools": "../tools", "memory": "../memory", "prompts": "../prompts", "mcp_server.py": "../mcp_server.py"}


@pytest.mark.parametrize(("name", "target"), LINKS.items())
def test_links_in_the_package_lead_to_the_root(name: str, target: str) -> None:
    link = ROOT / "hicom_agent" / name
    assert link.is_symlink() and str(link.readlink()) == target and link.exists()


def test_the_wheel_holds_every_file_of_the_tree(tmp_path: Path) -> None:
    left_out = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__")
    tree = shutil.copytree(ROOT, tmp_path / "tree", symlinks=True, ignore=left_out)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        ".",
    ]
    subprocess.run(command, cwd=tree, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    ours = [
        name for name in tracked if name.split("/")[0] in ("hicom_agent", "tools", "memory", "prompts", "mcp_server.py")
    ]
    expected = {name if name.startswith("hicom_agent/") else f"hicom_agent/{name}" for name in ours}
    expected -= {f"hicom_agent/{name}" for name in LINKS if "." not in name}
    assert expected <= names
    assert not {name for name in names if name.split("/")[0] in ("tools", "memory", "prompts", "tests")}


def test_the_help_text_loads_no_heavy_library() -> None:
    code = (
        "import sys; from hicom_agent.cli import main; main(['--help']);"
        "print(sorted({'torch', 'numpy', 'cv2', 'av', 'transformers', 'faiss', 'pydantic', 'rich'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


def test_no_file_can_unpickle() -> None:
    folders = ("hicom_agent", "tools", "memory", "prompts")
    for path in (p for folder in folders for p in (ROOT / folder).rglob("*.py") if not p.is_symlink()):
        text = path.read_text()
        for banned in ("import pickle", "import joblib", "allow_pickle=True", "weights_only=False"):
            assert banned not in text, f"{path}: {banned}"


def test_the_public_names_are_there() -> None:
    import hicom_agent

    assert all(getattr(hicom_agent, name) is not None for name in hicom_agent.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = hicom_agent.Nothing
