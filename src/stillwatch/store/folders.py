"""What several stores ask of a folder: that a name in it lasts, and that one process at a time writes there."""

from __future__ import annotations

import os
from pathlib import Path

from stillwatch.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # told apart below

LOCK = ".lock"


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable; Windows opens no folders, and keeps names by itself.

    Raises:
        OSError: the folder cannot be opened or synced: what was renamed there may be lost with the power.
    """
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def lock_folder(folder: Path, *, job: str, hint: str) -> int:
    """Take a folder for this process until the handle that is given back is closed.

    Args:
        job: what cannot be done without locks, for the error.
        hint: what to do when another process has it.

    Raises:
        ConfigError: another process has it, or the system has no file locks.
    """
    _needs_locks(job)
    return _locked(folder, os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600), fcntl.LOCK_EX, hint)


def share_folder(folder: Path, *, job: str, hint: str) -> int | None:
    """Keep writers out of a folder while it is read, and leave it as it is; None where nobody has ever written.

    Raises:
        ConfigError: a process is writing there, or the system has no file locks.
    """
    _needs_locks(job)
    try:
        handle = os.open(folder / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return None
    return _locked(folder, handle, fcntl.LOCK_SH, hint)


def _needs_locks(job: str) -> None:
    if fcntl is None:  # type: ignore[unreachable,unused-ignore]  # on Windows alone
        raise ConfigError(  # type: ignore[unreachable,unused-ignore]  # on Windows alone
            f"{job} needs a system with file locks", hint="run it on Linux or macOS"
        )


def _locked(folder: Path, handle: int, how: int, hint: str) -> int:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise ConfigError(f"another process is writing into {folder.name}", hint=hint) from error
    return handle


__all__ = ["LOCK", "lock_folder", "share_folder", "sync_folder"]
