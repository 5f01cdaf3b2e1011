"""Numbers as the report prints them: grouped, with units, never more digits than they deserve.

A weight of evidence is kept as log10 of an e-value. One *decade* is a factor of ten; one *bit* a factor of
two.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from stillwatch.report.safe import Shown

BITS_PER_DECADE = math.log2(10)
NARROW = "\u202f"
"""Narrow no-break space, between a number and its unit."""
MINUS = "\u2212"
DASH = "\u2013"
"""Stands where there is nothing to say."""


def count(value: float) -> Shown:
    """Whole number with grouped thousands.

    Example:
        >>> count(5214)
        '5,214'
    """
    return Shown(f"{value:,.0f}")


def short(value: float) -> Shown:
    """Large number in three digits.

    Example:
        >>> [short(x).replace(NARROW, " ") for x in (999, 1_234_567, 28_800_000_000)]
        ['999', '1.23 M', '28.8 G']
    """
    for step, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= step:
            scaled = value / (1e3 if unit == "k" else step)
            return Shown(
                f"{scaled:.3g}{NARROW}{unit}" if abs(scaled) < 999.5 else f"{scaled:.0f}{NARROW}{unit}"
            )
    return count(value)


def amount(value: float) -> Shown:
    """Number of unknown size: up to three significant digits, no exponent below a million.

    Example:
        >>> amount(0.034567), amount(17), amount(1234.5)
        ('0.0346', '17', '1,234')
    """
    if not math.isfinite(value):
        return Shown("not a number" if math.isnan(value) else f"{MINUS if value < 0 else ''}∞")
    if value == 0 or abs(value) >= 1000:
        return Shown(f"{value:,.0f}".replace("-", MINUS))
    if abs(value) < 1e-4:
        return Shown(f"{value:.1e}".replace("-", MINUS))
    return Shown(f"{value:.3g}".replace("-", MINUS))


def share(value: float) -> Shown:
    """Share 0..1 in per cent.

    Example:
        >>> [share(x).replace(NARROW, " ") for x in (0.01, 0.123, 0.00012, 0.998, 1.0)]
        ['1 %', '12 %', '0.012 %', '99.8 %', '100 %']
    """
    percent = value * 100
    if not math.isfinite(percent):
        return Shown(DASH)
    if 99 < percent < 100:
        return Shown(f"{min(percent, 99.9):.1f}{NARROW}%")
    if abs(percent) >= 10 or percent == 0:
        return Shown(f"{percent:.0f}{NARROW}%")
    if abs(percent) < 0.001:
        return Shown(f"{percent:.0e}{NARROW}%".replace("-0", "-").replace("-", MINUS))
    return Shown(f"{percent:.2g}{NARROW}%")


def bits(log10_value: float, *, sign: bool = False) -> Shown:
    """Bits of a log10 weight.

    Example:
        >>> bits(2.0), bits(1.0, sign=True), bits(-1.0) == MINUS + "3.3"
        ('6.6', '+3.3', True)
    """
    value = log10_value * BITS_PER_DECADE
    text = f"{value:+,.1f}" if sign else f"{value:,.1f}"
    return Shown(text.replace("-", MINUS))


def decades(log10_value: float) -> Shown:
    """Weight in decades.

    Example:
        >>> decades(14.23), decades(1215.0)
        ('14.2', '1,215')
    """
    return Shown(
        (f"{log10_value:.1f}" if abs(log10_value) < 100 else f"{log10_value:,.0f}").replace("-", MINUS)
    )


def p_value(value: float | None) -> Shown:
    """Tail probability.

    Example:
        >>> p_value(0.0049), p_value(None), p_value(2e-7).replace(MINUS, "-")
        ('0.0049', 'not judged', '2.0e-7')
    """
    if value is None:
        return Shown("not judged")
    if 0 < value < 1e-4:
        return Shown(f"{value:.1e}".replace("e-0", "e-").replace("-", MINUS))
    return Shown(f"{value:.2g}")


def moment(value: datetime | None) -> Shown:
    """Time in UTC to the minute.

    Example:
        >>> moment(datetime(2026, 10, 3, 4, 5, tzinfo=UTC))
        '2026-10-03 04:05'
    """
    return Shown(value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")) if value else Shown(DASH)


def day(value: datetime | None) -> Shown:
    """Date in UTC.

    Example:
        >>> day(datetime(2026, 10, 3, 4, 5, tzinfo=UTC))
        '2026-10-03'
    """
    return Shown(value.astimezone(UTC).strftime("%Y-%m-%d")) if value else Shown(DASH)


def plural(number: int, noun: str, many: str = "") -> Shown:
    """Count and noun.

    Example:
        >>> plural(1, "pool"), plural(3, "campaign"), plural(2, "family", "families")
        ('1 pool', '3 campaigns', '2 families')
    """
    return Shown(f"{count(number)} {noun if number == 1 else many or noun + 's'}")
