"""The master key of the dye desk, and what is derived from it (HKDF with SHA-256, RFC 5869).

Every marking key, nonce and salt comes from the one master, so that nothing but the master has to be kept secret and
backed up. It is written out here because a gateway starts without the cryptography package; tests hold it against the
RFC's vectors and that package.

Examples
--------
>>> master = Master(bytes(32))
>>> master
Master(...)
>>> master.derive(8, "key", "2026-11", "campaign:C-1") == master.derive(8, "key", "2026-11", "campaign:C-2")
False
"""

from __future__ import annotations

import hashlib
import hmac

from stillwatch.errors import ConfigError

LEAST_BYTES = 32
SALT = b"stillwatch dye desk, version 1"


def extract(salt: bytes, secret: bytes) -> bytes:
    """RFC 5869, section 2.2."""
    return hmac.digest(salt, secret, "sha256")


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869, section 2.3."""
    out, block = b"", b""
    for counter in range(1, -(-length // hashlib.sha256().digest_size) + 1):
        block = hmac.digest(key, block + info + bytes([counter]), "sha256")
        out += block
    return out[:length]


class Master:
    """A secret of at least 32 bytes; it shows itself in no repr."""

    __slots__ = ("_key",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) < LEAST_BYTES:
            raise ConfigError(
                f"the master of the dye desk has {len(secret)} bytes of {LEAST_BYTES}",
                hint="make one: stillwatch dye master --out FILE",
            )
        self._key = extract(SALT, secret)

    @classmethod
    def from_hex(cls, text: str, where: str) -> Master:
        """The master from hexadecimal digits, as a file or the environment holds them."""
        try:
            return cls(bytes.fromhex(text.strip()))
        except ValueError:
            raise ConfigError(
                f"{where} does not hold a master in hexadecimal", hint="make one: stillwatch dye master"
            ) from None

    def derive(self, length: int, *parts: str) -> bytes:
        """Bytes for one purpose; parts are told apart by their lengths, so no two lists of parts fall together."""
        told = (part.encode() for part in parts)
        return expand(self._key, b"".join(len(t).to_bytes(2, "big") + t for t in told), length)

    def __repr__(self) -> str:
        return "Master(...)"
