"""Times as logs write them: RFC 3339 with or without a zone, and epochs in s, ms, us or ns.

A time without a zone is UTC. An epoch whose unit is not known is told by its size: below 1e11 it is
seconds, below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds; that is right for every
time from 1973 to 5138.

>>> to_time("2026-11-24T06:30:00+02:00")
datetime.datetime(2026, 11, 24, 4, 30, tzinfo=datetime.timezone.utc)
>>> to_time(1795493462984) == to_time("1795493462.984")
True
>>> to_time("yesterday") is None
True
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0.001}
"""Microseconds in one unit."""


_MILLISECOND = timedelta(milliseconds=1)
_QUICK_NS = 10**19
"""About the year 2286: below it a number of nanoseconds needs no second look."""


def from_epoch(value: Any, unit: str) -> datetime | None:
    """A number (or a number as text) since 1970 in a known unit: s, ms, us or ns."""
    if type(value) is int and unit == "ns" and 0 <= value < _QUICK_NS:
        return EPOCH + timedelta(microseconds=value // 1000)
    number = _number(value)
    if number is None:
        return None
    try:
        if unit == "ns":
            micros = int(number) // 1000
        elif isinstance(number, int):
            micros = number * int(UNITS[unit])
        else:
            micros = round(number * UNITS[unit])
        return EPOCH + timedelta(microseconds=micros)
    except (OverflowError, ValueError):
        return None


def guess_unit(number: float) -> str:
    """The unit of an epoch, told by its size."""
    size = abs(number)
    return "s" if size < 1e11 else "ms" if size < 1e14 else "us" if size < 1e17 else "ns"


def to_time(value: Any, unit: str | None = None) -> datetime | None:
    """A time in UTC, or None when the value is not a time. ``unit`` applies to numbers only."""
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    number = _number(value)
    if number is not None:
        return from_epoch(number, unit or guess_unit(number))
    if isinstance(value, str):
        try:
            return _utc(datetime.fromisoformat(value.strip()))
        except ValueError:
            return None
    return None


def _utc(value: datetime) -> datetime | None:
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return None


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value if value == value and abs(value) < 1e22 else None
    if isinstance(value, str) and len(value) < 32 and value.strip()[:1] in "-+0123456789." and value.strip():
        try:
            return int(value)
        except ValueError:
            pass
        try:
            return _number(float(value))
        except ValueError:
            return None
    return None


def milliseconds(start: datetime | None, end: datetime | None) -> float | None:
    """The time between two times in ms; None when one is missing or they run backwards."""
    if start is None or end is None or end < start:
        return None
    return (end - start) / _MILLISECOND
