"""The commands of the README's section "Evaluate", on made benchmarks."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from hicom_agent.cli import main

FOLDERS = {"Video-MME": "videomme", "MLVU": "mlvu", "LVBench": "lvbench", "EgoSchema": "egoschema"}


def commands() -> list[list[str]]:
    """Return the arguments of each command, without the variables before it."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    section = readme.partition("\n## Evaluate\n")[2].partition("\n## ")[0]
    lines = [shlex.split(line[2:]) for line in section.splitlines() if line.startswith("$ ")]
    return [line[line.index("hicom-agent") + 1 :] for line in lines]


def test_every_command_runs(
    benchmarks: dict[str, Path],
    weights: Path,
    nano: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HICOM_AGENT_SPEECH", "false")
    monkeypatch.setenv("HICOM_AGENT_OCR", "false")
    for name, held in FOLDERS.items():
        (tmp_path / name).symlink_to(benchmarks[held])
    (tmp_path / "weights").symlink_to(weights)
    assert len(commands()) == 7
    for command in commands():
        if "mcp" in command:  # asked in test_modes
            command.append("--dry-run")
        assert main(command) == 0, command
        shown = capsys.readouterr().out
        assert "paper      HICom 7B" in shown or "--dry-run" in command
    logs = sorted(file.name for file in tmp_path.glob("evaluations/egoschema-model/log*"))
    assert logs == ["log-1-of-2.jsonl", "log-2-of-2.jsonl"] and "answered   2 of 3; 1 missing" in shown
