"""What a relay has to do: requests of all desks in time order, before accounts are chosen.

Sessions are drawn once; their turns, copies and keys are worked out slice by slice, so that memory grows with
sessions and not with requests. Every draw about a single request is a hash of the session's own key: changing
how requests are dealt does not change what is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stillwatch.lab.hashing import F64, I64, U64, mix, normal, unit
from stillwatch.lab.people import switch_times
from stillwatch.lab.text.voices import teacher_nonce
from stillwatch.lab.world import NEW_MODEL, World

HOUR_US = 3_600_000_000
SLICE = 1_000_000
"""Sessions expanded at a time."""
_OFFICE = np.array(
    [0, 0, 0, 0, 0, 0, 0, 2, 9, 16, 18, 17, 9, 15, 18, 18, 15, 9, 3, 2, 1, 1, 0, 0], dtype=float
)

Table = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True, slots=True)
class Desk:
    """One source of requests: a customer, or one line of the extraction queue."""

    stream: int
    """What is asked."""
    weight: float = 1.0
    """Share of the sessions, against the other desks' weights."""
    extraction: bool = False
    """Serves extraction; else a paying customer's."""
    end_user: int = 0
    """Identifier passed on with every request; 0 for none."""
    device: int = 0
    """Device id that shines through; 0 for none."""
    switch_us: int | None = None
    """When this desk moves to the new model; unset draws it like everybody's."""
    teacher: bool = False
    """Answers are quoted later by graders (same payload, derived nonce)."""
    grader: bool = False
    """Takes its payloads from the teachers' answers, where there are teachers."""
    padded: bool = False
    """Later turns are small talk around one extraction request, and no extraction themselves."""
    hours_zone: int | None = None
    """Keeps office hours in this time zone, hours from UTC; unset works by day and night."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How requests follow each other; the part of the rules that decides when, not where."""

    jitter_s: float = 0.0
    """Random delay added to every session, seconds."""
    duplicate_share: float = 0.0
    """Share of extraction payloads asked once more."""
    repeats: int = 1
    """Best-of-R: copies of every extraction payload."""
    flat: bool = False
    """No day rhythm for customers either."""


class Work:
    """Requests of ``desks``, about ``total`` of them from ``start`` to the end of the world."""

    def __init__(
        self,
        world: World,
        rng: np.random.Generator,
        desks: Sequence[Desk],
        total: int,
        pace: Pace,
        start: int,
    ) -> None:
        self.world, self.pace, self.start = world, pace, start
        self.key = int(rng.integers(1, 2**62))
        self.streams = np.array([d.stream for d in desks], dtype=np.int64)
        self.extraction = np.array([d.extraction for d in desks], dtype=np.bool_)
        self.teacher = np.array([d.teacher for d in desks], dtype=np.bool_)
        self.padded = np.array([d.padded for d in desks], dtype=np.bool_)
        self.end_user = np.array([d.end_user for d in desks], dtype=np.uint64)
        self.device = np.array([d.device for d in desks], dtype=np.uint64)
        self.lines = np.flatnonzero(self.extraction)
        self._models(rng, desks)
        sessions = self._sessions(rng, desks, total)
        self.desk = np.repeat(np.arange(len(desks), dtype=np.int32), sessions)
        self.t = start + self._times(rng, desks)
        self.source = np.zeros(0, dtype=np.int64)
        self.paired = np.zeros(0, dtype=np.bool_)
        graders = np.array([d.grader for d in desks], dtype=np.bool_)
        if self.teacher.any():
            self._pair(graders)
        self.order = np.argsort(self.t, kind="stable")

    @property
    def sessions(self) -> int:
        """Sessions drawn."""
        return len(self.desk)

    def _models(self, rng: np.random.Generator, desks: Sequence[Desk]) -> None:
        drawn = switch_times(rng, len(desks), self.world.release)
        own = np.array([-1 if d.switch_us is None else d.switch_us for d in desks], dtype=np.int64)
        self.switch = np.where(own < 0, drawn, own)
        self.base = np.where(self.extraction, 1, rng.choice(3, len(desks), p=[0.1, 0.65, 0.25]))

    def _sessions(self, rng: np.random.Generator, desks: Sequence[Desk], total: int) -> I64:
        numbers = self.world.numbers()
        weight = np.array([d.weight for d in desks], dtype=np.float64)
        turns = 1 + numbers["conversation"][self.streams] * (numbers["turns"][self.streams] - 1)
        single = 1 - numbers["conversation"][self.streams]
        extra = self.pace.repeats - 1 + self.pace.duplicate_share
        turns = turns + np.where(self.extraction & ~self.teacher, single * extra, 0.0)
        return np.asarray(rng.poisson(weight / weight.sum() * total / turns), dtype=np.int64)

    def _times(self, rng: np.random.Generator, desks: Sequence[Desk]) -> I64:
        """Session starts relative to ``start``: uniform for machines, by day for customers, office hours for people."""
        span = self.world.end - self.start
        t = rng.random(len(self.desk)) * span
        again, keep_if = rng.random(len(self.desk)) * span, rng.random(len(self.desk))
        hour = ((self.start + t) // HOUR_US) % 24
        flat = self.extraction[self.desk] | self.pace.flat
        keep = flat | (keep_if < 0.35 + 0.65 * np.sin(np.clip((hour - 5) / 18, 0, 1) * np.pi))
        t = np.where(keep, t, again)
        zones = np.array([99 if d.hours_zone is None else d.hours_zone for d in desks])
        for zone in np.unique(zones[zones < 99]).tolist():
            rows = np.flatnonzero(zones[self.desk] == zone)
            t[rows] = office_times(t[rows] / span, self.start, self.world.end, zone)
        return np.asarray(t, dtype=np.int64)

    def _pair(self, graders: np.ndarray[Any, Any]) -> None:
        """The n-th grading session takes the payload of the n-th teacher session, a minute to half an hour after it."""
        asked = np.flatnonzero(self.teacher[self.desk])
        graded = np.flatnonzero(graders[self.desk])
        pairs = min(len(asked), len(graded))
        asked = asked[np.argsort(self.t[asked], kind="stable")][:pairs]
        graded = graded[np.argsort(self.t[graded], kind="stable")][:pairs]
        self.source = np.full(self.sessions, -1, dtype=np.int64)
        self.source[graded] = asked
        self.paired = np.zeros(self.sessions, dtype=np.bool_)
        self.paired[asked] = True
        wait = 60_000_000 + (unit(mix(self.key, graded), 3) * 1_740_000_000).astype(np.int64)
        self.t[graded] = np.maximum(self.t[graded], self.t[asked] + wait)

    def slices(self) -> Iterator[Table]:
        """Requests in time order, in pieces; together they are all of them."""
        waiting: Table = {}
        for first in range(0, self.sessions, SLICE):
            last = first + SLICE
            table = self._expand(self.order[first:last])
            if waiting:
                table = {k: np.concatenate([waiting[k], v]) for k, v in table.items()}
            until = self.t[self.order[last]] if last < self.sessions else np.iinfo(np.int64).max
            ready = table["t"] < until
            waiting = {k: v[~ready] for k, v in table.items()}
            place = np.flatnonzero(ready)
            place = place[np.argsort(table["t"][place], kind="stable")]
            if len(place):
                yield {k: v[place] for k, v in table.items()}

    def _keys(self, index: I64) -> tuple[U64, U64]:
        payload = index
        if len(self.source):
            payload = np.where(self.source[index] >= 0, self.source[index], index)
        seed = mix(self.key, payload, 1) >> np.uint64(1)
        nonce = mix(self.key, index, 2) >> np.uint64(1)
        if len(self.paired):
            nonce = np.where(self.paired[index], teacher_nonce(seed), nonce)
        return seed, nonce

    def _expand(self, index: I64) -> Table:
        numbers, pace = self.world.numbers(), self.pace
        desk = self.desk[index].astype(np.int64)
        stream = self.streams[desk]
        seed, nonce = self._keys(index)
        own = mix(self.key, index, 4)
        multi = unit(own, 5) < numbers["conversation"][stream]
        mean = np.maximum(numbers["turns"][stream] - 1, 1.01)
        more = 1 + np.floor(np.log(1 - unit(own, 6)) / np.log1p(-1 / mean))
        length = np.where(multi, np.minimum(1 + more, 9), 1).astype(np.int64)
        alone = self.extraction[desk] & ~self.teacher[desk] & ~multi
        copies = np.where(alone, pace.repeats, 1) + (alone & (unit(own, 7) < pace.duplicate_share))
        count = length * copies
        row = np.repeat(np.arange(len(index)), count)
        part = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        turn = np.where(multi[row], part, -1)
        own_row = mix(own[row], part)
        talk = numbers["gap_s"][stream[row]] * np.exp(0.7 * normal(own_row, 8))
        gap = np.where(multi[row], talk, 60 + 540 * unit(own_row, 9)) * (part > 0)
        passed = np.cumsum(gap)
        passed -= np.repeat(passed[np.cumsum(count) - count], count)
        delay = unit(own, 10) * pace.jitter_s
        when = self.t[index][row] + ((passed + delay[row]) * 1e6).astype(np.int64)
        which = desk[row]
        spoken = np.where((turn < 0) & (part > 0), mix(nonce[row], part, 77), nonce[row])
        extraction = self.extraction[which] & ~(self.padded[which] & (turn > 0))
        table: Table = {
            "t": when, "desk": which, "stream": stream[row], "session": index[row], "seed": seed[row],
            "nonce": spoken, "turn": turn, "extraction": extraction, "end_user": self.end_user[which],
            "device": self.device[which], "paid": ~self.extraction[which],
            "model": np.where((when >= self.switch[which]) & (when >= self.world.release), NEW_MODEL, self.base[which]),
        }  # fmt: skip
        if (
            pace.repeats > 1
        ):  # later copies come from other lines, so that stickiness does not hold them together
            moved = (turn < 0) & table["extraction"]
            other = self.lines[(spoken % np.uint64(len(self.lines))).astype(np.int64)]
            table["desk"] = np.where(moved, other, which)
        return table


def office_times(u: F64, start: int, end: int, zone_h: int) -> F64:
    """Uniform numbers in ``[0, 1)`` mapped to microseconds after ``start`` within office hours, few at weekends."""
    hours = np.arange(max(1, -(-(end - start) // HOUR_US)))
    local = start // HOUR_US + hours + zone_h
    weekday = (local // 24 + 3) % 7  # 1970-01-01 was a Thursday; 0 = Monday
    cumulative = np.cumsum(_OFFICE[local % 24] * np.where(weekday >= 5, 0.15, 1.0) + 1e-12)
    cumulative /= cumulative[-1]
    at = np.minimum(np.searchsorted(cumulative, u, side="right"), len(hours) - 1)
    low = np.where(at > 0, cumulative[at - 1], 0.0)
    inside = np.clip((u - low) / np.maximum(cumulative[at] - low, 1e-12), 0, 1 - 1e-9)
    return np.asarray(np.minimum((at + inside) * HOUR_US, end - start - 1), dtype=np.float64)
