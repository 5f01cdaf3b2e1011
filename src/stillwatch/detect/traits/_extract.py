"""Extraction shared by the token traits: group-bys over the exchange table, account columns, cue masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import Tokens


def fetch(traffic: Traffic, expression: Any) -> Tokens:
    """Run an expression with columns unit, value, count; rows in a fixed order."""
    table = traffic.engine.arrow(expression).sort_by([("unit", "ascending"), ("value", "ascending")])
    return Tokens(
        table.column("unit").to_numpy().astype(np.int32),
        table.column("value").to_numpy().astype(np.int64),
        table.column("count").to_numpy().astype(np.int64),
    )


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
    parts = []
    for column in columns:
        t = traffic.table().select("unit", value=column)
        t = t.filter(t.value != 0)
        edges = t.group_by("unit", "value").agg(count=t.count())
        support = edges.group_by("value").agg(units=edges.count(), rows=edges["count"].sum())
        support = support.filter(support.rows >= 3, support.units > 1).select("value")
        parts.append(fetch(traffic, edges.semi_join(support, "value")))
    unit = np.concatenate([p.unit for p in parts])
    value = np.concatenate([p.value for p in parts])
    count = np.concatenate([p.count for p in parts])
    if not len(unit):
        return Tokens.empty()
    order = np.lexsort((value, unit))
    unit, value, count = unit[order], value[order], count[order]
    at = np.flatnonzero(np.concatenate([[True], (np.diff(unit) != 0) | (np.diff(value) != 0)]))
    return Tokens(unit[at], value[at], np.maximum.reduceat(count, at))


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
