"""Lineage: which case a campaign of a new scan belongs to.

Pure, so that it can be checked by hand. Three questions in order:

1. *Does it go on?* A campaign and a case that share at least two accounts, and a fifth of the smaller of the two,
   belong together. Each case goes on in the campaign with which it shares most; a campaign goes on in the case with
   which it shares most. Other cases that end in the same campaign are merged into it; other campaigns that come from
   the same case split off. A single shared account links nothing: it may be an honest one.
2. *Did it come back?* A campaign that goes on from nothing is held against cases whose accounts were acted on. It is a
   return when it shares values of at least two families, one of them a sign of control that is rare among honest
   accounts, and the rarities of the rarest value in each family add up to :data:`RETURN_BITS`.
3. Otherwise it is new.

A return is a lead for a person, never a ground for action: two customers of one reseller can share both.

Examples
--------
>>> shared = {("G-1", 1): 8, ("G-2", 1): 3, ("G-1", 2): 4}
>>> for line in continue_cases({"G-1": 12, "G-2": 3, "G-3": 5}, {1: 11, 2: 4}, shared):
...     print(line)
Continued(campaign_id='G-1', case=1, merged=(2,), split_from=None)
Continued(campaign_id='G-2', case=None, merged=(), split_from=1)
Continued(campaign_id='G-3', case=None, merged=(), split_from=None)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MIN_SHARED, MIN_SHARE = 2, 0.2
"""Accounts, and share of the smaller side, that a campaign and a case have in common when they belong together."""
RARE = 1e-3
"""Share of honest accounts at which a value is rare."""
RETURN_BITS, MOST_BITS = 24.0, 20.0
"""Bits of rarity for a return, over families; and the most that one family may give."""


@dataclass(frozen=True, slots=True)
class Continued:
    """What becomes of one campaign."""

    campaign_id: str
    case: int | None
    """None: a case of its own."""
    merged: tuple[int, ...]
    split_from: int | None


@dataclass(frozen=True, slots=True)
class Shared:
    """A value that members show: what it is, and how common it is among honest accounts."""

    trait: str
    value: str
    family: str
    control: bool
    reference_share: float


def continue_cases(
    campaigns: Mapping[str, int], cases: Mapping[int, int], shared: Mapping[tuple[str, int], int]
) -> list[Continued]:
    """Which campaign goes on in which case.

    Parameters
    ----------
    campaigns, cases
        Number of accounts of each.
    shared
        (campaign, case) -> accounts in common.
    """
    links = {
        pair: n for pair, n in shared.items()
        if n >= MIN_SHARED and n >= MIN_SHARE * min(campaigns[pair[0]], cases[pair[1]])
    }  # fmt: skip
    heir = {k: max((n, c) for (c, j), n in links.items() if j == k)[1] for k in {k for _, k in links}}
    out = []
    for campaign in sorted(campaigns):
        near = sorted(((n, -k) for (c, k), n in links.items() if c == campaign), reverse=True)
        mine = [-k for _, k in near if heir[-k] == campaign]
        if mine:
            out.append(Continued(campaign, mine[0], tuple(sorted(mine[1:])), None))
        else:
            out.append(Continued(campaign, None, (), -near[0][1] if near else None))
    return out


def returned_from(
    values: Iterable[Shared], cases: Mapping[int, Iterable[tuple[str, str]]]
) -> list[tuple[int, tuple[str, ...]]]:
    """Cases that a campaign may be a return of, the strongest first, with the grounds in words.

    Examples
    --------
    >>> card = Shared("payment", "d:1", "identity", True, 1e-5)
    >>> client = Shared("tls_fingerprint", "d:2", "infrastructure", False, 1e-4)
    >>> returned_from([card, client], {7: {("payment", "d:1"), ("tls_fingerprint", "d:2")}, 8: {("payment", "d:1")}})
    [(7, ('payment d:1 (16.6 bits)', 'tls_fingerprint d:2 (13.3 bits)'))]
    """
    by_key = {(v.trait, v.value): v for v in values}
    found = []
    for case, held in cases.items():
        common = [by_key[key] for key in held if key in by_key]
        best: dict[str, Shared] = {}
        for value in sorted(common, key=lambda v: (v.reference_share, v.trait, v.value)):
            best.setdefault(value.family, value)
        total = sum(rarity(v.reference_share) for v in best.values())
        control = any(v.control and v.reference_share <= RARE for v in common)
        if len(best) >= 2 and control and total >= RETURN_BITS:
            grounds = tuple(
                f"{v.trait} {v.value} ({rarity(v.reference_share):.1f} bits)"
                for v in sorted(best.values(), key=lambda v: v.reference_share)
            )
            found.append((total, case, grounds))
    return [(case, grounds) for _, case, grounds in sorted(found, key=lambda f: (-f[0], f[1]))]


def rarity(share: float) -> float:
    """Bits by which a value sets apart; one that everybody shows gives none.

    >>> rarity(1.0), rarity(0.25), rarity(0.0)
    (0.0, 2.0, 20.0)
    """
    return min(-math.log2(max(min(share, 1.0), 2.0**-MOST_BITS)), MOST_BITS)
