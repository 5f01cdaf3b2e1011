"""What others share with us: leads, and what they meet in our own traffic. Never a verdict.

>>> Reliability(0.5).bits(hits=1, accounts=999)
8.0
>>> Reliability(0.5).bits(hits=999, accounts=999) < 0.01
True
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from stillwatch.records.sharing import Tlp


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often a source's indicators were right, 0 to 1: stated by whoever listens to it, not by the source."""

    share: float

    def bits(self, hits: int, accounts: int) -> float:
        """What a lead is worth for one account that it meets, in bits.

        The source is right with this probability, and then only its campaign shows the value; else the value says
        nothing. So the weight is that of a mixture: a value that half of our accounts show is worth nearly nothing,
        whoever shared it. It stands beside a finding and is never added to one.

        Args:
            hits: accounts of ours that show the value.
            accounts: accounts of ours that were looked at.
        """
        common = (hits + 1) / (accounts + 1)
        return round(math.log2(self.share / common + 1 - self.share), 1)


@dataclass(frozen=True, slots=True)
class Lead:
    """An indicator of somebody else's that can be looked for in our logs."""

    source: str
    object_id: str
    version: str
    kind: str
    """``asn``, ``ipv4``, ``ipv6``, ``ja4`` or ``user_agent``."""
    value: str
    valid_from_us: int
    valid_until_us: int
    level: Tlp
    author: str
    """STIX id of whoever made it, or empty."""


@dataclass(frozen=True, slots=True)
class LeadMatch:
    """Where a lead met our traffic."""

    lead: Lead
    reliability: float
    accounts: tuple[str, ...] = field(repr=False)
    exchanges: int
    looked_at: int
    """Accounts in the traffic."""
    bits: float


__all__ = ["Lead", "LeadMatch", "Reliability"]
