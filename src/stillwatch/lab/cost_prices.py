"""Prices as data: every price with its unit and source, and whether somebody published it.

The figures are in ``prices.toml``; pass a changed mapping to :func:`stillwatch.lab.cost.price` to see what another
market does.

Example
-------
>>> PRICES["card"].usd, PRICES["shell"].assumed
(2.0, True)
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
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
PRICES_DIGEST = sha256(repr(sorted((name, p.usd) for name, p in PRICES.items())).encode()).hexdigest()[:16]
"""Changes with any figure, so that bills under other prices are told apart."""


__all__ = ["PRICES", "PRICES_DIGEST", "Price"]
