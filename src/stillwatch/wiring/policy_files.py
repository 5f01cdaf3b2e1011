"""Policies from disk: a file of one's own, or the one that ships."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from stillwatch.errors import SourceError
from stillwatch.protect.policy import HINT, Policy, parse_policy

SHIPPED = "default.toml"
MOST_BYTES = 4 * 2**20


def shipped_text() -> str:
    """The text of the policy that ships."""
    return resources.files("stillwatch.protect").joinpath("policies").joinpath(SHIPPED).read_text("utf-8")


def read_policy(path: str | Path | None) -> Policy:
    """A policy from its file, or the shipped one.

    Raises
    ------
    SourceError
        The file cannot be read or the policy cannot be used; names file, line and rule.
    """
    if path is None:
        return parse_policy(shipped_text(), where=SHIPPED)
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise SourceError(str(path), reason, hint="name a policy file that you can read") from error
    if len(data) > MOST_BYTES:
        raise SourceError(
            str(path), "larger than 4 MiB", hint="put long lists of accounts into rules of their own file"
        )
    try:
        return parse_policy(data.decode("utf-8"), where=str(path))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SourceError(f"{path}:{line}", "not UTF-8 text", hint=HINT) from error
