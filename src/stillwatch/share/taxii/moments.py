"""Times as TAXII and STIX write them, as whole numbers that can be compared.

When something was added is counted in microseconds and rises strictly; a version of an object has up to nine digits.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nanoseconds(text: str) -> int:
    """Nanoseconds since 1970 of a STIX time.

    Raises:
        ValueError: not of the form ``2026-01-31T12:00:00.5Z``.

    >>> nanoseconds("1970-01-01T00:00:01.5Z")
    1500000000
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("not a time such as 2026-01-31T12:00:00.000Z")
    day, clock, fraction = found.groups()
    whole = datetime.fromisoformat(f"{day}T{clock}+00:00") - _EPOCH
    return (whole.days * 86400 + whole.seconds) * 10**9 + int((fraction or "0").ljust(9, "0"))


def version(text: str) -> int:
    """Nanoseconds since 1970 of a version of an object, which stores keep in 64 bits.

    Raises:
        ValueError: not a time, or before 1678 or after 2261.

    >>> version("0001-01-01T00:00:00Z")
    Traceback (most recent call last):
    ...
    ValueError: a version is of the years 1678 to 2261
    """
    found = nanoseconds(text)
    if not -(2**63) <= found < 2**63:
        raise ValueError("a version is of the years 1678 to 2261")
    return found


def microseconds(text: str) -> int:
    """Microseconds since 1970; what is finer is cut off, so that nothing is passed over."""
    return nanoseconds(text) // 1000


def written(micros: int) -> str:
    """A time of adding, with all six digits.

    >>> written(1_500_000)
    '1970-01-01T00:00:01.500000Z'
    """
    return (_EPOCH + timedelta(microseconds=micros)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def micros_of(moment: datetime) -> int:
    """Microseconds since 1970 of a time."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


__all__ = ["micros_of", "microseconds", "nanoseconds", "version", "written"]
