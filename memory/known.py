"""What was read of the catalogue, kept as long as it is true: most questions meet the state that the last one met."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

_NUM_CONNECTIONS = 8
K = TypeVar("K")
T = TypeVar("T")


class Remembered:
    """What each connection has read of its latest state; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: OrderedDict[int, tuple[sqlite3.Connection, int, dict[str, Any]]] = OrderedDict()

    def at(self, db: sqlite3.Connection) -> dict[str, Any]:
        """Return what is known of the state that a transaction sees, to be added to."""
        version = db.execute("PRAGMA data_version").fetchone()[0]  # tells changes to this connection alone
        with self._lock:
            _, known, found = self._of.pop(id(db), (None, None, {}))
            found = found if known == version else {}
            self._of[id(db)] = db, version, found  # kept with it, so that its id stays its own
            while len(self._of) > _NUM_CONNECTIONS:
                self._of.popitem(last=False)
        return found

    def forget(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._of.clear()


class Recent(Generic[K, T]):
    """What was read last of things that never change; safe to use from many threads."""

    def __init__(self, most: int) -> None:
        self._lock = threading.Lock()
        self._most = most
        self._found: OrderedDict[K, T] = OrderedDict()

    def of(self, key: K, read: Callable[[], T]) -> T:
        """Return what `read` returns, or returned of late; nobody changes it."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        found = read()
        with self._lock:
            self._found[key] = found
            while len(self._found) > self._most:
                self._found.popitem(last=False)
        return found

    def forget(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._found.clear()


class Known:
    """A transaction that reads, and what is known of the state that it sees; threads may share it."""

    def __init__(self, db: sqlite3.Connection, remembered: Remembered) -> None:
        self.db = db
        self._remembered = remembered
        self._found: dict[str, Any] | None = None

    def of(self, name: str, read: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `read` returns, read at most once from each state; nobody changes it."""
        kept = self._kept()
        if name not in kept:
            kept.setdefault(name, read(self.db))
        found: T = kept[name]
        return found

    def got(self, name: str) -> bool:
        """Return whether that was read of this state, so that it costs nothing."""
        return name in self._kept()

    def _kept(self) -> dict[str, Any]:
        if self._found is None:
            self._found = self._remembered.at(self.db)
        return self._found
