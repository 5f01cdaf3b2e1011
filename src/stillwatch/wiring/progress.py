"""How a long run says how far it is, and where its output is prepared."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from stillwatch.errors import ConfigError
from stillwatch.report.swap import new_folder, sweep


class Progress(Protocol):
    """Where a long run says how far it is."""

    def step(self, name: str, total: float | None = None) -> None:
        """Begin a named phase."""

    def advance(self, amount: float) -> None:
        """Move on within it."""

    def note(self, text: str) -> None:
        """Say something once."""


class Unheard:
    """Where nobody listens."""

    def step(self, name: str, total: float | None = None) -> None:
        """Say nothing."""

    def advance(self, amount: float) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""


@contextmanager
def writable(out: Path) -> Iterator[None]:
    """What the system says of an output is the user's to mend, not a failure of ours."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or "cannot be used").lower()
        raise ConfigError(
            f"{out.name} cannot be written: {reason}",
            hint="name an output in a folder that you can write to",
        ) from error


@contextmanager
def staging(out: Path | None) -> Iterator[str]:
    """A locked, hidden folder beside ``out`` for what is on the way; what killed runs left there goes.

    Without ``out``, a temporary folder.
    """
    with ExitStack() as stack:
        if out is None:
            yield stack.enter_context(tempfile.TemporaryDirectory(prefix="stillwatch-"))
            return
        with writable(out):
            out = out.resolve()
            sweep(out)
            folder = stack.enter_context(new_folder(out))
        yield str(folder)


def write_whole(path: Path, text: str) -> None:
    """A file that appears whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def write_private(path: Path, data: bytes) -> None:
    """A new file that its owner alone can read, on the disk when this returns; one that is there is never replaced.

    Raises:
        FileExistsError: it is there.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_private(path: Path, data: bytes) -> None:
    """A file that its owner alone can read, whole or not at all; one that is there is replaced."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    write_private(partial, data)
    partial.replace(path)
