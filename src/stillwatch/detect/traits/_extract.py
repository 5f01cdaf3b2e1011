"""Extraction shared by the token traits: group-bys over the exchange table, account columns, cue masks."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from stillwatch.detect.families import shared
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import Tokens


def fetch(traffic: Traffic, expression: Any) -> Tokens:
    """Run an expression with columns unit, value, count; rows in a fixed order."""
    got = traffic.fetch(expression.order_by("unit", "value"))
    types = (("unit", np.int32), ("value", np.int64), ("count", np.int64))
    return Tokens(*(got[name].astype(kind, copy=False) for name, kind in types))


def column_tokens(traffic: Traffic, column: str, *, where: Any = None) -> Tokens:
    """Values of one exchange column per unit, with exchange counts; 0 is left out."""
    t = traffic.table()
    t = t.filter(t[column] != 0) if where is None else t.filter(t[column] != 0, where(t))
    return fetch(traffic, t.group_by("unit", value=t[column].cast("int64")).agg(count=t.count()))


def shared_keys(traffic: Traffic, columns: tuple[str, ...]) -> Tokens:
    """Values of the given key columns that at least two units and three exchanges show, per unit.

    One sentence may stand in two columns (the second of two is also the last); it is one value, and its
    count is the larger of the two.
    """
    found = Tokens.empty()
    for column in columns:
        mine = traffic.cache.pop(f"shared {column}", None) or shared(traffic, column)
        found = Tokens(*_merged(found.unit, found.value, found.count, mine.unit, mine.value, mine.count))
    return found


@nb.njit(cache=True, nogil=True)
def _merged(unit, value, count, more_unit, more_value, more_count):  # type: ignore[no-untyped-def]  # numba infers
    """Two lists of tokens that are sorted by unit and value, as one; the larger count of what is in both."""
    n, m = len(unit), len(more_unit)
    units = np.empty(n + m, np.int32)
    values = np.empty(n + m, np.int64)
    counts = np.empty(n + m, np.int64)
    i, j, k = 0, 0, 0
    while i < n or j < m:
        ours = j == m or (
            i < n and (unit[i] < more_unit[j] or (unit[i] == more_unit[j] and value[i] <= more_value[j]))
        )
        if ours:
            both = j < m and unit[i] == more_unit[j] and value[i] == more_value[j]
            units[k], values[k], counts[k] = unit[i], value[i], count[i]
            if both:
                counts[k] = max(count[i], more_count[j])
                j += 1
            i += 1
        else:
            units[k], values[k], counts[k] = more_unit[j], more_value[j], more_count[j]
            j += 1
        k += 1
    return units[:k].copy(), values[:k].copy(), counts[:k].copy()


def kind_mask(traffic: Traffic, kind: str) -> int:
    """Bit mask of all cue families of one kind."""
    return sum(1 << f.bit for f in traffic.lexicon.families if f.kind == kind)


def account_tokens(traffic: Traffic, values: np.ndarray) -> Tokens:
    """Values of an account column per unit, one count an account; 0 is left out."""
    keep = values != 0
    unit, value = traffic.unit[keep], values[keep]
    if not len(unit):
        return Tokens.empty()
    order = np.lexsort((value, unit))
    unit, value = unit[order], value[order]
    first = np.concatenate([[True], (np.diff(unit) != 0) | (np.diff(value) != 0)])
    at = np.flatnonzero(first)
    count = np.diff(np.append(at, len(unit)))
    return Tokens(unit[at].astype(np.int32), value[at], count.astype(np.int64))
