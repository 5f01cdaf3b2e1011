"""The console's own key: it seals the secrets of second factors and binds form tokens to sessions.

Made once, beside the store, readable by nobody else. A copy of the database alone gives no second factor away.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from stillwatch.errors import ConfigError, VerificationError

NAME = "console.key"


class Seals:
    """Seals and tokens under one key.

    Example:
        >>> seals = Seals(b"k" * 32)
        >>> seals.opened(seals.sealed("secret")), seals.token("a") == seals.token("b")
        ('secret', False)
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        part = hmac.digest(key, b"stillwatch console: second factors", "sha256")
        self._box = Fernet(base64.urlsafe_b64encode(part))

    @classmethod
    def beside(cls, folder: Path) -> Seals:
        """The key in a folder; made when there is none.

        Raises:
            ConfigError: it can be read by others, or is not a key.
        """
        path = folder / NAME
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls(_read(path))
        except OSError as error:
            raise ConfigError(f"{path}: {(error.strerror or 'cannot be written').lower()}",
                              hint="name a folder that you can write to") from error  # fmt: skip
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return cls(_read(path))

    def sealed(self, text: str) -> str:
        """The text, for the database."""
        return self._box.encrypt(text.encode()).decode()

    def opened(self, sealed: str) -> str:
        """The text again.

        Raises:
            VerificationError: sealed with another key, or changed.
        """
        try:
            return self._box.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise VerificationError(
                "a second factor cannot be opened with this console's key",
                hint=f"put the {NAME} back that it was made with, or reset the person's second factor",
            ) from error

    def token(self, session_token: str) -> str:
        """The token that forms of this session carry."""
        return hmac.new(self._key, b"form\0" + session_token.encode(), hashlib.sha256).hexdigest()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode, text = os.fstat(file.fileno()).st_mode, file.read(4096)
    except OSError as error:
        raise ConfigError(
            f"{path}: {(error.strerror or 'cannot be read').lower()}", hint="its owner starts the console"
        ) from error
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"{path} can be read by others", hint=f"run `chmod 600 {path}`")
    try:
        key = bytes.fromhex(text.decode("ascii").strip())
    except (UnicodeDecodeError, ValueError):
        key = b""
    if len(key) < 32:
        raise ConfigError(f"{path} is not a console key", hint="put the right file back from a backup")
    return key
