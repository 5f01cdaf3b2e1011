"""One root, few children. Every error carries a hint: what to do next."""

from __future__ import annotations

import traceback
from pathlib import Path


class StillwatchError(Exception):
    """Root of every error raised on purpose.

    >>> raise StillwatchError("no input", hint="name a file")
    Traceback (most recent call last):
    ...
    stillwatch.errors.StillwatchError: no input
    """

    exit_status = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        """What the reader can do next; may be empty."""


class ConfigError(StillwatchError):
    """A setting, key or option that cannot be used: refuse to start."""


class SourceError(StillwatchError):
    """A source that is not what it claims. ``where`` is ``path`` or ``path:line``."""

    def __init__(self, where: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{where}: {message}", hint=hint)
        self.where = where


class DetectorError(StillwatchError):
    """One trait failed; the others ran on and the run is marked incomplete."""

    exit_status = 1

    def __init__(self, trait: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{trait}: {message}", hint=hint)
        self.trait = trait


class VerificationError(StillwatchError):
    """A seal, signature, digest or token that does not verify. Raised, never returned as False."""


def where_it_failed(error: Exception) -> str:
    """The kind of failure and the line of ours it came from, without its message: that may quote input."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "stillwatch" in Path(frame.filename).parts]
    name = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        place = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror.lower()}{place}"
    if not ours:
        return name
    parts = Path(ours[-1].filename).parts
    inside = parts[len(parts) - parts[::-1].index("stillwatch") - 1 :]
    return f"{name} at {'/'.join(inside)}:{ours[-1].lineno}"


class UpstreamError(StillwatchError):
    """Something outside that is needed now cannot be reached: a store, a server."""
