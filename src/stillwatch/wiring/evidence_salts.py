"""Salts of leaves that stand for something that could be guessed, each derived from one secret beside the keys."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from stillwatch.errors import ConfigError
from stillwatch.settings import Settings


def salt_of(secret: bytes, what: str) -> bytes:
    """The salt of one record: it can be shown to somebody without showing any other."""
    return hmac.digest(secret, what.encode(), hashlib.sha256)


def commitment(digest: str, salt: bytes) -> str:
    """What the log holds of a record, in hexadecimal."""
    return hmac.digest(salt, digest.encode(), hashlib.sha256).hex()


def secret_of(settings: Settings, name: str, *, fresh: bool) -> bytes:
    """The secret in a file; made, readable by its owner alone, before the first leaf rests on it.

    Args:
        fresh: whether it may be made. When leaves rest on it already it may not.

    Raises:
        ConfigError: it is not there, or damaged.
    """
    path = Path(settings.evidence.keys) / name
    try:
        found = bytes.fromhex(path.read_text("ascii").strip())
    except FileNotFoundError:
        if not fresh:
            raise ConfigError(
                f"{name} is not beside the keys", hint="take it from a backup: sealed lines cannot be told without it"
            ) from None  # fmt: skip
        found = secrets.token_bytes(32)
        part = path.with_name(f".{name}.part")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(found.hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{name} cannot be read", hint="take it from a backup") from error
    if len(found) != 32:
        raise ConfigError(f"{name} is damaged", hint="take it from a backup")
    return found
