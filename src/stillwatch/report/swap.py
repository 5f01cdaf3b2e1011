"""A folder that appears whole or not at all.

The new content is written to a hidden sibling, ``.<name>.partial-<random>``, made durable, and then renamed
into place. A sibling whose writer has died is recognised by its lock, which the kernel lets go of with the
process. Where the system can exchange two names at once (Linux ``renameat2``) an existing folder is
replaced without a moment in which neither is there; elsewhere the old one steps aside as
``.<name>.previous-<random>`` and is brought back by :func:`sweep` if the writer dies in between.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: no advisory locks on folders; a leftover is then taken for dead
    fcntl = None  # type: ignore[assignment]

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield an empty sibling of ``out``, locked; it is removed on leaving unless it was renamed into
    place."""
    out.parent.mkdir(parents=True, exist_ok=True)
    folder, lock = _locked_folder(out)
    try:
        yield folder
    finally:
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _locked_folder(out: Path) -> tuple[Path, int | None]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
        lock = _try_lock(folder)
        if fcntl is None or (lock is not None and folder.exists()):
            folder.chmod(0o777 & ~_umask())
            return folder, lock
        if lock is not None:  # another run took the unlocked folder for a leftover: start again
            os.close(lock)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _try_lock(folder: Path) -> int | None:
    if fcntl is None:  # type: ignore[unreachable,unused-ignore]
        return None  # type: ignore[unreachable,unused-ignore]
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def sweep(out: Path) -> list[str]:
    """Remove what killed runs left beside ``out``; bring back an old folder that had stepped aside.

    Returns:
        Names of the leftovers that were dealt with. Folders of runs that are still alive are left alone.
    """
    done: list[str] = []
    if not out.parent.is_dir():
        return done
    names = sorted(entry.name for entry in out.parent.iterdir() if entry.name.startswith(f".{out.name}."))
    for name in names:
        path = out.parent / name
        if (
            name.startswith(f".{out.name}.previous-")
            and not out.exists()
            and (path / "summary.json").exists()
        ):
            path.rename(out)
            done.append(name)
        elif name.startswith((f".{out.name}.partial-", f".{out.name}.previous-")) and path.is_dir():
            lock = _try_lock(path)
            if lock is None and fcntl is not None:
                continue
            shutil.rmtree(path, ignore_errors=True)
            if lock is not None:
                os.close(lock)
            done.append(name)
    return done


def sync_folder(folder: Path) -> None:
    """Make names in ``folder`` durable; where folders cannot be synced, do nothing."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def put_in_place(folder: Path, out: Path) -> None:
    """Rename ``folder`` to ``out``, replacing what is there; durable when this returns."""
    sync_folder(folder)
    if not out.exists() or not any(out.iterdir()):
        if out.exists():
            out.rmdir()
        os.rename(folder, out)
    elif exchange(folder, out):
        shutil.rmtree(folder, ignore_errors=True)
    else:
        aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.previous-", dir=out.parent))
        os.rename(out, aside)
        os.rename(folder, out)
        shutil.rmtree(aside, ignore_errors=True)
    sync_folder(out.parent)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False where the system cannot."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(call(_AT_FDCWD, names[0], _AT_FDCWD, names[1], ctypes.c_uint(_RENAME_EXCHANGE)) == 0)
