"""Models that answers can go without, fetched and converted beside a server's calls in a process of its own.

That may take longer than any call, so no call waits for it and what ends a call does not end it; the server's end does.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hicom_agent.errors import HicomAgentError

LOG = logging.getLogger(__name__)
AGAIN_AFTER_S = 60.0  # what has failed is not tried again sooner


class Fetching:
    """One model at a time, begun when a call first goes without it."""

    def __init__(self, command: Callable[[str], list[str]]) -> None:
        """`command` gives the process that fetches the named model, and tells on standard error why it could not."""
        self.fault = ""  # one line: why the last one could not be fetched
        self._command = command
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._not_before_s = 0.0  # on time.monotonic

    def want(self, name: str) -> None:
        """Begin to fetch a model, unless one is being fetched, or could not be just now."""
        with self._lock:
            if self._process is not None or time.monotonic() < self._not_before_s:
                return
            LOG.info("fetching model %s", name)
            self._process = subprocess.Popen(
                self._command(name),
                stdin=subprocess.PIPE,  # closes with this process, however it ends, and the child goes too
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            self._thread = threading.Thread(target=self._follow, args=(name, self._process), daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End what is being fetched, and with it what it has started."""
        with self._lock:
            self._not_before_s = float("inf")
            process, thread = self._process, self._thread
        if process is not None and thread is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            thread.join(5)

    def _follow(self, name: str, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        told = [line.strip() for line in process.stderr if line.strip()]
        code = process.wait()
        with self._lock:
            self.fault = (told or [f"the process ended with code {code}"])[-1] if code else ""
            self._not_before_s = max(self._not_before_s, time.monotonic() + AGAIN_AFTER_S if code else 0.0)
            self._process = None
        if self.fault:
            LOG.warning("model %s: %s", name, self.fault)


def main(name: str, flags: dict[str, Any]) -> int:
    """Fetch a model under these settings, and return an exit code."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    from hicom_agent import models
    from hicom_agent.settings import load_settings

    os.nice(10)  # those who ask go first
    try:
        models.ensure(name, load_settings(flags).cache)
    except HicomAgentError as error:
        sys.stderr.write(f"{error.line}\n")
        return error.exit_code
    return 0


def _end_with_input() -> None:
    while os.read(0, 1024):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # pip or a conversion would go on alone
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], json.loads(sys.argv[2])))
