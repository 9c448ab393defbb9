"""Processes that speak over pipes: standard output kept for the protocol, and an end for all that a process started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def stdout_set_aside() -> Iterator[int]:
    """Yield a descriptor of standard output; meanwhile whatever is printed goes to standard error."""
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield saved
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)


def kill_group(process: subprocess.Popen[str], patience_s: float) -> None:
    """End a process that leads a group, and what it started: politely, then surely."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s if sign == signal.SIGTERM else None)
            return
