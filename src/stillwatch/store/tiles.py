"""A folder of small files, each written whole and durably: what an append-only log lies in."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from stillwatch.errors import ConfigError, StillwatchError
from stillwatch.store.folders import lock_folder, share_folder, sync_folder

_PART = ".part"


class TileFolder:
    """The one writer of a folder, or one of its readers; names are relative paths of ours, never of an input.

    Args:
        reading: nothing is made or swept, writes are refused, and other readers may read at the same time.

    Raises:
        ConfigError: another process writes there, or there is nothing to read.
    """

    def __init__(self, folder: Path, *, reading: bool = False) -> None:
        self.folder = folder
        self._known: set[Path] = set()
        self._reading = reading
        if reading:
            if not folder.is_dir():
                raise ConfigError(f"there is no log at {folder}", hint="name the folder where it is kept")
            self._lock: int | None = share_folder(
                folder, job="a log", hint="wait for it: a log has one writer"
            )
            return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = lock_folder(folder, job="a log", hint="wait for it: a log has one writer")
        (folder / _PART).unlink(missing_ok=True)

    def __enter__(self) -> TileFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)

    def read(self, name: str) -> bytes | None:
        """The content of a file; None when there is none."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self.folder / name).is_file()

    def put(self, name: str, data: bytes) -> None:
        """Write a file; it is there whole, or not at all."""
        self._to_write()
        path = self.folder / name
        self._parents(path.parent)
        part = self.folder / _PART
        _write(part, data, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.replace(part, path)
        sync_folder(path.parent)

    def append(self, name: str, data: bytes) -> None:
        """Write at the end of a file."""
        self._to_write()
        path = self.folder / name
        self._parents(path.parent)
        fresh = not path.exists()
        _write(path, data, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        if fresh:
            sync_folder(path.parent)

    def cut(self, name: str, length: int) -> None:
        """Keep the first bytes of a file."""
        self._to_write()
        handle = os.open(self.folder / name, os.O_WRONLY)
        try:
            os.ftruncate(handle, length)
            os.fsync(handle)
        finally:
            os.close(handle)

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        self._to_write()
        with suppress(FileNotFoundError):
            (self.folder / name).unlink()

    def _to_write(self) -> None:
        if self._reading:
            raise StillwatchError(f"{self.folder.name} was opened for reading", hint="open it as its writer")

    def _parents(self, folder: Path) -> None:
        if folder in self._known:
            return
        if not folder.is_dir():
            self._parents(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(folder.parent)
        self._known.add(folder)


def _write(path: Path, data: bytes, flags: int) -> None:
    handle = os.open(path, flags, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        os.fdatasync(handle)
    finally:
        os.close(handle)
