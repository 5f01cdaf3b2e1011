"""One writer of a folder: a lock that says who holds it, and that a dead process does not keep.

On one machine the kernel's lock is the truth: it goes with the process, so that what a killed writer left is taken
over at once. Machines that share a folder may not see each other's locks; between them the holder's last sign of life
counts, and a lock of another machine is taken over when that has been missing for a while, or when a person says so.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # told apart below

NAME = "writer.lock"
SILENT_S = 900.0
"""A writer on another machine that has given no sign of life for so long is taken for gone."""
BEAT_S = 60.0
"""Between two signs of life; they come from a thread of their own, so that no long step looks dead."""


class WriterLock:
    """Held from its making until `release`.

    Args:
        folder: an existing folder.
        take_over: take it from a writer on another machine that seems alive.
        now: seconds since the epoch.
        host: name of this machine.
        beat_s: seconds between signs of life.

    Raises:
        ConfigError: another writer is at work.
    """

    def __init__(
        self, folder: Path, *, take_over: bool = False, now: Callable[[], float] = time.time,
        host: str | None = None, beat_s: float = BEAT_S,
    ) -> None:  # fmt: skip
        if fcntl is None:  # type: ignore[unreachable,unused-ignore]  # on Windows alone
            raise ConfigError(  # type: ignore[unreachable,unused-ignore]  # on Windows alone
                "this needs a system with file locks", hint="run it on Linux or macOS"
            )
        self._path = folder / NAME
        self._now = now
        me = {"pid": os.getpid(), "host": host or socket.gethostname(), "since": int(now())}
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._handle)
            raise _refusal(folder, read_holder(folder)) from error
        self.previous = read_holder(folder)
        """Who held it and did not let go; None when it was free."""
        if self.previous and self.previous["host"] != me["host"] and not take_over:
            silent = now() - os.fstat(self._handle).st_mtime
            if silent < SILENT_S:
                os.close(self._handle)
                raise _refusal(folder, self.previous, silent)
        self._write(json.dumps(me).encode())
        self._beat_s, self._ended = beat_s, threading.Event()
        self._beating = threading.Thread(target=self._beat, name="signs of life", daemon=True)
        self._beating.start()

    def _beat(self) -> None:
        while not self._ended.wait(self._beat_s):
            with suppress(OSError):  # a folder that is away for a moment; the next one may be seen
                os.utime(self._path, (self._now(), self._now()))

    def release(self) -> None:
        """Let go, and say so."""
        self._ended.set()
        self._beating.join()
        self._write(b"")
        os.close(self._handle)

    def _write(self, text: bytes) -> None:
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, text, 0)
        os.fsync(self._handle)
        os.utime(self._path, (self._now(), self._now()))


def read_holder(folder: Path) -> dict[str, Any] | None:
    """Who holds the folder's lock, by its own word; None when nobody says so."""
    try:
        said = json.loads((folder / NAME).read_text("utf-8"))
        return {"pid": int(said["pid"]), "host": str(said["host"])[:255], "since": int(said["since"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _refusal(folder: Path, holder: dict[str, Any] | None, silent: float | None = None) -> ConfigError:
    who = f"process {holder['pid']} on {holder['host']}" if holder else "another process"
    if silent is None:
        return ConfigError(
            f"{folder.name} is in use: {who} writes there",
            hint="stop it, or name another folder: one folder has one writer",
        )
    return ConfigError(
        f"{folder.name} is in use: {who} gave a sign of life {silent:.0f} s ago",
        hint=f"if it is gone for good, wait {(SILENT_S - silent) / 60:.0f} minutes or pass --take-over",
    )
