"""The member list of one campaign, cut to what a page can hold; the full list is in ``members.parquet``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from stillwatch.records import Member, Tier

_LISTED = 12
"""Distinct reasons up to which they are numbered once instead of repeated on every row."""
BELONGING = " for belonging"
"""How a weight of evidence ends; a list of them leaves it out and says so once."""
_TIERS = {Tier.MEMBER: 0, Tier.ASSOCIATED: 1, Tier.WATCH: 2}


@dataclass(frozen=True, slots=True)
class Row:
    """One account and why it is here."""

    member: Member
    why: str


@dataclass(frozen=True, slots=True)
class MemberList:
    """First rows, how many there are, how they spread over the tiers, and the numbered reasons."""

    rows: tuple[Row, ...]
    total: int
    tiers: tuple[tuple[str, int], ...]
    reasons: tuple[str, ...]


def in_order(members: Iterable[Member]) -> list[Member]:
    """Most firmly linked first; ties by account id, so the order never depends on the input's."""
    return sorted(members, key=lambda m: (_TIERS[m.tier], -m.membership_bits, m.account_id))


def member_list(members: Iterable[Member], most: int = 200) -> MemberList:
    """Prepare the table of members.

    Args:
        members: the members of one campaign, in any order.
        most: rows to keep.
    """
    ordered = in_order(members)
    kept = ordered[:most]
    used = Counter(reason for member in kept for reason in member.reasons)
    common = tuple(sorted(used, key=lambda r: (-used[r], r))) if len(used) <= _LISTED else ()
    number = {reason: str(i) for i, reason in enumerate(common, 1)}
    rows = tuple(
        Row(m, ", ".join(sorted((number[r] for r in m.reasons), key=int)) if number else _in_short(m.reasons))
        for m in kept
    )
    counted = Counter(m.tier for m in ordered)
    return MemberList(rows, len(ordered), tuple((str(t), counted[t]) for t in _TIERS if counted[t]), common)


def _in_short(reasons: Iterable[str]) -> str:
    """The reasons of one row; the words that end nearly all of them are said once, below the table."""
    return "; ".join(reason.removesuffix(BELONGING) for reason in reasons)
