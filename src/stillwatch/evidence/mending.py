"""What a crash left unfinished, put right in memory first: on the disk only once it is known to be right, or never."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Files(Protocol):
    """Where a log lies. Every write is durable when it returns."""

    def read(self, name: str) -> bytes | None: ...
    def has(self, name: str) -> bool: ...
    def put(self, name: str, data: bytes) -> None: ...
    def append(self, name: str, data: bytes) -> None: ...
    def cut(self, name: str, length: int) -> None: ...
    def remove(self, name: str) -> None: ...


class Mending:
    """Files as they will be; reads see what was written, and nothing is written before `carry_out`."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._after: dict[str, bytes | None] = {}
        self._writes: list[tuple[str, Callable[[], None]]] = []

    @property
    def names(self) -> tuple[str, ...]:
        """Files that change."""
        return tuple(dict.fromkeys(name for name, _ in self._writes))

    def carry_out(self) -> None:
        """Write, in the order in which it was asked for."""
        for _, write in self._writes:
            write()

    def read(self, name: str) -> bytes | None:
        """The content of a file, as it will be."""
        return self._after[name] if name in self._after else self._files.read(name)

    def has(self, name: str) -> bool:
        """Whether there will be such a file."""
        return self._after[name] is not None if name in self._after else self._files.has(name)

    def put(self, name: str, data: bytes) -> None:
        """Write a file whole."""
        self._note(name, data, lambda: self._files.put(name, data))

    def append(self, name: str, data: bytes) -> None:
        """Write at the end of a file."""
        self._note(name, (self.read(name) or b"") + data, lambda: self._files.append(name, data))

    def cut(self, name: str, length: int) -> None:
        """Keep the first bytes of a file."""
        self._note(name, (self.read(name) or b"")[:length], lambda: self._files.cut(name, length))

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        if self.has(name):
            self._note(name, None, lambda: self._files.remove(name))

    def _note(self, name: str, after: bytes | None, write: Callable[[], None]) -> None:
        self._after[name] = after
        self._writes.append((name, write))


__all__ = ["Files", "Mending"]
