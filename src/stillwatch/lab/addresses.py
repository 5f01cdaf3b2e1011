"""Networks and addresses: who sits on which block, and how an account moves through addresses.

An account's address at time ``t`` is ``base + hash(account, t // period) % spread``: an office is a spread
of one, a home line a /20 that changes every few days, carrier NAT 64 addresses that change hourly and are
shared by everyone behind it. Blocks are drawn per world and mean nothing outside it; hosting AS numbers are
public facts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab.hashing import I64, U64, mix

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

COUNTRIES: tuple[tuple[str, float, int, tuple[str, ...]], ...] = (
    ("US", 0.30, -6, ("en",)),
    ("IN", 0.12, 5, ("en",)),
    ("GB", 0.07, 0, ("en",)),
    ("DE", 0.07, 1, ("de", "en")),
    ("FR", 0.05, 1, ("fr", "en")),
    ("BR", 0.06, -3, ("pt", "en")),
    ("JP", 0.06, 9, ("ja",)),
    ("KR", 0.04, 9, ("ko",)),
    ("SG", 0.04, 8, ("en", "zh")),
    ("TW", 0.03, 8, ("zh",)),
    ("HK", 0.03, 8, ("zh", "en")),
    ("ES", 0.03, 1, ("es",)),
    ("MX", 0.03, -6, ("es",)),
    ("KZ", 0.02, 5, ("ru",)),
    ("CA", 0.03, -5, ("en", "fr")),
    ("AU", 0.02, 10, ("en",)),
)
"""Country, share of accounts, offset from UTC in hours, languages."""

_HOSTING = (
    (16509, "US"),
    (16509, "DE"),
    (15169, "US"),
    (8075, "US"),
    (8075, "GB"),
    (14061, "US"),
    (24940, "DE"),
    (16276, "FR"),
    (63949, "US"),
    (20473, "JP"),
    (51167, "DE"),
    (14061, "SG"),
    (16509, "SG"),
)
_VPN_ASNS = (9009, 212238, 60068)


@dataclass(slots=True)
class Plan:
    """Address plan of a set of accounts: primary, and an alternative used for a share of the hours."""

    base: U64
    """First address of the range."""
    spread: I64
    """Addresses in it."""
    period: I64
    """Microseconds before an account moves on within it."""
    alt_base: U64
    """First address of the other range: a phone, a VPN."""
    alt_spread: I64
    """Addresses in that."""
    alt_share: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    """Share of hours spent there."""


class Networks:
    """Address space of one world."""

    def __init__(self, rng: np.random.Generator) -> None:
        firsts = [i for i in range(11, 200) if i not in (100, 127, 169, 172, 192, 198)]
        space = rng.permutation(np.array([f * 256 + s for f in firsts for s in range(256)]))
        self._free = iter(space.tolist())
        self.asn = np.zeros(65536, dtype=np.int64)
        self.country = np.zeros(65536, dtype=np.int64)
        self.names = sorted({c[0] for c in COUNTRIES})
        self.home: dict[int, list[int]] = {}
        self.office: dict[int, list[int]] = {}
        self.mobile: dict[int, list[int]] = {}
        asn = 262144 + int(rng.integers(0, 4000))
        for i, (name, share, _, _) in enumerate(COUNTRIES):
            carriers = 2 + int(share * 20)
            self.home[i] = [self._block(asn + j % carriers, name) for j in range(carriers * 2)]
            self.office[i] = [self._block(asn + carriers + j, name) for j in range(2 + carriers // 2)]
            self.mobile[i] = [self._block(asn + 2 * carriers + j, name) for j in range(2)]
            asn += 4 * carriers + int(rng.integers(3, 60))
        self.hosting = [self._block(number, country) for number, country in _HOSTING for _ in range(2)]
        self.vpn = [self._block(number, country) for number in _VPN_ASNS for country in ("US", "GB", "SG")]
        self.hosting_shared = [
            b * 65536 + int(rng.integers(0, 200)) * 256 for b in self.hosting for _ in range(3)
        ]
        """Serverless and PaaS egress /24s, each used by many unrelated customers."""

    def _block(self, asn: int, country: str) -> int:
        block = int(next(self._free))
        self.asn[block] = asn
        self.country[block] = self.names.index(country)
        return block

    def homes(self, rng: np.random.Generator, country: I64, *, bits: int = 12) -> U64:
        """Start of a residential range of ``2**bits`` addresses per account."""
        return self._ranges(rng, self.home, country, bits)

    def offices(self, rng: np.random.Generator, country: I64) -> U64:
        """One static office address per account."""
        return self._ranges(rng, self.office, country, 0)

    def phones(self, rng: np.random.Generator, country: I64) -> U64:
        """Start of the 64 carrier-NAT addresses of a random carrier site."""
        return self._ranges(rng, self.mobile, country, 6, sites=24)

    def clouds(self, rng: np.random.Generator, size: int, *, shared: float = 0.3) -> tuple[U64, I64]:
        """Cloud egress: own addresses, or a /24 that many customers share; returns base and spread."""
        own = np.array(self.hosting)[rng.integers(0, len(self.hosting), size)].astype(
            np.int64
        ) * 65536 + rng.integers(0, 65280, size)
        pooled = np.array(self.hosting_shared)[rng.integers(0, len(self.hosting_shared), size)]
        is_shared = rng.random(size) < shared
        spread = np.where(is_shared, 200, rng.choice([1, 1, 2, 4], size))
        return np.where(is_shared, pooled, own).astype(np.uint64), spread.astype(np.int64)

    def vpns(self, rng: np.random.Generator, size: int) -> U64:
        """Start of a VPN provider's exit /24."""
        block = np.array(self.vpn)[rng.integers(0, len(self.vpn), size)].astype(np.int64)
        return (block * 65536 + rng.integers(0, 12, size) * 256).astype(np.uint64)

    def _ranges(
        self, rng: np.random.Generator, table: dict[int, list[int]], country: I64, bits: int, sites: int = 0
    ) -> U64:
        out = np.zeros(len(country), dtype=np.int64)
        for c in np.unique(country).tolist():
            rows = np.flatnonzero(country == c)
            block = np.array(table[c])[rng.integers(0, len(table[c]), len(rows))].astype(np.int64)
            slots = sites or (1 << (16 - bits))
            out[rows] = block * 65536 + rng.integers(0, slots, len(rows)) * (1 << bits)
        return out.astype(np.uint64)

    def plan(self, rng: np.random.Generator, country: I64, chat: bool) -> Plan:
        """Ordinary plans: chat users sit at home, on phones or in offices; API users mostly in clouds."""
        n = len(country)
        kind = rng.random(n)
        cloud, cloud_spread = self.clouds(rng, n)
        home, office = self.homes(rng, country), self.offices(rng, country)
        cuts = (0.0, 0.62, 0.88) if chat else (0.55, 0.75, 0.97)
        base = np.select(
            [kind < cuts[0], kind < cuts[1], kind < cuts[2]], [cloud, home, office], default=self.vpns(rng, n)
        )
        spread = np.select(
            [kind < cuts[0], kind < cuts[1], kind < cuts[2]],
            [cloud_spread, np.full(n, 4096), np.ones(n)],
            default=np.full(n, 240),
        )
        period = np.select(
            [kind < cuts[0], kind < cuts[1]],
            [np.full(n, HOUR_US), rng.integers(1, 20, n) * DAY_US],
            default=np.full(n, 6 * HOUR_US),
        )
        share = np.where(rng.random(n) < (0.5 if chat else 0.15), rng.uniform(0.05, 0.5, n), 0.0)
        alt_is_phone = rng.random(n) < 0.8
        alt = np.where(alt_is_phone, self.phones(rng, country), self.vpns(rng, n))
        return Plan(
            base.astype(np.uint64),
            spread.astype(np.int64),
            period.astype(np.int64),
            alt,
            np.where(alt_is_phone, 64, 240).astype(np.int64),
            share,
        )


def address_at(
    key: U64,
    t: I64,
    base: U64,
    spread: I64,
    period: I64,
    alt: tuple[U64, I64, np.ndarray[tuple[int, ...], np.dtype[np.float64]]],
) -> U64:
    """Address per row from the accounts' plans (rows already gathered)."""
    alt_base, alt_spread, alt_share = alt
    own = base + mix(key, t // period, 3) % spread.astype(np.uint64)
    if not (alt_share > 0).any():
        return own
    hour = t // HOUR_US
    away = (mix(key, hour, 4) >> np.uint64(11)).astype(np.float64) / 2.0**53 < alt_share
    return np.where(away, alt_base + mix(key, hour, 5) % alt_spread.astype(np.uint64), own)


def dotted(addresses: U64) -> list[str]:
    """Addresses as text.

    >>> dotted(np.array([16909060], dtype=np.uint64))
    ['1.2.3.4']
    """
    a = addresses.astype(np.int64)
    return [
        f"{w}.{x}.{y}.{z}"
        for w, x, y, z in zip(
            (a >> 24).tolist(),
            (a >> 16 & 255).tolist(),
            (a >> 8 & 255).tolist(),
            (a & 255).tolist(),
            strict=True,
        )
    ]
