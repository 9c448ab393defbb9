"""The MCP surface. It comes with a later version; until then it says so."""

import sys


def main() -> int:
    """Say in one line that there is no server yet, and return exit code 3."""
    sys.stderr.write(
        "hicom-agent-mcp: the MCP server is not part of this version; use: hicom-agent ask VIDEO QUESTION\n"
    )
    return 3
