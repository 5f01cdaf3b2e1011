"""Figures in buckets: what was taken is told by its order of magnitude, never by a count.

A count is business: together with a price it is a customer's bill, and an exact one names the customer to whoever
knows it. Bounds are powers of ten, so that nobody chose them for a case.
"""

from __future__ import annotations

import math
from datetime import datetime


def volume(count: int) -> str:
    """The bucket of a count.

    >>> volume(0), volume(6), volume(24_000), volume(16_000_000), volume(10**11)
    ('1-9', '1-9', '10000-99999', '10000000-99999999', '1000000000-more')
    """
    power = 0 if count < 10 else min(9, len(str(count)) - 1)
    low = 10**power
    return f"{low}-more" if power == 9 else f"{low}-{low * 10 - 1}"


VOLUMES = tuple(volume(10**power) for power in range(10))


def share(fraction: float) -> str:
    """A share of something in quarters.

    >>> share(0.78), share(0.0), share(1.0)
    ('75-100%', '0-25%', '75-100%')
    """
    quarter = min(3, max(0, math.floor(fraction * 4)))
    return f"{quarter * 25}-{quarter * 25 + 25}%"


SHARES = tuple(share(quarter / 4) for quarter in range(4))


def day(at: datetime) -> str:
    """A time, to the day: the hour would single a customer out.

    >>> from datetime import UTC
    >>> day(datetime(2026, 10, 3, 17, 5, tzinfo=UTC))
    '2026-10-03T00:00:00.000Z'
    """
    return f"{at:%Y-%m-%d}T00:00:00.000Z"


def instant(at: datetime) -> str:
    """A time as STIX writes it, in milliseconds.

    >>> from datetime import UTC
    >>> instant(datetime(2026, 10, 3, 17, 5, tzinfo=UTC))
    '2026-10-03T17:05:00.000Z'
    """
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
