"""Bytes of a record: JSON in the one form of RFC 8785, so that equal records have equal digests everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import rfc8785

from stillwatch.errors import StillwatchError


def canonical(value: Any) -> bytes:
    """A value as canonical JSON; times in RFC 3339.

    >>> canonical({"b": 1.0, "a": (None, "é")}).decode()
    '{"a":[null,"é"],"b":1}'
    """
    try:
        return rfc8785.dumps(plain(value))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise StillwatchError(
            f"a record cannot be sealed ({type(error).__name__})",
            hint="numbers must be finite and below 2^53",
        ) from error


def plain(value: Any) -> Any:
    """A value in JSON's own types; what is not finite becomes null, lone surrogates become question marks."""
    if isinstance(value, Mapping):
        return {_text(str(key)): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if value - value == 0 else None
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    return _text(value.isoformat() if isinstance(value, datetime) else str(value))


def sha256(data: bytes) -> str:
    """Digest in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
