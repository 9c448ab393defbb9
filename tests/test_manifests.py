"""What registries and bundles are told agrees with the package and its tools."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from hicom_agent.tools import TOOLS

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("name", ["server.json", "manifest.json"])
def test_the_version_is_that_of_the_package(name: str) -> None:
    assert json.loads((ROOT / name).read_text())["version"] == PROJECT["version"]


def test_the_registry_entry_names_this_package_and_the_readme_proves_it() -> None:
    entry = json.loads((ROOT / "server.json").read_text())
    assert entry["packages"][0]["identifier"] == PROJECT["name"] and len(entry["description"]) <= 100
    assert f"mcp-name: {entry['name']}" in (ROOT / "README.md").read_text()


def test_the_bundle_and_the_readme_name_the_tools() -> None:
    tools = json.loads((ROOT / "manifest.json").read_text())["tools"]
    assert {tool["name"]: tool["description"] for tool in tools} == {
        tool.name: tool.description.split(". ")[0].rstrip(".") + "." for tool in TOOLS.values()
    }
    readme = (ROOT / "README.md").read_text()
    assert all(f"`{name}`" in readme for name in TOOLS)
