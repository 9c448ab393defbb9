"""Index one video in a process of its own, for a job: progress as JSON lines on standard error, the report on output.

It ends when its standard input closes, so that it never outlives the server that started it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any

from hicom_agent.errors import HicomAgentError
from hicom_agent.pipes import stdout_set_aside


def main(path: str, flags: dict[str, Any]) -> int:
    """Index `path` under these settings, and return an exit code."""
    with stdout_set_aside() as out:
        code, report = _index(path, flags)
        os.write(out, json.dumps(report, default=str).encode() if report else b"")
    return code


def _index(path: str, flags: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    threading.Thread(target=_end_with_input, daemon=True).start()
    from hicom_agent.build import Workspace
    from hicom_agent.settings import load_settings
    from hicom_agent.tools import index_video
    from hicom_agent.types import Progress

    def tell(progress: Progress) -> None:
        line = {"stage": progress.stage, "done": progress.done, "total": progress.total}
        sys.stderr.write(json.dumps(line) + "\n")
        sys.stderr.flush()

    try:
        report = index_video(Workspace(load_settings(flags), tell), path)
    except HicomAgentError as error:
        sys.stderr.write(f"{error.line}\n")
        return error.exit_code, {}
    return 0, report.as_dict()


def _end_with_input() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)  # the journal keeps what was finished


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], json.loads(sys.argv[2])))
