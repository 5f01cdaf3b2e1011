"""Requests that are signed by a member's key: HTTP Message Signatures with Ed25519, in one fixed form.

Signed are method, server, path, query and the digest of the body, so that a request can be used for nothing else and at
no other server: one key holder cannot spend a member's budget at the other. When it was made and a number that is used
once are signed too; who checks remembers the numbers for as long as a request is fresh. A signature in any other form
is refused, not interpreted.

References: RFC 9421 (sections 2.5, 3.3.6), RFC 9530 (Content-Digest).
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from stillwatch.errors import ConfigError, VerificationError

FRESH_S = 120
"""How far the time of a request may lie from ours, either way."""
TAG = "stillwatch-hub-1"
_COVERED = '("@method" "@authority" "@path" "@query" "content-digest")'
_INPUT = re.compile(
    rf'sw=({re.escape(_COVERED)};created=([0-9]{{1,12}});keyid="([0-9a-f]{{64}})";alg="ed25519";'
    rf'nonce="([A-Za-z0-9_-]{{22}})";tag="{TAG}")'
)
_SIGNATURE = re.compile(r"sw=:([A-Za-z0-9+/]{86}==):")
_HINT = "look at the clock, the key and the server's address on your side"


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature said, once it held."""

    key_id: str
    created: int
    nonce: str


@dataclass(frozen=True, slots=True)
class MemberKey:
    """A member's private key. Never printed."""

    _key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def new(cls) -> MemberKey:
        """A fresh key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes) -> MemberKey:
        """The key in a PEM file."""
        try:
            found = load_pem_private_key(pem, None)
        except (ValueError, TypeError) as error:
            raise ConfigError(
                "not the private key of a member", hint="make one: stillwatch hub key --out FILE"
            ) from error
        if not isinstance(found, Ed25519PrivateKey):
            raise ConfigError("not an Ed25519 key", hint="make one: stillwatch hub key --out FILE")
        return cls(found)

    def pem(self) -> bytes:
        """The private half, for a file that its owner alone can read."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def public(self) -> str:
        """The public half as one line: what the hub and the key holders are given."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.b64encode(raw).decode()

    def headers(
        self, method: str, authority: str, path: str, query: str, body: bytes, now: int
    ) -> dict[str, str]:
        """The headers that sign a request.

        Args:
            authority: host and port of the server, as its operator names it.
            now: seconds since 1970.
        """
        digest = content_digest(body)
        params = (
            f'{_COVERED};created={now};keyid="{key_id(self.public)}";alg="ed25519";'
            f'nonce="{secrets.token_urlsafe(16)}";tag="{TAG}"'
        )
        signature = self._key.sign(_base(method, authority, path, query, digest, params))
        return {
            "content-digest": digest,
            "signature-input": f"sw={params}",
            "signature": f"sw=:{base64.b64encode(signature).decode()}:",
        }


def public_bytes(line: str) -> bytes:
    """The 32 bytes of a public key that was given as one line."""
    try:
        raw = base64.b64decode(line, validate=True)
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise ConfigError(
            "not the public key of a member: one line of 44 characters", hint="stillwatch hub key prints it"
        )
    return raw


def key_id(line: str) -> str:
    """How a public key is known."""
    return hashlib.sha256(public_bytes(line)).hexdigest()


def content_digest(body: bytes) -> str:
    """The digest of a body, as RFC 9530 writes it."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def claimed(headers: Mapping[str, str], now: int) -> Signed:
    """Who claims to have signed, and whether the request is fresh; the signature itself is not checked yet.

    Raises:
        VerificationError: no signature of our form, or one of another time.
    """
    found = _INPUT.fullmatch(headers.get("signature-input", ""))
    if found is None or not _SIGNATURE.fullmatch(headers.get("signature", "")):
        raise VerificationError("the request is not signed in the form that is read here", hint=_HINT)
    made = int(found.group(2))
    if abs(made - now) > FRESH_S:
        raise VerificationError(
            "the request was made at another time", hint="set the clock; sign each request anew"
        )
    return Signed(found.group(3), made, found.group(4))


def check(
    headers: Mapping[str, str], public: str, method: str, authority: str, path: str, query: str, body: bytes
) -> None:
    """Returns if the key signed exactly this request to this server.

    Raises:
        VerificationError: it did not.
    """
    digest = content_digest(body)
    found = _INPUT.fullmatch(headers.get("signature-input", ""))
    signature = _SIGNATURE.fullmatch(headers.get("signature", ""))
    if found is None or signature is None or headers.get("content-digest") != digest:
        raise VerificationError("the request's body is not the one that was signed", hint=_HINT)
    base = _base(method, authority, path, query, digest, found.group(1))
    try:
        Ed25519PublicKey.from_public_bytes(public_bytes(public)).verify(
            base64.b64decode(signature.group(1)), base
        )
    except InvalidSignature as error:
        raise VerificationError("the request's signature does not hold", hint=_HINT) from error


def _base(method: str, authority: str, path: str, query: str, digest: str, params: str) -> bytes:
    lines = (
        f'"@method": {method.upper()}', f'"@authority": {authority.lower()}', f'"@path": {path}',
        f'"@query": ?{query}', f'"content-digest": {digest}', f'"@signature-params": {params}',
    )  # fmt: skip
    return "\n".join(lines).encode()


__all__ = [
    "FRESH_S", "MemberKey", "Signed", "check", "claimed", "content_digest", "key_id", "public_bytes",
]  # fmt: skip
