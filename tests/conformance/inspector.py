# ruff: noqa: T201
"""Hold the server to the Inspector, as a client of its own: python -m tests.conformance.inspector

Over stdio and HTTP, in the older and the newer era of the protocol: the schemas of the tools are portable, and
ask_video tells when cars drive through real footage. Without the footage beside the checkout only the tools are listed.
Exit code 1 if anything is not as it should be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.conformance.tools import (
    FOLDER,
    INSPECTOR,
    ROOT,
    fetch_node,
    fetch_packages,
    free_port,
    package_folder,
    serving,
    with_node,
)

ERAS = ("legacy", "modern")
FOOTAGE = ROOT.parent / "shared" / "videos" / "car-detection.mp4"
QUESTION = "when does a car drive through?"
CARS_S = [(4.4, 8.8), (14.4, 19.2), (25.4, 28.0)]  # a car is in view, by eye
SLACK_S = 2.0
CALL_S, INDEX_S = 120, 600


def main() -> int:
    """Run all calls and print a line for each; returns the exit code."""
    node = fetch_node()
    fetch_packages(node, INSPECTOR)
    with tempfile.TemporaryDirectory() as store:
        given = ["--store", store, "--root", store, "--profile", "nano"]
        program = [sys.executable, "-m", "hicom_agent"]
        if FOOTAGE.is_file():
            index = [*program, "index", str(FOOTAGE), "--store", store, "--profile", "nano"]
            subprocess.run(index, cwd=ROOT, check=True, timeout=INDEX_S, capture_output=True)
        else:
            print(f"no footage at {FOOTAGE}: ask_video is skipped")
        port = free_port()
        over_http = [*program, "mcp", "--http", f"127.0.0.1:{port}", *given]
        with serving(over_http, port, FOLDER / "inspector-server.log") as url:
            targets = {"stdio": [*program, "mcp", *given], "http": [url, "--transport", "http"]}
            faults = [_look(node, name, target, era) for name, target in targets.items() for era in ERAS]
    return 1 if any(faults) else 0


def _look(node: Path, name: str, target: list[str], era: str) -> bool:
    """Print how the calls to one target end; returns whether one was wrong."""
    told = {"tools/list --strict": _list_fault(node, [*target, "--protocol-era", era])}
    if FOOTAGE.is_file():
        told["ask_video"] = _ask_fault(node, [*target, "--protocol-era", era])
    for call, fault in told.items():
        print(f"{name:6} {era:7} {call:20} {fault or 'passed'}")
    return any(told.values())


def _list_fault(node: Path, target: list[str]) -> str:
    code, found, said = _inspect(node, target, "--method", "tools/list", "--strict")
    names = [tool["name"] for tool in found.get("tools", ())]
    if code:  # 6: a schema that some client cannot read
        return f"exit code {code}: {said}"
    return "" if "ask_video" in names else f"ask_video is not among {names}"


def _ask_fault(node: Path, target: list[str]) -> str:
    arguments = json.dumps({"video": "car-detection", "question": QUESTION})
    call = ["--method", "tools/call", "--tool-name", "ask_video", "--tool-args-json", arguments]
    code, found, said = _inspect(node, target, *call)
    if code:
        return f"exit code {code}: {said}"
    answer = found["structuredContent"]
    spans = [(citation["start_s"], citation["end_s"]) for citation in answer["citations"]]
    right = all(any(a - SLACK_S <= start_s and end_s <= b + SLACK_S for a, b in CARS_S) for start_s, end_s in spans)
    whole = all(any(start_s < b and end_s > a for start_s, end_s in spans) for a, b in CARS_S)
    return "" if right and whole and not answer["abstained"] else f"{spans} are not the times of {CARS_S}"


def _inspect(node: Path, target: list[str], *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Return the Inspector's exit code, what it got, and what it said beside that."""
    program = package_folder(INSPECTOR[0]) / "clients" / "launcher" / "build" / "index.js"
    # its files belong into our folder, not into the user's home
    own = {"MCP_CATALOG_PATH": str(FOLDER / "catalog.json"), "MCP_CLIENT_CONFIG_PATH": str(FOLDER / "client.json")}
    done = subprocess.run(
        [str(node), str(program), "--cli", *target, *arguments, "--format", "json"],
        cwd=ROOT,
        env=os.environ | with_node(node) | own,
        timeout=CALL_S,
        capture_output=True,
        text=True,
    )
    result = json.loads(done.stdout)["result"] if done.stdout.strip() else {}
    return done.returncode, result, done.stderr.strip()[-500:]


if __name__ == "__main__":
    sys.exit(main())
