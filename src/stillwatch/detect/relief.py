"""Compensation between single units and a group: who takes over for its members, or is relieved by them.

Votes are those of hubs (`stillwatch.detect.compensation`), of one unit against all members instead of among members.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba as nb
import numpy as np

from stillwatch.detect.betting import binomial_log10_e, log10_mean
from stillwatch.detect.compensation import SECOND, WINDOWS_S, Moments, balance, counted, moments, pair_cap
from stillwatch.detect.discordant import SLOT, Index
from stillwatch.detect.hubs import runs

if TYPE_CHECKING:
    from stillwatch.detect.traffic import Traffic

VOTE_DECADES = 0.236
"""No vote adds more to an e-value: 0.9 of the wealth on "after", whose null probability is 5/9 at least (`balance`)."""


@nb.njit(cache=True, nogil=True)
def _unit_votes(events, giver, control, reach, ptr, unit, gap, inside, row_of, windows, after, before):  # type: ignore[no-untyped-def]  # numba infers
    """Discordant events of single units: row, class (window, control), side, partner, event.

    A unit votes as the refused one, with the nearest member as partner, and as the one heard by a refused member.
    ``after`` and ``before`` are room for one number of each unit, 2**62 before and afterwards.
    """
    out = np.empty((4096, 5), np.int32)
    used = 0
    asked = np.empty(64, np.int64)
    for e in events:
        a = giver[e]
        near_after, near_before = 2**62, 2**62
        who_after, who_before = -1, -1
        if ptr[e + 1] - ptr[e] > len(asked):
            asked = np.empty(2 * (ptr[e + 1] - ptr[e]), np.int64)
        n_asked = 0
        if inside[a]:
            for i in range(ptr[e], ptr[e + 1]):
                if row_of[unit[i]] >= 0:
                    asked[n_asked] = i
                    n_asked += 1
                    if gap[i] > 0:
                        after[unit[i]] = gap[i]
                    else:
                        before[unit[i]] = -gap[i]
        if row_of[a] >= 0:
            for i in range(ptr[e], ptr[e + 1]):
                v, d = unit[i], gap[i]
                if inside[v]:
                    if d > 0 and d < near_after:
                        near_after, who_after = d, v
                    elif d <= 0 and -d < near_before:
                        near_before, who_before = -d, v
        c = 1 if control[e] else 0
        for w in range(len(windows)):
            width = windows[w]
            if reach[e] < width:
                continue
            if used + (ptr[e + 1] - ptr[e]) + 1 > len(out):
                wider = np.empty((2 * (used + ptr[e + 1] - ptr[e] + 1), 5), np.int32)
                wider[:used] = out[:used]
                out = wider
            x, y = near_after <= width, near_before <= width
            if row_of[a] >= 0 and x != y:
                out[used, 0], out[used, 1], out[used, 2] = row_of[a], w * 2 + c, 0 if x else 1
                out[used, 3], out[used, 4] = who_after if x else who_before, e
                used += 1
            for i in asked[:n_asked]:
                v = unit[i]
                if gap[i] < 0 and after[v] < 2**62:
                    continue  # seen already on the other side
                x, y = after[v] <= width, before[v] <= width
                if x != y:
                    out[used, 0], out[used, 1], out[used, 2] = row_of[v], w * 2 + c, 0 if x else 1
                    out[used, 3], out[used, 4] = a, e
                    used += 1
        for i in asked[:n_asked]:
            after[unit[i]] = 2**62
            before[unit[i]] = 2**62
    return out[:used].copy()


@nb.njit(cache=True, nogil=True)
def _by_class(votes, rows):  # type: ignore[no-untyped-def]  # numba infers
    """Votes that are in order of time, by row and class, and there as they were."""
    free = np.zeros(rows * 8 + 1, np.int64)
    for v in range(len(votes)):
        free[votes[v, 0] * 8 + votes[v, 1] + 1] += 1
    free = np.cumsum(free)
    out = np.empty_like(votes)
    for v in range(len(votes)):
        at = votes[v, 0] * 8 + votes[v, 1]
        out[free[at]] = votes[v]
        free[at] += 1
    return out


@nb.njit(cache=True, nogil=True)
def _apart(votes, when, lot, windows):  # type: ignore[no-untyped-def]  # numba infers
    """Which votes of a row and class are drawn: of those whose windows overlap, the one with the lowest lot.

    ``votes`` is sorted by row, class and time.
    """
    out = np.ones(len(votes), np.bool_)
    for r in range(len(votes)):
        e, width = votes[r, 4], windows[votes[r, 1] // 2]
        for step in (-1, 1):
            k = r + step
            while (
                out[r]
                and 0 <= k < len(votes)
                and votes[k, 0] == votes[r, 0]
                and votes[k, 1] == votes[r, 1]
                and abs(when[votes[k, 4]] - when[e]) < 2 * width
            ):
                if lot[votes[k, 4]] < lot[e]:
                    out[r] = False
                k += step
    return out


@nb.njit(cache=True, nogil=True)
def _heard_in(ptr, unit, heard_ptr):  # type: ignore[no-untyped-def]  # numba infers
    """int32: the events in which each unit is heard, in compressed rows."""
    free, out = heard_ptr[:-1].copy(), np.empty(len(unit), np.int32)
    for e in range(len(ptr) - 1):
        for i in range(ptr[e], ptr[e + 1]):
            out[free[unit[i]]] = e
            free[unit[i]] += 1
    return out


@nb.njit(cache=True, nogil=True)
def _heard_after(ev_ptr, events, control, ptr, unit, gap):  # type: ignore[no-untyped-def]  # numba infers
    """The refusals of each unit, and who is heard after each of these; both in compressed rows."""
    many, total = 0, 0
    for e in events:
        if not control[e]:
            many += 1
            for i in range(ptr[e], ptr[e + 1]):
                total += gap[i] > 0
    own, start, heard = (
        np.zeros(len(ev_ptr), np.int64),
        np.zeros(many + 1, np.int64),
        np.empty(total, np.int32),
    )
    k, used = 0, 0
    for u in range(len(ev_ptr) - 1):
        for j in range(ev_ptr[u], ev_ptr[u + 1]):
            e = events[j]
            if control[e]:
                continue
            for i in range(ptr[e], ptr[e + 1]):
                if gap[i] > 0:
                    heard[used] = unit[i]
                    used += 1
            k += 1
            start[k] = used
        own[u + 1] = k
    return own, start, heard


@nb.njit(cache=True, nogil=True)
def _refusals_between(units, members, inside, own, start, heard):  # type: ignore[no-untyped-def]  # numba infers
    """int64[units]: refusals of each after which somebody inside is heard, and of those inside after which it is.

    ``members`` are those inside.
    """
    row = np.full(len(inside), -1, np.int32)
    for k in range(len(units)):
        row[units[k]] = k
    votes = np.zeros(len(units), np.int64)
    for k in range(len(units) + len(members)):
        a = units[k] if k < len(units) else members[k - len(units)]
        if k >= len(units) and row[a] >= 0:
            continue  # looked at already
        for r in range(own[a], own[a + 1]):
            answered = False
            for i in range(start[r], start[r + 1]):
                v = heard[i]
                answered |= inside[v]
                if inside[a] and row[v] >= 0:
                    votes[row[v]] += 1
            if answered and row[a] >= 0:
                votes[row[a]] += 1
    return votes


@nb.njit(cache=True, nogil=True)
def _net_after(ev_ptr, events, control, ptr, unit, gap, window, n_units):  # type: ignore[no-untyped-def]  # numba infers
    """Who is heard within a window of each unit's refusals, and how many times more after than before.

    In compressed rows; who is heard as often on both sides is not there.
    """
    total = 0
    for e in range(len(control)):
        if not control[e]:
            total += ptr[e + 1] - ptr[e]
    own = np.zeros(len(ev_ptr), np.int64)
    who, net = np.empty(total, np.int32), np.empty(total, np.int32)
    seen, place = np.full(n_units, -1, np.int32), np.empty(n_units, np.int64)
    used = 0
    for a in range(len(ev_ptr) - 1):
        first = used
        for j in range(ev_ptr[a], ev_ptr[a + 1]):
            e = events[j]
            if control[e]:
                continue
            for i in range(ptr[e], ptr[e + 1]):
                if abs(gap[i]) <= window:
                    v = unit[i]
                    if seen[v] != a:
                        seen[v], place[v] = a, used
                        who[used], net[used] = v, 0
                        used += 1
                    net[place[v]] += 1 if gap[i] > 0 else -1
        kept = first
        for k in range(first, used):
            if net[k] != 0:
                who[kept], net[kept] = who[k], net[k]
                kept += 1
        used = kept
        own[a + 1] = used
    return own, who[:used].copy(), net[:used].copy()


@nb.njit(cache=True, nogil=True)
def _more_after(members, own, who, net, votes):  # type: ignore[no-untyped-def]  # numba infers
    """int32, ascending: units heard after refusals of members at least two times more than before (`_net_after`).

    ``votes`` is room for one number of each unit, 0 before and afterwards.
    """
    total = 0
    for a in members:
        total += own[a + 1] - own[a]
        for k in range(own[a], own[a + 1]):
            votes[who[k]] += net[k]
    out, n = np.empty(total, np.int32), 0
    for a in members:
        for k in range(own[a], own[a + 1]):
            if votes[who[k]] >= 2:
                out[n] = who[k]
                n += 1
            votes[who[k]] = 0
    return np.sort(out[:n])


class UnitCompensation:
    """Evidence of single units that they take over for, or are relieved by, the members of a group.

    As in a hub, overlapping windows give one vote, and no single partner gives more than a few: a person's second
    account is no sign of belonging to the crowd that the first one is in.
    """

    def __init__(self, found: Moments, n_units: int) -> None:
        self.found, self.n_units = found, n_units
        self.windows = np.array([int(w * SECOND) for w in WINDOWS_S], np.int64)
        self.index = Index.of(found.giver, n_units)
        self.heard_ptr = np.concatenate([[0], np.cumsum(np.bincount(found.unit, minlength=n_units))])
        self.heard_in = _heard_in(found.ptr, found.unit, self.heard_ptr)
        self.refusals = _heard_after(
            self.index.ptr, self.index.events, found.control, found.ptr, found.unit, found.gap
        )
        self.net = _net_after(
            self.index.ptr,
            self.index.events,
            found.control,
            found.ptr,
            found.unit,
            found.gap,
            self.windows[1],
            n_units,
        )
        self._room = np.full((2, n_units), 2**62, np.int64)
        self._row = np.full(n_units, -1, np.int32)
        self._balance = np.zeros(n_units, np.int64)

    def decades(self, units: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """float64[units] log10 e-values against the units marked ``inside``, each unit itself left out."""
        events = self._between(units, inside)
        if not len(events):
            return np.zeros(len(units))
        self._row[units] = np.arange(len(units))
        votes = self._votes(events, inside, len(units))
        self._row[units] = -1
        start = np.searchsorted(votes[:, 0], np.arange(len(units) + 1))
        cap = np.full(len(units), pair_cap(np.array([inside.sum()]))[0])
        keys = ((votes[:, 1].astype(np.int64) * 2 + votes[:, 2]) << SLOT) | votes[:, 3]
        counts = counted(start, keys, cap, len(WINDOWS_S) * 2, True)
        table = counts.reshape(len(units), len(WINDOWS_S), 2, 2)
        refused, control = table[:, :, 0], table[:, :, 1]
        got: np.ndarray = log10_mean(
            binomial_log10_e(refused[..., 0], refused.sum(-1), balance(control)), axis=1
        )
        return got

    def at_most(self, units: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """What `decades` cannot exceed: every refusal with one of the units on its other side as a vote for "after"."""
        votes = _refusals_between(units, np.flatnonzero(inside), inside, *self.refusals)
        most: np.ndarray = votes * VOTE_DECADES
        return most

    def _between(self, units: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Events, in order of time, that any of the units can vote in: their own, and those they are heard in.

        They are looked up from the side on which there are fewer, the units or those inside.
        """
        f = self.found
        members = np.flatnonzero(inside)
        theirs = self._events_of(members)
        lengths = self.heard_ptr[units + 1] - self.heard_ptr[units]
        if lengths.sum() * len(f.giver) > len(theirs) * len(f.unit):
            return np.sort(self._events_of(np.union1d(units, members)))
        heard = self.heard_in[runs(self.heard_ptr[units], lengths)]
        return np.unique(np.concatenate([self._events_of(units), heard[inside[f.giver[heard]]]]))

    def _votes(self, events: np.ndarray, inside: np.ndarray, rows: int) -> np.ndarray:
        """Votes of so many rows that are drawn, sorted by row and class."""
        f = self.found
        votes = _unit_votes(
            events,
            f.giver,
            f.control,
            f.reach,
            f.ptr,
            f.unit,
            f.gap,
            inside,
            self._row,
            self.windows,
            *self._room,
        )
        votes = _by_class(votes, rows)
        drawn: np.ndarray = votes[_apart(votes, f.when, f.lot, self.windows)]
        return drawn

    def _events_of(self, units: np.ndarray) -> np.ndarray:
        """Events in which one of some units is the refused or answered one."""
        ptr = self.index.ptr
        events: np.ndarray = self.index.events[runs(ptr[units], ptr[units + 1] - ptr[units])]
        return events

    def partners(self, inside: np.ndarray) -> np.ndarray:
        """Units heard soon after refusals of the units marked ``inside``, more often than just before."""
        own, who, net = self.net
        found: np.ndarray = _more_after(np.flatnonzero(inside), own, who, net, self._balance)
        return found


def of_units(traffic: Traffic) -> UnitCompensation:
    """Evidence of single units in a traffic."""
    return UnitCompensation(moments(traffic), traffic.n_units)
