"""What MCP adds to a warm question: the same question in Python and through client and server, in turns.

Run: python benchmarks/mcp_overhead.py     # indexes one of the shared films first; writes benchmarks/results/mcp.json
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from hicom_agent.build import Workspace
from hicom_agent.settings import load_settings
from hicom_agent.tools import TOOLS, index_video

HERE = Path(__file__).resolve().parent
FILM = HERE.parents[1] / "shared" / "videos" / "car-detection.mp4"
QUESTIONS = (
    "when does a car drive through?",
    "Is there a bottle?",
    "how often does a car drive by?",
    "when is a dog seen?",
)
ROUNDS = 5
AT_MOST_MS = 50


async def measure(store: Path) -> list[tuple[float, float]]:
    """Return pairs of seconds, in Python and through MCP."""
    work = Workspace(load_settings({"store": store, "speech": False, "ocr": False}))
    video_id = index_video(work, FILM).video_id
    arguments = ["-m", "hicom_agent", "mcp", "--store", str(store)]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
    pairs = []
    async with Client(stdio_client(server)) as client:
        for turn in range(ROUNDS + 1):
            for question in QUESTIONS:
                given = {"video": video_id, "question": question}
                began_s = time.perf_counter()
                expected = TOOLS["ask_video"].run(work, TOOLS["ask_video"].arguments(**given), 40)
                middle_s = time.perf_counter()
                found = (await client.call_tool("ask_video", given)).structured_content
                ended_s = time.perf_counter()
                assert {**found, "spend": {}} == {**expected, "spend": {}}
                if turn:
                    pairs.append((middle_s - began_s, ended_s - middle_s))
    return pairs


def main() -> None:
    if not FILM.is_file():
        sys.exit(f"no film {FILM}")
    with tempfile.TemporaryDirectory() as folder:
        pairs = anyio.run(measure, Path(folder))
    added_ms = [1e3 * (through - direct) for direct, through in pairs]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True)
    found = {
        "direct_ms": round(1e3 * statistics.median(direct for direct, _ in pairs), 1),
        "through_mcp_ms": round(1e3 * statistics.median(through for _, through in pairs), 1),
        "added_ms": round(statistics.median(added_ms), 1),
        "added_at_most_ms": round(max(added_ms), 1),
        "bound_ms": AT_MOST_MS,
        "holds": statistics.median(added_ms) <= AT_MOST_MS,
        "calls": len(pairs),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "commit": commit.stdout.strip(),
    }
    print(json.dumps(found, indent=1))
    (HERE / "results" / "mcp.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
