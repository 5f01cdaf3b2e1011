"""The dye desk's folder: a journal of issued keys, and one file of served windows for each.

A row is on the disk before it is acknowledged; a row that a crash cut short was not, and is passed over. Files are
their owner's alone: they say who is suspected.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from stillwatch.errors import VerificationError

JOURNAL = "issued.jsonl"


class DyeFolder:
    """Files of one desk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def rows(self) -> list[dict[str, Any]]:
        """Rows of the journal; none when there is no journal yet."""
        try:
            lines = (self._folder / JOURNAL).read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        return [_row(line, number) for number, line in enumerate(lines[:-1], 1) if line]

    def stamp(self) -> tuple[int, int] | None:
        """Changes when a key is issued; None while there is no journal."""
        try:
            at = (self._folder / JOURNAL).stat()
        except FileNotFoundError:
            return None
        return at.st_mtime_ns, at.st_size

    def add(self, row: dict[str, Any]) -> None:
        """Append a row; returns when it is on the disk."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / JOURNAL, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            whole = file.read()
            file.seek(whole.rfind(b"\n") + 1)
            file.truncate()
            file.write(json.dumps(row, sort_keys=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def served(self, key_id: str) -> bytes | None:
        """The ledger of a key; None when nothing was written down."""
        try:
            return self._path(key_id).read_bytes()
        except FileNotFoundError:
            return None

    def put_served(self, key_id: str, data: bytes) -> None:
        """Put a ledger in place of the former, whole or not at all."""
        path = self._path(key_id)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def _path(self, key_id: str) -> Path:
        return self._folder / "served" / f"{sha256(key_id.encode()).hexdigest()[:32]}.windows"


def _row(line: bytes, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise VerificationError(
            f"line {number} of the dye desk's journal is damaged", hint="take the journal from a backup"
        )
    return row
