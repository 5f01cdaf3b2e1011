"""How many of the accounts that a policy touches are innocent: what a run lets one say, and no more.

Three grounds, kept apart.

- *Wrong groups.* The run states a false discovery rate for each campaign. Taken as the chance that the campaign is
  wrong, all its touched firm members are innocent with that chance, independently between campaigns.
- *Strangers in right groups.* The weights of membership ``2^bits`` of those who do not belong have a mean of one
  at most, if they are what they say. So over N accounts and G groups the weights of all strangers add up to no
  more than ``N G / 0.02``, but for one run in fifty (Markov). As many touched members as fit into that sum, the
  lightest first, may be strangers. The bound holds for whatever subset a policy touches.
- *Everything else*: pools, whose use is unknown, fainter tiers, signals, the operator's own lists. No rate is
  stated for these. All of them or none may be innocent.

The interval holds the truth in 95 of 100 runs under these assumptions; the third ground widens it by all it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

DRAWS = 20_000
SEED = 2026
MISS_LOW, MISS_HIGH, MISS_STRANGERS = 0.01, 0.02, 0.02
"""How often each part may miss; together one run in twenty."""


@dataclass(frozen=True, slots=True)
class TouchedGroup:
    """Firm members of one campaign that a policy touches."""

    false_discovery_rate: float
    bits: tuple[float, ...]
    """Membership bits of each of them."""


@dataclass(frozen=True, slots=True)
class Innocent:
    """An estimate with its grounds."""

    rated: int
    """Touched accounts for which a rate is stated."""
    expected: float
    """Expected number of innocent ones among them by the stated rates, at most."""
    strangers: int
    """Of those in right groups, how many may not belong, at most."""
    low: int
    """Lower end of the 95 % interval over all touched accounts."""
    high: int
    """Upper end, everything without a rate counted."""
    unrated: int
    """Touched accounts for which no rate is stated."""


def estimate(touched: Iterable[TouchedGroup], unrated: int, *, accounts: int, groups: int) -> Innocent:
    """The estimate for a set of touched accounts.

    Parameters
    ----------
    touched
        Campaigns with touched firm members.
    unrated
        Touched accounts on other grounds.
    accounts, groups
        Accounts that the run saw, and pools and campaigns that it found.

    Examples
    --------
    >>> estimate([TouchedGroup(0.01, (40.0,) * 40)] * 10, 5, accounts=10_000, groups=10)
    Innocent(rated=400, expected=4.0, strangers=0, low=0, high=45, unrated=5)
    """
    held = [g for g in touched if g.bits]
    sizes = np.array([len(g.bits) for g in held])
    rates = np.clip([g.false_discovery_rate for g in held], 0.0, 1.0)
    rated, expected = int(sizes.sum()), float((rates * sizes).sum())
    outsiders = strangers([b for g in held for b in g.bits], accounts, groups)
    low, high = _wrong_groups(sizes, rates)
    return Innocent(rated, expected, outsiders, low, min(rated, high + outsiders) + unrated, unrated)


def strangers(bits: Iterable[float], accounts: int, groups: int) -> int:
    """How many members with these membership bits may not belong, at most.

    >>> strangers([40.0] * 30, 10_000, 5), strangers([16.0] * 100, 10_000, 5)
    (0, 38)
    """
    lightest = np.cumsum(np.exp2(np.sort(np.fromiter(bits, float))))
    return int(np.searchsorted(lightest, accounts * groups / MISS_STRANGERS, side="right"))


def _wrong_groups(sizes: np.ndarray, rates: np.ndarray) -> tuple[int, int]:
    """Ends of the number of members of wrong groups; drawn with a fixed seed."""
    if not len(sizes):
        return 0, 0
    draw = np.random.default_rng(SEED)
    total = np.zeros(DRAWS)
    for size, rate in zip(sizes.tolist(), rates.tolist(), strict=True):
        total += np.where(draw.random(DRAWS) < rate, size, 0)
    low, high = np.quantile(total, (MISS_LOW, 1.0 - MISS_HIGH), method="inverted_cdf")
    return int(low), int(high)


def by_campaign(touched: Mapping[str, tuple[str, float, float]]) -> list[TouchedGroup]:
    """Groups from accounts: account -> (campaign, rate, membership bits)."""
    bits: dict[str, list[float]] = {}
    rates: dict[str, float] = {}
    for campaign, rate, weight in touched.values():
        bits.setdefault(campaign, []).append(weight)
        rates[campaign] = rate
    return [TouchedGroup(rates[c], tuple(sorted(bits[c]))) for c in sorted(bits)]
