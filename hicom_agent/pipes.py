"""Standard output as a pipe to a program: kept for the protocol, while what libraries print goes to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


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
