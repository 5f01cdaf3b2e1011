"""A key holder's side: one share of the key for each epoch, and a budget for each member.

A key holder sees blinded elements: it learns how many, and nothing else. It answers members it knows, in epochs whose
share it has, as long as the budget lasts. The budget is spent before anything is computed, in a ledger that a restart
does not empty. Both key holders count for themselves, so that no single one can be lenient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from stillwatch.share.join import group, oprf


class Ledger(Protocol):
    """What members have spent; it outlives the process, and two calls at once never spend the same unit."""

    def spend(self, member: str, epoch: str, count: int, budget: int) -> bool:
        """Takes ``count`` units, or none and says False where they would exceed ``budget``."""

    def spent(self, member: str, epoch: str) -> int:
        """Units taken so far."""


@dataclass(frozen=True)
class Refused:
    """An answer that was not given."""

    reason: str
    """``unknown_member``, ``unknown_epoch``, ``batch_size`` or ``budget``."""
    hint: str


@dataclass(frozen=True)
class KeyHolder:
    """One of the two.

    Args:
        shares: Secret scalars by epoch. An epoch that is over is left out: its share is destroyed.
        budgets: Evaluations that each member may have in one epoch.
    """

    shares: Mapping[str, bytes] = field(repr=False)
    budgets: Mapping[str, int]
    ledger: Ledger

    def public(self, epoch: str) -> bytes | Refused:
        """The public part of an epoch's share: published before the epoch, the same for every member."""
        share = self.shares.get(epoch)
        return group.generated(share) if share else _UNKNOWN_EPOCH

    def answer(self, member: str, epoch: str, wire: bytes) -> bytes | Refused:
        """Evaluated elements and a proof for the whole batch.

        Args:
            member: Who asks, as whoever carries the bytes has authenticated it.

        Raises:
            VerificationError: what was sent is no batch of elements; nothing is spent.
        """
        if member not in self.budgets:
            return Refused("unknown_member", "ask the hub to be made a member")
        share = self.shares.get(epoch)
        if share is None:
            return _UNKNOWN_EPOCH
        if not 0 < len(wire) <= oprf.LARGEST_BATCH * group.SIZE:
            return Refused("batch_size", f"send 1 to {oprf.LARGEST_BATCH} elements at a time")
        asked = group.elements(wire)
        if not self.ledger.spend(member, epoch, len(asked), self.budgets[member]):
            return Refused("budget", f"{self.left(member, epoch)} evaluations are left until the epoch ends")
        given = oprf.evaluate(share, asked)
        return b"".join(given) + oprf.prove(share, asked, given)

    def left(self, member: str, epoch: str) -> int:
        """Evaluations that a member may still have."""
        return self.budgets.get(member, 0) - self.ledger.spent(member, epoch)


def epoch_of(moment: datetime) -> str:
    """The epoch of a moment: its ISO week in UTC; every epoch has keys of its own.

    >>> from datetime import UTC
    >>> epoch_of(datetime(2027, 1, 3, 23, tzinfo=UTC)), epoch_of(datetime(2027, 1, 4, tzinfo=UTC))
    ('2026-W53', '2027-W01')
    """
    year, week, _ = moment.astimezone(UTC).isocalendar()
    return f"{year}-W{week:02}"


_UNKNOWN_EPOCH = Refused("unknown_epoch", "ask for the current epoch: keys of past ones are destroyed")

__all__ = ["KeyHolder", "Ledger", "Refused", "epoch_of"]
