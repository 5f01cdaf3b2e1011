"""Which group of a look is which group of the look before: by the accounts they share, one to one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from stillwatch.records import Confidence, Kind

SAME = 0.5
"""Share of the smaller group's accounts that two groups must have in common to be one."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A group as it was last published."""

    name: str
    """The id under which it was published first; it stays while the group is followed."""
    since: str
    """When a look showed it first, ISO 8601."""
    claimed: str | None
    """Last UTC day on which it was firmly claimed as a campaign, ISO 8601; see `firm`."""
    accounts: frozenset[str]


def firm(kind: Kind, confidence: Confidence) -> bool:
    """Whether a claim may be made again at the rate of the day's first look.

    A campaign of low confidence passed `alpha_review` alone. It has spent nothing of `alpha_shape`, so it is tested for
    that as any other group is; else the looser tier would open the stricter one.

    >>> firm(Kind.CAMPAIGN, Confidence.MEDIUM), firm(Kind.CAMPAIGN, Confidence.LOW), firm(Kind.POOL, Confidence.MEDIUM)
    (True, False, False)
    """
    return kind is Kind.CAMPAIGN and confidence is not Confidence.LOW


def follow(before: Mapping[str, frozenset[str]], now: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """Match each group of now with at most one of before, the largest overlap first.

    >>> old = {"G-1": frozenset("abcd"), "G-2": frozenset("xy")}
    >>> follow(old, {"G-9": frozenset("bcde"), "G-8": frozenset("pq"), "G-2": frozenset("abp")})
    {'G-9': 'G-1'}
    """
    owner: dict[str, list[str]] = {}
    for name, accounts in before.items():
        for account in accounts:
            owner.setdefault(account, []).append(name)
    shared: dict[tuple[str, str], int] = {}
    for name, accounts in now.items():
        for account in accounts:
            for old in owner.get(account, ()):
                shared[name, old] = shared.get((name, old), 0) + 1
    found: dict[str, str] = {}
    taken: set[str] = set()
    for (name, old), count in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        enough = count >= SAME * min(len(now[name]), len(before[old]))
        if enough and name not in found and old not in taken:
            found[name] = old
            taken.add(old)
    return found


def first_names(
    before: Collection[str], now: Iterable[str], same: Mapping[str, str], look: int
) -> dict[str, str]:
    """The name under which each group of now was known first, no two alike.

    An id comes from what a group was found by. A new group may have the id that one of before had first, which goes on
    under another id by now, or is gone: it is told apart by the number of the look.

    >>> first_names({"G-1", "G-2"}, ["G-1", "G-9", "G-7"], {"G-9": "G-1"}, 4)
    {'G-1': 'G-1.4', 'G-9': 'G-1', 'G-7': 'G-7'}
    """
    return {name: same.get(name) or (f"{name}.{look}" if name in before else name) for name in now}
