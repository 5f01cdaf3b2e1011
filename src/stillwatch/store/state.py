"""The embedded state of a gate: memory, with a local file that outlives the process.

Everything is answered from memory. What changed is written to the file by :meth:`MemoryState.flush`, which the
gate calls once a second and at its end; a process that is killed loses at most what came since. Memory is
bounded: when it is full, what came first goes.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError, UpstreamError

MOST_KEYS = 1_000_000
MOST_MEMBERS = 1_024
AT_ONCE = 128
_TABLE = "CREATE TABLE IF NOT EXISTS state (key BLOB PRIMARY KEY, value BLOB NOT NULL, until REAL NOT NULL)"
_PUT = "INSERT OR REPLACE INTO state VALUES (?, ?, ?)"


class MemoryState:
    """`stillwatch.protect.state.State` in one process; safe to call from several threads."""

    def __init__(self, path: Path | None = None, *, most: int = MOST_KEYS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._file_lock = threading.Lock()
        self._held: OrderedDict[str, tuple[Any, float]] = OrderedDict()
        """Value and the moment it ends, in the order in which keys came."""
        self._dirty: set[str] = set()
        self._file = _opened(path) if path is not None else None
        if self._file is not None:
            rows = self._file.execute("SELECT key, value, until FROM state ORDER BY until")
            self._held.update((_text(key), (_loaded(_text(value)), until)) for key, value, until in rows)

    def take(self, key: str, rate_per_s: float, burst: int, now: float) -> float:
        with self._lock:
            level, since = self._get("b:" + key, now) or (float(burst), now)
            level = min(float(burst), level + max(0.0, now - since) * rate_per_s)
            wait = 0.0 if level >= 1.0 else (1.0 - level) / rate_per_s
            level -= 1.0 if wait == 0.0 else 0.0
            self._put("b:" + key, (level, max(now, since)), max(now, since) + burst / rate_per_s + 1.0)
            return wait

    def add(self, key: str, amount: int, window_s: float, now: float) -> int:
        with self._lock:
            held = self._held.get("c:" + key)
            total, until = held if held is not None and held[1] > now else (0, now + window_s)
            self._put("c:" + key, total + amount, until)
            return int(total + amount)

    def count(self, key: str, now: float) -> int:
        with self._lock:
            return int(self._get("c:" + key, now) or 0)

    def distinct(self, key: str, member: str, window_s: float, now: float) -> int:
        with self._lock:
            held = self._held.get("s:" + key)
            members, until = held if held is not None and held[1] > now else (set(), now + window_s)
            if len(members) < MOST_MEMBERS and member not in members:
                members.add(member)
                self._put("s:" + key, members, until)
            return len(members)

    def remember(self, key: str, value: str, ttl_s: float, now: float) -> None:
        with self._lock:
            self._put("v:" + key, value, now + ttl_s)

    def recall(self, key: str, now: float) -> str | None:
        with self._lock:
            value = self._get("v:" + key, now)
            return None if value is None else str(value)

    def recall_many(self, keys: Sequence[str], now: float) -> list[str | None]:
        return [self.recall(key, now) for key in keys]

    def flush(self) -> None:
        if self._file is None:
            return
        with self._file_lock:
            with self._lock:
                dirty, self._dirty = list(self._dirty), set()
            try:
                with self._file:
                    for start in range(0, len(dirty), AT_ONCE):
                        rows, gone = self._changed(dirty[start : start + AT_ONCE])
                        self._file.executemany(_PUT, rows)
                        self._file.executemany("DELETE FROM state WHERE key = ?", gone)
            except sqlite3.Error as error:
                with self._lock:
                    self._dirty.update(dirty)  # nothing of it was written: the next flush tries again
                raise UpstreamError(
                    "the state file cannot be written", hint="is there room on the disk?"
                ) from error

    def _changed(self, keys: list[str]) -> tuple[list[tuple[bytes, bytes, float]], list[tuple[bytes]]]:
        """Rows to put and keys to delete: few at a time, so that no request waits long for the lock."""
        with self._lock:
            held = [(key, self._held.get(key)) for key in keys]
            rows = [
                (_raw(key), _raw(_dumped(found[0])), found[1]) for key, found in held if found is not None
            ]
        return rows, [(_raw(key),) for key, found in held if found is None]

    def close(self) -> None:
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def __len__(self) -> int:
        return len(self._held)

    def _get(self, key: str, now: float) -> Any:
        held = self._held.get(key)
        return held[0] if held is not None and held[1] > now else None

    def _put(self, key: str, value: Any, until: float) -> None:
        if key not in self._held and len(self._held) >= self._most:
            self._dirty.add(self._held.popitem(last=False)[0])
        self._held[key] = (value, until)
        self._dirty.add(key)


def _raw(text: str) -> bytes:
    """Text as bytes, whatever it holds: keys carry other people's words."""
    return text.encode("utf-8", "surrogatepass")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _dumped(value: Any) -> str:
    return (
        json.dumps(sorted(value) if isinstance(value, set) else value)
        if not isinstance(value, str)
        else "=" + value
    )


def _loaded(text: str) -> Any:
    if text.startswith("="):
        return text[1:]
    value = json.loads(text)
    if isinstance(value, list):
        return set(value) if all(isinstance(v, str) for v in value) else tuple(value)
    return value


def _opened(path: Path) -> sqlite3.Connection:
    try:
        file = sqlite3.connect(path, check_same_thread=False, timeout=0.5)
        file.execute("PRAGMA locking_mode = EXCLUSIVE")
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        file.execute(_TABLE)
        file.execute("BEGIN EXCLUSIVE")
        file.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise ConfigError(
            f"{path.name} is in use by another process, or cannot be written",
            hint="one process per folder; several processes share a store (protect.store)",
        ) from error
    except sqlite3.DatabaseError as error:
        raise ConfigError(
            f"{path.name} is not a state file", hint="name another folder, or move the file away"
        ) from error
    return file
