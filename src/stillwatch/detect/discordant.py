"""Discordant events of hubs: another member is heard only after a refusal, or only before it.

A refusal has some fifty others around it and belongs to some hundreds of hubs. Hubs are taken sixty-four at a time, a
bit each: who of them a unit belongs to is one number, so one look at somebody who is heard answers for all sixty-four.
Hubs with members in common are put together first, since what is looked at is who belongs to any of the sixty-four.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numba as nb
import numpy as np

from stillwatch.detect.hubs import Hubs
from stillwatch.detect.threads import spread

if TYPE_CHECKING:
    from stillwatch.detect.compensation import Moments

Counts = TypeVar("Counts")
BITS = 64
AT_ONCE = 4_000_000
"""Members and events of hubs that one thread takes at a time."""
ALIKE = 3
"""Members by which hubs are put together: those with the most others around their events."""
_ONE, _NONE, _ALL = np.uint64(1), np.uint64(0), np.uint64(2**64 - 1)
_DE_BRUIJN, _TOP = np.uint64(0x03F79D71B4CB0A89), np.uint64(58)
_PLACE = np.zeros(BITS, np.int64)
_PLACE[[((0x03F79D71B4CB0A89 << bit) % 2**64) >> 58 for bit in range(BITS)]] = np.arange(BITS)
"""Which bit a number with a single one is, by the six bits that it moves to the top of a de Bruijn sequence."""
SLOT, UNIT = 58, 29
"""Bits above which the key of a vote holds its slot (class and side), and its lower unit."""


@dataclass(frozen=True, slots=True)
class Index:
    """Events by the unit that was refused or answered."""

    ptr: np.ndarray
    events: np.ndarray
    """int64: those of unit u, in order of time, are ``events[ptr[u]:ptr[u + 1]]``."""

    @classmethod
    def of(cls, giver: np.ndarray, n_units: int) -> Index:
        """Sort events by unit."""
        ptr = np.concatenate([[0], np.cumsum(np.bincount(giver, minlength=n_units))])
        return cls(ptr, np.argsort(giver, kind="stable"))


def counted_votes(
    found: Moments, hubs: Hubs, own: np.ndarray, held: np.ndarray, limit: np.ndarray, windows: np.ndarray,
    n_units: int, threads: int, count: Callable[[np.ndarray, np.ndarray, np.ndarray], Counts],
) -> list[Counts]:  # fmt: skip
    """What ``count`` makes of the votes of the hubs ``own``, some hubs at a time, in no order.

    It is given these hubs, and the keys of their votes in compressed rows: slot, lower and higher unit, see `SLOT`.

    Args:
        held: how many events each of ``own`` has, for sharing the work out.
        limit: uint64, the largest lot that is drawn in each.
        windows: int64 microseconds, ascending.
    """
    index = Index.of(found.giver, n_units)
    runs, who, near = _by_place(index.events, found.ptr, found.unit, found.gap)
    order = _alike(hubs, own, index.ptr, runs)
    work = np.add.reduceat((hubs.ptr[own + 1] - hubs.ptr[own] + held)[order], np.arange(0, len(own), BITS))
    cuts = BITS * (np.flatnonzero(np.diff(np.cumsum(work) // AT_ONCE)) + 1)

    def of(block: np.ndarray) -> Counts:
        mine = own[block]
        place, key = _votes(
            mine, hubs.ptr, hubs.units, limit[block], index.ptr, index.events, runs, who, near, found.lot,
            found.giver, found.when, found.control, found.late, found.reach, windows, n_units,
        )  # fmt: skip
        return count(mine, *_grouped(place, key, len(mine)))

    return spread(of, np.split(order, cuts), threads)


@nb.njit(cache=True, nogil=True)
def _by_place(events, ptr, unit, gap):  # type: ignore[no-untyped-def]  # numba infers
    """Who is heard after and before each of some events: two runs for each, in which the nearest come first.

    Runs 2 k and 2 k + 1 belong to place k; gaps are positive.
    """
    runs = np.zeros(2 * len(events) + 1, np.int64)
    who, near = np.empty(len(unit), np.int32), np.empty(len(unit), np.int32)
    used = 0
    for k in range(len(events)):
        for side in range(2):
            for i in range(ptr[events[k]], ptr[events[k] + 1]):
                if (gap[i] > 0) == (side == 0):
                    who[used], near[used] = unit[i], abs(gap[i])
                    used += 1
            runs[2 * k + side + 1] = used
    return runs, who, near


def _alike(hubs: Hubs, own: np.ndarray, ev_ptr: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Places of the hubs ``own`` in an order in which those with weighty members in common are neighbours."""
    weight = runs[2 * ev_ptr[1:]] - runs[2 * ev_ptr[:-1]]
    order: np.ndarray = np.lexsort(_weightiest(own, hubs.ptr, hubs.units, weight).T[::-1])
    return order


@nb.njit(cache=True, nogil=True)
def _weightiest(own, hub_ptr, hub_units, weight):  # type: ignore[no-untyped-def]  # numba infers
    """int32[own, ALIKE]: members of the largest weight, the first of several alike; -1 where there are fewer."""
    out = np.full((len(own), ALIKE), -1, np.int32)
    for k in range(len(own)):
        for i in range(hub_ptr[own[k]], hub_ptr[own[k] + 1]):
            at = ALIKE
            while at > 0 and (out[k, at - 1] < 0 or weight[hub_units[i]] > weight[out[k, at - 1]]):
                at -= 1
            if at < ALIKE:
                for j in range(ALIKE - 1, at, -1):
                    out[k, j] = out[k, j - 1]
                out[k, at] = hub_units[i]
    return out


@nb.njit(cache=True, nogil=True)
def _votes(  # type: ignore[no-untyped-def]  # numba infers
    own, hub_ptr, hub_units, limit, ev_ptr, events, runs, who, near, lot, giver, when, control, late, reach, windows,
    n_units,
):  # fmt: skip
    """Discordant events: place in ``own``, and key.

    Of events whose windows overlap only the one with the lowest lot counts. Keeping the earliest instead would
    lean to "after": what comes before the first of a cluster is by choice quiet.
    """
    member = np.zeros(n_units, np.uint64)
    some = np.empty(n_units, np.int32)
    heard = np.zeros((2, len(windows)), np.uint64)
    drawn = np.empty(BITS, np.int64)
    place, key = np.empty(1 << 16, np.int32), np.empty(1 << 16, np.int64)
    used = 0
    for base in range(0, len(own), BITS):
        many = min(BITS, len(own) - base)
        n_some = _enter(own[base : base + many], hub_ptr, hub_units, member, some)
        always, n_drawn = _NONE, 0
        for bit in range(many):
            if limit[base + bit] == _ALL:
                always |= _ONE << np.uint64(bit)
            else:
                drawn[n_drawn] = bit
                n_drawn += 1
        for s in range(n_some):
            a = some[s]
            for j in range(ev_ptr[a], ev_ptr[a + 1]):
                e = events[j]
                asked = always
                for bit in drawn[:n_drawn]:
                    if lot[e] <= limit[base + bit]:
                        asked |= _ONE << np.uint64(bit)
                asked &= member[a]
                if asked == _NONE or not _hear(
                    runs[2 * j : 2 * j + 3], who, near, member, windows, heard, asked
                ):
                    continue
                for w in range(len(windows)):
                    votes = (heard[0, w] ^ heard[1, w]) & asked
                    if votes == _NONE or reach[e] < windows[w]:
                        continue
                    votes &= ~_rivals(e, windows[w], when, control, lot, giver, member)
                    slot = ((w * 2 + late[e]) * 2 + (1 if control[e] else 0)) * 2
                    for side in range(2):
                        for i in range(runs[2 * j + side], runs[2 * j + side + 1]):
                            if near[i] > windows[w] or votes == _NONE:
                                break
                            bits = votes & member[who[i]]
                            votes ^= bits
                            while bits != _NONE:
                                if used == len(key):
                                    place, key = _longer(place), _longer(key)
                                lowest = bits & (~bits + _ONE)
                                place[used] = base + _PLACE[(lowest * _DE_BRUIJN) >> _TOP]
                                key[used] = vote_key(slot + side, a, who[i])
                                bits ^= lowest
                                used += 1
        for s in range(n_some):
            member[some[s]] = _NONE
    return place[:used].copy(), key[:used].copy()


@nb.njit(cache=True, nogil=True)
def vote_key(slot, one, other):  # type: ignore[no-untyped-def]  # numba infers
    """One number for the slot of a vote and the two units that give it."""
    return (np.int64(slot) << SLOT) | (np.int64(min(one, other)) << UNIT) | np.int64(max(one, other))


@nb.njit(cache=True, nogil=True)
def _enter(own, hub_ptr, hub_units, member, some):  # type: ignore[no-untyped-def]  # numba infers
    """Write down in ``member`` which of some hubs each unit belongs to, and in ``some`` who does; how many do."""
    n = 0
    for bit in range(len(own)):
        for i in range(hub_ptr[own[bit]], hub_ptr[own[bit] + 1]):
            u = hub_units[i]
            if member[u] == _NONE:
                some[n] = u
                n += 1
            member[u] |= _ONE << np.uint64(bit)
    return n


@nb.njit(cache=True, nogil=True)
def _hear(runs, who, near, member, windows, heard, asked):  # type: ignore[no-untyped-def]  # numba infers
    """In which hubs somebody is heard on each side within each window; whether in one of those ``asked`` for."""
    told = _NONE
    for side in range(2):
        sofar = _NONE
        w = 0
        for i in range(runs[side], runs[side + 1]):
            while w < len(windows) and near[i] > windows[w]:
                heard[side, w] = sofar
                w += 1
            sofar |= member[who[i]]
        while w < len(windows):
            heard[side, w] = sofar
            w += 1
        told |= sofar
    return told & asked != _NONE


@nb.njit(cache=True, nogil=True)
def _rivals(e, width, when, control, lot, giver, member):  # type: ignore[no-untyped-def]  # numba infers
    """Hubs in which another event of its kind has a lower lot than an event whose window overlaps that one's.

    An event with a lower lot is drawn in every hub in which this one is, so its limit need not be asked.
    """
    out = _NONE
    for step in (-1, 1):
        k = e + step
        while 0 <= k < len(when) and abs(when[k] - when[e]) < 2 * width:
            if lot[k] < lot[e] and control[k] == control[e]:
                out |= member[giver[k]]
            k += step
    return out


@nb.njit(cache=True, nogil=True)
def _longer(column):  # type: ignore[no-untyped-def]  # numba infers
    out = np.empty(2 * len(column), column.dtype)
    out[: len(column)] = column
    return out


@nb.njit(cache=True, nogil=True)
def _grouped(place, key, n):  # type: ignore[no-untyped-def]  # numba infers
    """Keys by place in compressed rows."""
    ptr = np.zeros(n + 1, np.int64)
    for p in place:
        ptr[p + 1] += 1
    ptr = np.cumsum(ptr)
    free, keys = ptr[:-1].copy(), np.empty(len(key), np.int64)
    for i in range(len(key)):
        keys[free[place[i]]] = key[i]
        free[place[i]] += 1
    return ptr, keys
