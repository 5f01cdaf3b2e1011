"""The digest key: from the environment or a private file, never from a default."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from stillwatch.errors import ConfigError
from stillwatch.settings.sections import Settings

MIN_KEY_BYTES = 32
KEY_HINT = (
    "make one with `stillwatch key new --out stillwatch.key` and pass `--key-file stillwatch.key`, "
    "or put its content into the environment variable {env}"
)


def load_key(settings: Settings, env: Mapping[str, str] | None = None) -> bytes:
    """The key under which every digest is made. It has no default.

    Parameters
    ----------
    settings
        Names the key file (which wins) and the environment variable.
    env
        The environment; the process's own when not given.

    Returns
    -------
    bytes
        At least 32 bytes. Hexadecimal is decoded; any other string is hashed with SHA-256.

    Raises
    ------
    ConfigError
        There is no key, it is too short, or its file can be read by others.

    Examples
    --------
    >>> len(load_key(Settings(), {"STILLWATCH_KEY": "00" * 32}))
    32
    """
    privacy = settings.privacy
    if privacy.key_file is not None:
        return _key_bytes(_read_key_file(Path(privacy.key_file)), privacy.key_file, privacy.key_env)
    text = (os.environ if env is None else env).get(privacy.key_env, "")
    if not text.strip():
        raise ConfigError("no digest key", hint=KEY_HINT.format(env=privacy.key_env))
    return _key_bytes(text, privacy.key_env, privacy.key_env)


def _read_key_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(65_536)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise ConfigError(f"key file {path}: {reason}", hint=KEY_HINT.format(env="STILLWATCH_KEY")) from error
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"key file {path} can be read by others", hint=f"run `chmod 600 {path}`")
    return content.decode("utf-8", errors="surrogateescape")


def _key_bytes(text: str, where: str, env: str) -> bytes:
    """Key material from text; the text itself never appears in an error."""
    text = text.strip()
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) >= MIN_KEY_BYTES:
        return raw
    if raw or len(text) < MIN_KEY_BYTES:
        raise ConfigError(
            f"the digest key in {where} is too short: at least {MIN_KEY_BYTES} bytes are needed",
            hint=KEY_HINT.format(env=env),
        )
    return hashlib.sha256(text.encode("utf-8", errors="surrogateescape")).digest()
