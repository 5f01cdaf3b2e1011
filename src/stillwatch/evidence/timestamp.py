"""Requests to a timestamping authority. Its answer is kept as it came and checked by the verifier that packages carry.

References: RFC 3161 section 2.4.1.
"""

from __future__ import annotations

import hashlib

_SHA256 = bytes.fromhex("300d06096086480165030402010500")
CONTENT_TYPE = "application/timestamp-query"


def request(data: bytes, nonce: int) -> bytes:
    """A request for a timestamp over the SHA-256 of ``data``, with the authority's certificate in the answer.

    >>> request(b"", 1)[:5].hex()
    '303c020101'
    """
    imprint = _element(0x30, _SHA256 + _element(0x04, hashlib.sha256(data).digest()))
    number = nonce.to_bytes(nonce.bit_length() // 8 + 1, "big")
    return _element(0x30, b"\x02\x01\x01" + imprint + _element(0x02, number) + b"\x01\x01\xff")


def _element(tag: int, content: bytes) -> bytes:
    if len(content) >= 128:
        raise ValueError("a request is short")
    return bytes([tag, len(content)]) + content
