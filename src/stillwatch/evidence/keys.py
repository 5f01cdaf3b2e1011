"""Ed25519 keys of the people and the log that seal evidence, and the list that says which of them may.

A key belongs to a named person and a role. The private half is a PEM file of its own, outside every database; there is
no default key. The list holds public halves: since when each may sign, whether it was replaced, and when and why it
was revoked. The list travels inside every package, under the package's signatures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from stillwatch.errors import ConfigError, VerificationError


class Role(StrEnum):
    """What a key may do. A reviewer signs what an acquirer made; nobody is both for one package."""

    ACQUIRER = "acquirer"
    REVIEWER = "reviewer"
    LOG = "log"
    """Signs the checkpoints of the log that is kept here."""
    WITNESS = "witness"
    """Signs checkpoints of others' logs."""


class Revocation(StrEnum):
    """Why a key was taken out of use. What a compromised key signed counts only if a timestamp is older."""

    RETIRED = "retired"
    COMPROMISED = "compromised"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key. Never printed."""

    _key: Ed25519PrivateKey

    @classmethod
    def new(cls) -> SigningKey:
        """A fresh key from the system's random numbers."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, data: bytes, passphrase: bytes | None = None) -> SigningKey:
        """The key in a PEM file.

        Raises:
            ConfigError: not an Ed25519 key, or the passphrase is wrong or missing.
        """
        try:
            key = load_pem_private_key(data, passphrase)
        except (ValueError, TypeError) as error:
            raise ConfigError(
                "the signing key cannot be opened",
                hint="give its passphrase, or make a key: stillwatch evidence key new",
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError("the signing key is not Ed25519", hint="make one: stillwatch evidence key new")
        return cls(key)

    def pem(self, passphrase: bytes | None = None) -> bytes:
        """The key as PKCS 8, sealed with a passphrase when one is given."""
        how: KeySerializationEncryption = (
            BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        )
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)

    @property
    def public(self) -> bytes:
        """The public half, 32 bytes."""
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def key_id(self) -> str:
        """SHA-256 of the public half, in hexadecimal."""
        return key_id(self.public)

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes."""
        return self._key.sign(data)

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id[:16]})"


@dataclass(frozen=True, slots=True)
class ListedKey:
    """One line of the key list."""

    key_id: str
    public: str
    """Public half as PEM, which OpenSSL reads."""
    person: str
    role: Role
    valid_from: str
    """RFC 3339 time, UTC; so are the others."""
    revoked_at: str | None = None
    revoked_as: Revocation | None = None
    replaced_by: str | None = None


def key_id(public: bytes) -> str:
    """Name of a public key: the SHA-256 of its 32 bytes."""
    return hashlib.sha256(public).hexdigest()


def public_pem(public: bytes) -> str:
    """A public key as PEM."""
    key = Ed25519PublicKey.from_public_bytes(public)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def public_of(pem: str) -> bytes:
    """The 32 bytes behind a PEM public key.

    Raises:
        VerificationError: it is no Ed25519 public key.
    """
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError as error:
        raise VerificationError("a public key is malformed", hint="ask its owner for it again") from error
    if not isinstance(key, Ed25519PublicKey):
        raise VerificationError("a public key is not Ed25519", hint="ask its owner for it again")
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def verify_ed25519(public: bytes, signature: bytes, data: bytes, what: str) -> None:
    """Raise `VerificationError` unless the signature is right."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError) as error:
        raise VerificationError(
            f"the signature on the {what} is wrong",
            hint="it was changed after it was signed, or signed by another key",
        ) from error


def listed(key: SigningKey, person: str, role: Role, at: datetime) -> ListedKey:
    """The line of a new key."""
    return ListedKey(key.key_id, public_pem(key.public), person, role, at.isoformat())


def revoked(
    keys: Iterable[ListedKey], which: str, why: Revocation, at: datetime, replaced_by: str | None = None
) -> list[ListedKey]:
    """The list with one key revoked; its id may be given by its beginning.

    Raises:
        ConfigError: no key or several begin so, or it is revoked already.
    """
    rows = list(keys)
    hits = [row for row in rows if row.key_id.startswith(which)]
    if len(hits) != 1 or not which:
        raise ConfigError(
            f"{len(hits)} keys begin with {which!r}", hint="stillwatch evidence key list shows their ids"
        )
    if hits[0].revoked_at is not None:
        raise ConfigError(
            f"key {which} was revoked at {hits[0].revoked_at}", hint="a revocation is never undone"
        )
    done = replace(hits[0], revoked_at=at.isoformat(), revoked_as=why, replaced_by=replaced_by)
    return [done if row is hits[0] else row for row in rows]


def may_sign(keys: Iterable[ListedKey], which: str, at: datetime) -> ListedKey:
    """The line of a key that may sign now.

    Raises:
        ConfigError: it is not on the list, not valid yet, or revoked.
    """
    for row in keys:
        if row.key_id != which:
            continue
        if row.revoked_at is not None:
            raise ConfigError(
                f"key {which[:16]} of {row.person} was revoked at {row.revoked_at}",
                hint="sign with a key that is in use",
            )
        if datetime.fromisoformat(row.valid_from) > at:
            raise ConfigError(f"key {which[:16]} is valid from {row.valid_from} on", hint="check the clock")
        return row
    raise ConfigError(
        f"key {which[:16]} is not on the key list", hint="make keys with stillwatch evidence key new"
    )


def rows_of(keys: Iterable[ListedKey]) -> list[dict[str, Any]]:
    """The list as JSON can hold it."""
    return [asdict(row) for row in keys]


def keys_from(rows: Iterable[dict[str, Any]]) -> list[ListedKey]:
    """The list read back.

    Raises:
        ConfigError: a line is not what it claims.
    """
    try:
        found = [
            ListedKey(**{**row, "role": Role(row["role"]),
                         "revoked_as": Revocation(row["revoked_as"]) if row.get("revoked_as") else None})
            for row in rows
        ]  # fmt: skip
    except (TypeError, KeyError, ValueError) as error:
        raise ConfigError("the key list is damaged", hint="take it from a backup") from error
    for row in found:
        if key_id(public_of(row.public)) != row.key_id:
            raise ConfigError(
                f"key {row.key_id[:16]} does not fit its id", hint="take the key list from a backup"
            )
    return found
