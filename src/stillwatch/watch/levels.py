"""How the stated error rates of a day are split over its looks.

A day is a UTC day and has a fixed number of looks. The first look of a day may spend half of the day's rate, the
others share the other half; the rate for controllers is split evenly. The false discovery rate of everything that is
claimed on one day is then at most the stated rate, whatever depends on what: see decision 0013.

A campaign that was firmly claimed earlier on the same day is tested again at the rate of the day's first look, not at
the smaller one of later looks: it is the same claim, and it costs nothing to make it again. One of low confidence is
another claim than a firm one and is tested as any group is. Nothing stays by itself: a campaign that is no longer
supported has left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

FIRST = 0.5
"""Share of a day's rate that its first look spends where there are several looks."""
_NOTHING = 1e-9


@dataclass(frozen=True, slots=True)
class Spent:
    """What earlier looks of a day have spent, as shares of the day's rates."""

    shape: float = 0.0
    controller: float = 0.0
    first: float | None = None
    """Share of the day's first look; None before it."""


@dataclass(frozen=True, slots=True)
class Levels:
    """What one look may spend, as shares of the rates that are stated for a day."""

    claim: float
    """For campaigns that are claimed for the first time on this day."""
    stand: float
    """For campaigns that were firmly claimed earlier on this day."""
    controller: float
    """For groups said to have one controller."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Looks of a day, at equal distances from midnight UTC.

    >>> three = Schedule(3)
    >>> three.slot(datetime(2026, 3, 1, 17, tzinfo=UTC))
    (datetime.date(2026, 3, 1), 2)
    >>> three.levels(Spent()), three.levels(Spent(0.5, 1 / 3, 0.5)).claim
    (Levels(claim=0.5, stand=0.5, controller=0.3333333333333333), 0.25)
    >>> Schedule(1).levels(Spent())
    Levels(claim=1.0, stand=1.0, controller=1.0)
    """

    looks: int

    def slot(self, now: datetime) -> tuple[date, int]:
        """The day and the number of the look that belongs to this time."""
        now = now.astimezone(UTC)
        seconds = now.hour * 3600 + now.minute * 60 + now.second
        return now.date(), seconds * self.looks // 86_400

    def next_slot(self, now: datetime) -> datetime:
        """When the next look's time begins."""
        day, number = self.slot(now)
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        seconds = -((number + 1) * -86_400 // self.looks)
        return midnight + timedelta(seconds=seconds)

    def levels(self, spent: Spent) -> Levels | None:
        """What the next look of a day may spend; None when the day's rate is used up."""
        first = spent.first is None
        planned = 1.0 if self.looks == 1 else FIRST if first else (1.0 - FIRST) / (self.looks - 1)
        claim = min(planned, 1.0 - spent.shape)
        controller = min(1.0 / self.looks, 1.0 - spent.controller)
        if claim <= _NOTHING or controller <= _NOTHING:
            return None
        return Levels(claim, claim if spent.first is None else max(spent.first, claim), controller)

    def groups_needed(self, alpha: float) -> int:
        """Honest groups that a baseline must hold so that the smallest p-value reaches a later look's rate."""
        smallest = alpha * (1.0 if self.looks == 1 else (1.0 - FIRST) / (self.looks - 1))
        return int(-(-1.0 // smallest)) - 1
