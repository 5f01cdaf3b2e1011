"""The values of a column that several units show, counted in arrays: rows in order of unit, then value by value.

An account repeats itself, so each unit's rows are reduced to its distinct values first, in a table that stays in the
cache; what is left is dealt out by its digest into parts, each of which is counted in a table of that size as well.
So the work is a few passes over the rows, and no table grows with them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np

PART = 1 << 13
"""Marks that are counted in one table, about."""
_AT_ONCE = 256
"""Values that are looked up at one time."""
_FEW = 64
"""Slots of a unit's table before it has to grow."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Which unit shows which value how often, by unit and value; and the values, each with its units."""

    unit: np.ndarray
    value: np.ndarray
    count: np.ndarray
    values: np.ndarray
    """int64, distinct, in no order."""
    units: np.ndarray
    """int64: how many units show each of ``values``."""


@nb.njit(cache=True, nogil=True)
def by_unit(unit, n_units):  # type: ignore[no-untyped-def]  # numba infers
    """The rows of each unit, ascending, in compressed rows."""
    ptr = np.zeros(n_units + 1, np.int64)
    for u in unit:
        ptr[u + 1] += 1
    ptr = np.cumsum(ptr)
    free, rows = ptr[:-1].copy(), np.empty(len(unit), np.uint32)
    for i in range(len(unit)):
        rows[free[unit[i]]] = i
        free[unit[i]] += 1
    return ptr, rows


def shared_marks(values: np.ndarray, ptr: np.ndarray, rows: np.ndarray) -> Marks:
    """Values, other than 0, that at least two units and three rows show; digests are their own hashes.

    Args:
        values: int64, one of each row.
        ptr: with ``rows``, the rows of each unit, see `by_unit`.
    """
    start, value, count = _distinct(values, ptr, rows)
    parts = 1
    while parts * PART < len(value):
        parts *= 2
    units, distinct, support = _supported(value, count, parts)
    unit, value, count = _kept(start, value, count, units)
    return Marks(unit, value, count, distinct, support)


@nb.njit(cache=True, nogil=True)
def _distinct(values, ptr, rows):  # type: ignore[no-untyped-def]  # numba infers
    """The distinct values of each unit but 0, in compressed rows, and how many of its rows have each."""
    start = np.zeros(len(ptr), np.int64)
    # touched as far as they are used
    value, count = np.empty(len(rows), np.int64), np.empty(len(rows), np.int32)
    place, own = np.empty(_FEW, np.int32), np.empty(_AT_ONCE, np.int64)
    used = 0
    for u in range(len(ptr) - 1):
        slots, n = _FEW, 0
        place[:slots] = -1
        for i in range(ptr[u], ptr[u + 1]):
            if (i - ptr[u]) % _AT_ONCE == 0:  # looked up together, since each lies somewhere else
                for k in range(min(_AT_ONCE, ptr[u + 1] - i)):
                    own[k] = values[rows[i + k]]
            v = own[(i - ptr[u]) % _AT_ONCE]
            if v == 0:
                continue
            slot = v & (slots - 1)
            while place[slot] >= 0 and value[used + place[slot]] != v:
                slot = (slot + 1) & (slots - 1)
            if place[slot] >= 0:
                count[used + place[slot]] += 1
                continue
            value[used + n], count[used + n] = v, 1
            place[slot] = n
            n += 1
            if 2 * n > slots:
                slots *= 2
                if slots > len(place):
                    place = np.empty(slots, np.int32)
                place[:slots] = -1
                for k in range(n):
                    slot = value[used + k] & (slots - 1)
                    while place[slot] >= 0:
                        slot = (slot + 1) & (slots - 1)
                    place[slot] = k
        used += n
        start[u + 1] = used
    return start, value[:used], count[:used]


@nb.njit(cache=True, nogil=True)
def _supported(value, count, parts):  # type: ignore[no-untyped-def]  # numba infers
    """How many units show each mark's value, 0 where it is not shared; and the shared values with their units."""
    end = np.zeros(parts + 1, np.int64)
    for v in value:
        end[((v >> 32) & (parts - 1)) + 1] += 1
    most = np.max(end)
    end = np.cumsum(end)
    free, order, dealt = end[:-1].copy(), np.empty(len(value), np.uint32), np.empty(len(value), np.int64)
    for i in range(len(value)):
        part = (value[i] >> 32) & (parts - 1)
        order[free[part]], dealt[free[part]] = i, value[i]
        free[part] += 1
    slots = 8
    while slots < 2 * most:
        slots *= 2
    held, times, units = np.zeros(slots, np.int64), np.empty(slots, np.int64), np.empty(slots, np.int32)
    at = np.empty(most, np.int64)
    out = np.empty(len(value), np.int32)
    distinct, support, n = np.empty(len(value), np.int64), np.empty(len(value), np.int64), 0
    for part in range(parts):
        for i in range(end[part], end[part + 1]):
            v = dealt[i]
            slot = v & (slots - 1)
            while held[slot] != 0 and held[slot] != v:
                slot = (slot + 1) & (slots - 1)
            if held[slot] == 0:
                held[slot], times[slot], units[slot] = v, 0, 0
            times[slot] += count[order[i]]
            units[slot] += 1
            at[i - end[part]] = slot
        for i in range(end[part], end[part + 1]):
            slot = at[i - end[part]]
            good = units[slot] >= 2 and times[slot] >= 3
            out[order[i]] = units[slot] if good else 0
            if good and held[slot] != 0:
                distinct[n], support[n] = held[slot], units[slot]
                n += 1
            held[slot] = 0
    return out, distinct[:n].copy(), support[:n].copy()


@nb.njit(cache=True, nogil=True)
def _kept(start, value, count, units):  # type: ignore[no-untyped-def]  # numba infers
    """Unit, value and count of the marks whose values are shared, by unit and value."""
    total = 0
    for many in units:
        total += many > 0
    of, values, counts = np.empty(total, np.int32), np.empty(total, np.int64), np.empty(total, np.int64)
    used = 0
    for u in range(len(start) - 1):
        first = used
        for i in range(start[u], start[u + 1]):
            if units[i]:
                of[used], values[used], counts[used] = u, value[i], count[i]
                used += 1
        if used - first > _FEW:
            order = np.argsort(values[first:used])
            values[first:used], counts[first:used] = values[first:used][order], counts[first:used][order]
            continue
        for i in range(first + 1, used):
            v, many, k = values[i], counts[i], i
            while k > first and values[k - 1] > v:
                values[k], counts[k] = values[k - 1], counts[k - 1]
                k -= 1
            values[k], counts[k] = v, many
    return of, values, counts
