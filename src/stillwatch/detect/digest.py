"""Keyed digests, pinned in code: SipHash-2-4 over bytes, the same on every machine and engine.

Every string that leaves the text kernel is one of these 64-bit keyed digests. Without the key a digest can
be neither reversed nor checked against a guess, and two installations with different keys cannot be joined.

References
----------
Aumasson and Bernstein, *SipHash: a fast short-input PRF* (2012); the test vectors are those of the paper.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numba as nb
import numpy as np
import pyarrow as pa

U64 = np.uint64
MIN_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Key:
    """A secret digest key, split into the two words SipHash wants. Never printed."""

    k0: int
    k1: int
    key_id: str
    """Public name of the key: tells two keys apart and reveals neither."""

    @classmethod
    def derive(cls, secret: bytes) -> Key:
        """Derive the digest key from a secret of at least 16 bytes.

        >>> a, b = Key.derive(b"0" * 32), Key.derive(b"1" * 32)
        >>> a.key_id == b.key_id, len(a.key_id)
        (False, 12)
        """
        if len(secret) < MIN_KEY_BYTES:
            raise ValueError(f"a digest key needs at least {MIN_KEY_BYTES} bytes")
        raw = hashlib.blake2b(secret, digest_size=16, person=b"stillwatch-dig-1").digest()
        public = hashlib.blake2b(secret, digest_size=6, person=b"stillwatch-kid-1").hexdigest()
        return cls(int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:], "little"), public)

    def __repr__(self) -> str:
        return f"Key(key_id={self.key_id!r})"


@nb.njit(inline="always", cache=True)
def _rotl(x, b):  # type: ignore[no-untyped-def]  # numba infers
    return (x << U64(b)) | (x >> U64(64 - b))


@nb.njit(inline="always", cache=True)
def _round(v0, v1, v2, v3):  # type: ignore[no-untyped-def]  # numba infers
    v0 = v0 + v1
    v1 = _rotl(v1, 13) ^ v0
    v0 = _rotl(v0, 32)
    v2 = v2 + v3
    v3 = _rotl(v3, 16) ^ v2
    v0 = v0 + v3
    v3 = _rotl(v3, 21) ^ v0
    v2 = v2 + v1
    v1 = _rotl(v1, 17) ^ v2
    v2 = _rotl(v2, 32)
    return v0, v1, v2, v3


@nb.njit(cache=True, nogil=True)
def sip_bytes(data, start, end, k0, k1):  # type: ignore[no-untyped-def]  # numba infers
    """SipHash-2-4 of ``data[start:end]`` (uint8 array) under the key words ``k0, k1``; returns uint64."""
    v0 = k0 ^ U64(0x736F6D6570736575)
    v1 = k1 ^ U64(0x646F72616E646F6D)
    v2 = k0 ^ U64(0x6C7967656E657261)
    v3 = k1 ^ U64(0x7465646279746573)
    n = end - start
    i, whole = U64(start), U64(end - n % 8)  # unsigned: eight bytes become one load
    while i < whole:
        m = U64(0)
        for j in range(8):
            m |= U64(data[i + U64(j)]) << U64(8 * j)
        v3 ^= m
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= m
        i += U64(8)
    m = U64(n & 0xFF) << U64(56)
    for j in range(n % 8):
        m |= U64(data[i + U64(j)]) << U64(8 * j)
    v3 ^= m
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0 ^= m
    v2 ^= U64(0xFF)
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@nb.njit(cache=True, nogil=True)
def sip_word(x, k0, k1):  # type: ignore[no-untyped-def]  # numba infers
    """SipHash-2-4 of one 64-bit word, little-endian; the finaliser of every kernel digest."""
    v0 = k0 ^ U64(0x736F6D6570736575)
    v1 = k1 ^ U64(0x646F72616E646F6D)
    v2 = k0 ^ U64(0x6C7967656E657261)
    v3 = k1 ^ U64(0x7465646279746573) ^ x
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0 ^= x
    m = U64(8) << U64(56)
    v3 ^= m
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0 ^= m
    v2 ^= U64(0xFF)
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@nb.njit(cache=True, nogil=True)
def _digest_column(data, offsets, valid, k0, k1, out):  # type: ignore[no-untyped-def]  # numba infers
    for i in range(out.shape[0]):
        out[i] = 0
        if valid[i] and offsets[i + 1] > offsets[i]:
            out[i] = np.int64(sip_bytes(data, offsets[i], offsets[i + 1], k0, k1))
            if out[i] == 0:
                out[i] = 1


@lru_cache(maxsize=256)
def domain_key(key: Key, domain: str) -> tuple[np.uint64, np.uint64]:
    """Key words for one domain, so that equal strings in two fields never share a digest."""
    raw = hashlib.blake2b(
        domain.encode(), digest_size=16, key=key.k0.to_bytes(8, "little") + key.k1.to_bytes(8, "little")
    ).digest()
    return U64(int.from_bytes(raw[:8], "little")), U64(int.from_bytes(raw[8:], "little"))


def digest_text(key: Key, domain: str, text: str) -> int:
    """Digest of one string as a signed 64-bit integer; 0 stands for "missing", which an empty string is too.

    >>> one, two = Key.derive(b"0" * 32), Key.derive(b"1" * 32)
    >>> digest_text(one, "ip", "203.0.113.9") != digest_text(two, "ip", "203.0.113.9")
    True
    >>> digest_text(one, "ip", "")
    0
    """
    if not text:
        return 0
    k0, k1 = domain_key(key, domain)
    data = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    value = int(sip_bytes(data, 0, len(data), k0, k1))
    return (value - 2**64 if value >= 2**63 else value) or 1


def string_buffers(array: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bytes, offsets and validity of a string array, without copying the bytes.

    Returns ``(data uint8[n_bytes], offsets int64[n + 1], valid bool[n])``.
    """
    if pa.types.is_string(array.type):
        width: type = np.int32
    elif pa.types.is_large_string(array.type):
        width = np.int64
    else:
        array = array.cast(pa.large_string())
        width = np.int64
    n = len(array)
    _, offset_buffer, data_buffer = array.buffers()
    if n == 0 or offset_buffer is None:
        return np.zeros(1, np.uint8), np.zeros(n + 1, np.int64), np.zeros(n, np.bool_)
    offsets = np.frombuffer(offset_buffer, dtype=width)[array.offset : array.offset + n + 1].astype(np.int64)
    data = np.frombuffer(data_buffer, dtype=np.uint8) if data_buffer is not None else np.zeros(1, np.uint8)
    if len(data) == 0:
        data = np.zeros(1, np.uint8)
    valid = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    return data, offsets, valid


def digest_strings(array: pa.Array, key: Key, domain: str) -> np.ndarray:
    """Digest every string of an Arrow array; missing and empty ones are 0. Returns int64[n]."""
    k0, k1 = domain_key(key, domain)
    data, offsets, valid = string_buffers(array)
    out = np.zeros(len(array), dtype=np.int64)
    _digest_column(data, offsets, valid, k0, k1, out)
    return out
