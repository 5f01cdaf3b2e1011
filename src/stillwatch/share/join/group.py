"""The group ristretto255, as libsodium computes it; what comes from outside is checked before it is used.

The library behind (``rbcl``) leaves lengths unchecked once it is installed and hands addresses to C: a short string
would be read beyond its end. So every string from outside passes ``element`` or ``scalar`` once; the rest of the
package computes on what they returned.

References: RFC 9496 (ristretto255), RFC 9380 section 5.3.1 (expanding a message).
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from stillwatch.errors import ConfigError, VerificationError

SIZE = 32
"""Bytes of an element and of a scalar."""
IDENTITY = bytes(SIZE)
ZERO = bytes(SIZE)


@cache
def library() -> Any:
    """The bindings to libsodium, loaded at first use."""
    try:
        import rbcl
    except ImportError as error:
        raise ConfigError(
            "joining privately needs the group arithmetic of libsodium, which is not installed",
            hint="pip install 'stillwatch[join]'",
        ) from error
    return rbcl


def element(data: bytes) -> bytes:
    """An element that somebody sent: canonical, and not the identity.

    Raises:
        VerificationError: it is anything else.
    """
    if not isinstance(data, bytes) or len(data) != SIZE or data == IDENTITY:
        raise VerificationError(
            "not an element of the group: wrong length, or the identity",
            hint="the sender's software is broken",
        )
    if not library().crypto_core_ristretto255_is_valid_point(data):
        raise VerificationError(
            "not an element of the group: no canonical encoding", hint="the sender's software is broken"
        )
    return data


def scalar(data: bytes) -> bytes:
    """A scalar that somebody sent: below the order of the group, and not zero.

    Raises:
        VerificationError: it is anything else.
    """
    if (
        not isinstance(data, bytes)
        or len(data) != SIZE
        or data == ZERO
        or reduced(data + bytes(SIZE)) != data
    ):
        raise VerificationError(
            "not a scalar of the group: wrong length, zero, or not reduced",
            hint="the sender's software is broken",
        )
    return data


def elements(data: bytes) -> list[bytes]:
    """A string of elements, cut and checked one by one."""
    if len(data) % SIZE:
        raise VerificationError(
            f"a batch of {len(data)} bytes is no whole number of {SIZE}-byte elements", hint="send it again"
        )
    return [element(data[at : at + SIZE]) for at in range(0, len(data), SIZE)]


def reduced(wide: bytes) -> bytes:
    """64 bytes, read as a number, modulo the order of the group."""
    return bytes(library().crypto_core_ristretto255_scalar_reduce(wide))


def random_scalar() -> bytes:
    """A scalar from the operating system's randomness; never zero."""
    return bytes(library().crypto_core_ristretto255_scalar_random())


def times(factor: bytes, point: bytes) -> bytes:
    """The element, a scalar many times; the identity as a result is an error, since no honest input leads there."""
    try:
        return bytes(library().crypto_scalarmult_ristretto255(factor, point))
    except (RuntimeError, ValueError, TypeError) as error:
        raise VerificationError(
            "the product is the identity", hint="a key or a blind is degenerate"
        ) from error


def generated(factor: bytes) -> bytes:
    """The generator, a scalar many times: the public part of a key."""
    try:
        return bytes(library().crypto_scalarmult_ristretto255_base(factor))
    except (RuntimeError, ValueError, TypeError) as error:
        raise VerificationError(
            "the product is the identity", hint="a key or a blind is degenerate"
        ) from error


def plus(one: bytes, other: bytes) -> bytes:
    """The sum of two elements."""
    return bytes(library().crypto_core_ristretto255_add(one, other))


def inverse(factor: bytes) -> bytes:
    """The scalar that undoes a multiplication."""
    return bytes(library().crypto_core_ristretto255_scalar_invert(factor))


def product(one: bytes, other: bytes) -> bytes:
    """The product of two scalars."""
    return bytes(library().crypto_core_ristretto255_scalar_mul(one, other))


def difference(one: bytes, other: bytes) -> bytes:
    """One scalar less another."""
    return bytes(library().crypto_core_ristretto255_scalar_sub(one, other))


def hash_to_element(message: bytes, domain: bytes) -> bytes:
    """An element nobody knows a logarithm of."""
    return bytes(library().crypto_core_ristretto255_from_hash(expanded(message, domain)))


def hash_to_scalar(message: bytes, domain: bytes) -> bytes:
    """A scalar that depends on every byte of a message."""
    return reduced(expanded(message, domain))


def expanded(message: bytes, domain: bytes) -> bytes:
    """``expand_message_xmd`` of RFC 9380 with SHA-512, for 64 bytes: one block is enough.

    >>> len(expanded(b"", b"one")), expanded(b"", b"one") == expanded(b"", b"other")
    (64, False)
    """
    suffix = domain + bytes([len(domain)])
    first = hashlib.sha512(bytes(128) + message + (64).to_bytes(2, "big") + b"\0" + suffix).digest()
    return hashlib.sha512(first + b"\1" + suffix).digest()


__all__ = [
    "IDENTITY", "SIZE", "ZERO", "difference", "element", "elements", "expanded", "generated", "hash_to_element",
    "hash_to_scalar", "inverse", "plus", "product", "random_scalar", "reduced", "scalar", "times",
]  # fmt: skip
