"""Prices as data: every price with its unit and source, and whether somebody published it.

The figures are in ``prices.toml``; pass a changed mapping to :func:`stillwatch.lab.cost.price` to see what another
market does.

Example
-------
>>> PRICES["card"].usd, PRICES["shell"].assumed, SMS_USD["JP"]
(2.0, True, 4.93)
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TABLE: dict[str, dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "prices.toml").read_text(encoding="utf-8")
)


@dataclass(frozen=True, slots=True)
class Price:
    """One price."""

    usd: float
    """US dollars per unit; the two prices that are shares say so in their unit."""
    unit: str
    source: str
    assumed: bool = False
    """True when nobody published the figure."""


PRICES: Mapping[str, Price] = {
    name: Price(float(row["usd"]), row["unit"], row["source"], row.get("assumed", False))
    for name, row in _TABLE.items()
}
"""Every price by name."""

SMS_USD: Mapping[str, float] = _TABLE["sms"]["by_country"]
"""One SMS verification by country: the cheapest markets and the dearest."""


__all__ = ["PRICES", "SMS_USD", "Price"]
