"""Passwords: kept as Argon2id, long rather than odd, and never faster to refuse for a name that does not exist."""

from __future__ import annotations

import secrets
import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from stillwatch.errors import ConfigError

SHORTEST: Final = 12
LONGEST: Final = 256
"""Characters. The upper bound keeps a stranger from making the hash slow."""
_HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=2)
"""RFC 9106, second recommended option: 64 MiB, three passes."""
_NOBODY = _HASHER.hash("nobody has this password, yet it takes as long to find out")


def hashed(password: str, *, name: str = "") -> str:
    """The password as it is kept.

    Raises:
        ConfigError: too short, too long, or the person's own name.

    Example:
        >>> hashed("a long enough one").startswith("$argon2id$")
        True
        >>> hashed("short")
        Traceback (most recent call last):
        ...
        stillwatch.errors.ConfigError: the password is too short
    """
    plain = _plain(password)
    if len(plain) < SHORTEST:
        raise ConfigError(
            "the password is too short", hint=f"take at least {SHORTEST} characters; four words will do"
        )
    if len(plain) > LONGEST:
        raise ConfigError("the password is too long", hint=f"take at most {LONGEST} characters")
    if len(set(plain)) < 5 or (name and plain.casefold().replace(name.casefold(), "") == ""):
        raise ConfigError(
            "the password is too easy to guess", hint="take four words that do not belong together"
        )
    return _HASHER.hash(plain)


def matches(kept: str | None, password: str) -> bool:
    """Whether this is the password; takes as long for a person who has none.

    Example:
        >>> matches(hashed("a long enough one"), "a long enough one"), matches(None, "a long enough one")
        (True, False)
    """
    if len(password) > LONGEST:
        return False
    try:
        return _HASHER.verify(kept or _NOBODY, _plain(password)) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(kept: str) -> bool:
    """Whether it was kept with weaker parameters than today's and should be made again at this sign-in."""
    return _HASHER.check_needs_rehash(kept)


def _plain(password: str) -> str:
    """One form of each character, so that two keyboards type the same password (RFC 8265)."""
    return unicodedata.normalize("NFC", password.encode("utf-8", "replace").decode("utf-8"))


def invented() -> str:
    """A password for somebody to begin with: 100 random bits, easy to read out.

    Example:
        >>> len(invented()), invented() == invented()
        (24, False)
    """
    letters = "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(20))
    return "-".join(letters[i : i + 4] for i in range(0, 20, 4))
