"""Extraction shared by the token traits: group-bys over the exchange table, account columns, cue masks."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from stillwatch.detect.families import shared
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import Tokens

_BEHIND = np.iinfo(np.int64).max
"""Behind every unit: where a list is at its end."""


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
    found = [traffic.cache.pop(f"shared {column}", None) or shared(traffic, column) for column in columns]
    ends = np.cumsum([len(tokens.unit) for tokens in found])
    unit, value, count = (
        np.concatenate([getattr(tokens, name) for tokens in found]) for name in ("unit", "value", "count")
    )
    del found
    return Tokens(*_merged(unit, value, count, ends))


@nb.njit(cache=True, nogil=True)
def _merged(unit, value, count, ends):  # type: ignore[no-untyped-def]  # numba infers
    """Lists of tokens, each sorted by unit and value, as one; the largest count of what is in several.

    The lists lie end to end: that of number ``j`` ends before ``ends[j]``.
    """
    at, units, values = (
        np.zeros(len(ends), np.int64),
        np.zeros(len(ends), np.int64),
        np.zeros(len(ends), np.int64),
    )
    for j in range(len(ends)):
        at[j] = ends[j - 1] if j else 0
        units[j] = _BEHIND
        if at[j] < ends[j]:
            units[j], values[j] = unit[at[j]], value[at[j]]
    out_unit, out_value = np.empty(len(unit), np.int32), np.empty(len(unit), np.int64)
    out_count = np.empty(len(unit), np.int64)
    k = 0
    for _ in range(len(unit)):
        first = 0
        for j in range(1, len(ends)):
            if units[j] < units[first] or (units[j] == units[first] and values[j] < values[first]):
                first = j
        i = at[first]
        if k and out_unit[k - 1] == unit[i] and out_value[k - 1] == value[i]:
            out_count[k - 1] = max(out_count[k - 1], count[i])
        else:
            out_unit[k], out_value[k], out_count[k] = unit[i], value[i], count[i]
            k += 1
        i += 1
        at[first] = i
        units[first] = _BEHIND
        if i < ends[first]:
            units[first], values[first] = unit[i], value[i]
    return out_unit[:k].copy(), out_value[:k].copy(), out_count[:k].copy()


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
