"""Extraction shared by the token traits: Ibis group-bys over the exchange table and account columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from stillwatch.detect.trait import Tokens
from stillwatch.detect.traffic import Traffic


def fetch(traffic: Traffic, expression: Any) -> Tokens:
    """Run an expression with columns unit, value, count; rows in a fixed order."""
    table = traffic.con.to_pyarrow(expression).sort_by([("unit", "ascending"), ("value", "ascending")])
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
