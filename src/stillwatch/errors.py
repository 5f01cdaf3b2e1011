"""One root, few children. Every error carries a hint: what to do next."""

from __future__ import annotations


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


class UpstreamError(StillwatchError):
    """Something outside that is needed now cannot be reached: a store, a server."""
