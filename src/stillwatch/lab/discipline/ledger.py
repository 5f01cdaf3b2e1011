"""The ledger of openings: JSON lines, each of which carries the digest of the line before it.

A changed, removed or reordered line breaks the chain, and a broken chain is refused. Lines cut off at the end leave
a whole chain; whoever keeps a later digest (`Ledger.head`; a suite keeps one with every cell) can tell.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError, VerificationError

try:
    import fcntl
except ImportError:  # Windows: one process at a time
    fcntl = None  # type: ignore[assignment]

LEDGER = "ledger.jsonl"
FIRST = "0" * 64
"""What the first line names as its predecessor."""
_BROKEN = "restore the file from a copy; without one nothing can be reported on its families: use other seeds"


class Unwritable(ConfigError):
    """A ledger cannot be written."""


class Ledger:
    """One ledger file. It need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[dict[str, Any]]:
        """Every line, oldest first.

        Raises
        ------
        VerificationError: a line is not what its digest says, or does not follow the line before.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise VerificationError(f"{self.path}: cannot be read", hint=_BROKEN) from error
        found: list[dict[str, Any]] = []
        previous = FIRST
        for number, line in enumerate(text.splitlines(), start=1):
            entry = self._checked(number, line, previous)
            previous = entry["hash"]
            found.append(entry)
        return found

    def head(self) -> str:
        """Digest of the last line."""
        entries = self.entries()
        return str(entries[-1]["hash"]) if entries else FIRST

    def append(self, entry: Mapping[str, Any]) -> str:
        """Add one line, durable when this returns; gives its digest.

        Raises
        ------
        Unwritable: the file cannot be written. VerificationError: what stands in it is broken.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with locked(self.path) as file:
                entries = self.entries()
                previous = str(entries[-1]["hash"]) if entries else FIRST
                row = {**entry, "n": len(entries) + 1, "previous": previous}
                row["hash"] = _digest(row)
                file.write((json.dumps(row, sort_keys=True) + "\n").encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unwritable(
                f"{self.path}: the opening of truth cannot be recorded",
                hint="name a ledger that can be written with --ledger, or make the folder writable",
            ) from error
        return str(row["hash"])

    def _checked(self, number: int, line: str, previous: str) -> dict[str, Any]:
        where = f"{self.path}:{number}"
        try:
            entry = json.loads(line)
            sound = isinstance(entry, dict) and entry["hash"] == _digest(entry)
        except (ValueError, KeyError) as error:
            raise VerificationError(f"{where}: not a line of a ledger", hint=_BROKEN) from error
        if not sound:
            raise VerificationError(f"{where}: the line was changed", hint=_BROKEN)
        if entry.get("previous") != previous or entry.get("n") != number:
            raise VerificationError(f"{where}: lines before it were removed or reordered", hint=_BROKEN)
        return dict(entry)


@contextmanager
def locked(path: Path) -> Iterator[Any]:
    """The file, opened for appending bytes; other processes that ask for it this way wait."""
    with path.open("ab") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _digest(row: Mapping[str, Any]) -> str:
    said = {k: v for k, v in row.items() if k != "hash"}
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


__all__ = ["FIRST", "LEDGER", "Ledger", "Unwritable", "locked"]
