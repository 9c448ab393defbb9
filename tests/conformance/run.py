# ruff: noqa: T201
"""Hold the server to the official conformance suite: python -m tests.conformance.run

First the real server, with the scenarios that need nothing but a server; then the same server with the fixtures that
all others ask for. A scenario passes if no check of it fails or warns; what the suite runs without scoring counts too.
Node and the suite are fetched on the first run. Exit code 1 if a scenario failed that is not in baseline.yml, or if
one that is there has passed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.tools import FOLDER, ROOT, SUITE, fetch_node, fetch_packages, free_port, package_folder, serving

REVISIONS = ("2025-11-25", "2026-07-28")
BASELINE = Path(__file__).with_name("baseline.yml")
RUN_S = 300
BAD = ("FAILURE", "WARNING")
PLAIN = (
    "completion-complete", "dns-rebinding-protection", "prompts-list", "resources-list",
    "server-sse-multiple-streams", "tools-call-error", "tools-call-simple-text", "tools-list",
)  # fmt: skip
PLAIN_OF = {
    "2025-11-25": ("ping", "server-initialize", "server-session-lifecycle"),
    "2026-07-28": (
        "caching", "http-header-validation", "input-required-result-unsupported-methods", "sep-2164-resource-not-found"
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Leg:
    """One server at one revision, and what came of it."""

    name: str
    checks: dict[str, list[dict[str, str]]]  # by scenario
    expected: frozenset[str]  # scenarios that fail, and are known to

    @property
    def faults(self) -> list[str]:
        """Return a line for each scenario that should have passed, or should have failed."""
        lines = [f"{name}: {told}" for name in self.required for told in _bad(self.checks[name])]
        passed = [name for name in sorted(self.expected) if not _bad(self.checks[name])]
        return lines + [f"{name}: passes, so strike it from baseline.yml" for name in passed]

    @property
    def required(self) -> list[str]:
        """Return the scenarios that must pass."""
        return [name for name in self.checks if name not in self.expected]

    @property
    def row(self) -> tuple[str, ...]:
        """Return the line of the table."""
        failed = sum(bool(_bad(self.checks[name])) for name in self.required)
        checks = [check for name in self.required for check in self.checks[name]]
        passed = sum(check["status"] == "SUCCESS" for check in checks)
        num_bad = sum(check["status"] in BAD for check in checks)
        return (self.name, *map(str, (len(self.required) - failed, failed, passed, num_bad, len(self.expected))))


def _bad(checks: list[dict[str, str]]) -> list[str]:
    found = [
        f"{check['status']} {check['id']}: {check.get('errorMessage') or check.get('description', '')}"
        for check in checks
        if check["status"] in BAD
    ]
    passed = any(check["status"] == "SUCCESS" for check in checks)
    return found or ([] if passed else ["no check of it was made"])


def main() -> int:
    """Run all legs and print the table; returns the exit code."""
    node = fetch_node()
    fetch_packages(node, SUITE)
    shutil.rmtree(FOLDER / "results", ignore_errors=True)
    legs = [*_legs(node, fixtures=False), *_legs(node, fixtures=True)]
    rows = [("run", "scenarios passed", "failed", "checks passed", "failed", "expected to fail")]
    for row in rows + [leg.row for leg in legs]:
        print(f"{row[0]:32}" + "".join(f"{cell:>18}" for cell in row[1:]))
    faults = [f"{leg.name}: {line}" for leg in legs for line in leg.faults]
    print(*faults, sep="\n", end="\n" if faults else "")
    return 1 if faults else 0


def _legs(node: Path, *, fixtures: bool) -> Iterator[Leg]:
    """Start a server with a store of its own and run the suite at each revision."""
    with tempfile.TemporaryDirectory() as store:
        port = free_port()
        command = [sys.executable, "-m", "tests.conformance.fixtures", str(port), store]
        if not fixtures:
            command = [sys.executable, "-m", "hicom_agent", "mcp", "--http", f"127.0.0.1:{port}"]
            command += ["--store", store, "--root", store, "--profile", "nano"]
        name = "with fixtures" if fixtures else "as it is"
        folder = FOLDER / "results" / name.replace(" ", "-")
        folder.mkdir(parents=True)
        with serving(command, port, folder / "server.log") as url:
            for revision in REVISIONS:
                suite = _run_required if fixtures else _run_plain
                yield suite(node, url, revision, folder / revision, f"{name}, {revision}")


def _run_plain(node: Path, url: str, revision: str, folder: Path, name: str) -> Leg:
    scenarios = sorted(PLAIN + PLAIN_OF[revision])
    for scenario in scenarios:
        _suite(node, folder, "--url", url, "--scenario", scenario, "--spec-version", revision)
    found = _read(folder)
    return Leg(name, {scenario: found.get(scenario, []) for scenario in scenarios}, frozenset())


def _run_required(node: Path, url: str, revision: str, folder: Path, name: str) -> Leg:
    _suite(node, folder, "--url", url, "--requirements", revision, "--expected-failures", str(BASELINE))
    required = _required(revision)
    found: dict[str, list[dict[str, str]]] = {name: [] for name in required}
    found |= _read(folder)
    known = re.findall(r"^\s*- (\S+)", BASELINE.read_text(), re.MULTILINE)
    return Leg(name, found, frozenset(known) & set(required))


def _suite(node: Path, folder: Path, *arguments: str) -> None:
    """Run the suite; what it found lies in the folder, what it printed at the end of the folder's log."""
    program = package_folder(SUITE[0]) / "dist" / "index.js"
    folder.mkdir(exist_ok=True)
    with (folder / "log.txt").open("a") as log:
        command = [str(node), str(program), "server", *arguments, "-o", str(folder)]
        subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, timeout=RUN_S)


def _required(revision: str) -> list[str]:
    """Return the server's scenarios of a revision, those that are run and not scored among them."""
    text = (package_folder(SUITE[0]) / "requirements" / f"{revision}.yaml").read_text()
    scored = text.partition("\nserver:\n")[2].partition("\nclient:")[0]
    rest = re.findall(r"- scenario: (\S+)\n    leg: server", text)
    return re.findall(r"^  - (\S+)", scored, re.MULTILINE) + rest


def _read(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Return the checks by scenario; the suite makes a folder server-SCENARIO-TIME for each."""
    found: dict[str, list[dict[str, str]]] = {}
    for path in sorted(folder.glob("server-*/checks.json")):
        scenario = re.sub(r"^server-(.+?)-\d{4}-\d\d-\d\dT.*$", r"\1", path.parent.name)
        found[scenario] = json.loads(path.read_text())
    return found


if __name__ == "__main__":
    sys.exit(main())
