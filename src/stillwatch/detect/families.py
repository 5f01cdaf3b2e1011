"""Which template family and which payload each exchange belongs to.

Every exchange carries up to ten template keys (see `stillwatch.detect.kernel`). Its *family* is the one that
most units share, so that a template whose slot values change stays one family. Its *payload* is its longest
sentence, unless that sentence belongs to the template, then the whole prompt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detect.kernel import TEMPLATE_KEYS
from stillwatch.detect.tables import Columns
from stillwatch.detect.traffic import Traffic

MIN_UNITS = 3
FEW = 100_000
"""Rows for which a sorted table is searched; for more of them it is hashed first."""
_NEW = pa.schema([("family", pa.int64()), ("payload", pa.int64())])


def _support(traffic: Traffic, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Values of a key column that at least two units and three exchanges show, sorted, and how many units do."""
    t = traffic.table().select("unit", value=column)
    t = t.filter(t.value != 0)
    edges = t.group_by("value", "unit").agg(rows=t.count())
    support = edges.group_by("value").agg(units=edges.count(), rows=edges["rows"].sum())
    support = support.filter(support.rows >= 3, support.units > 1)
    got = traffic.fetch(support.select("value", "units").order_by("value"))
    return got["value"], got["units"]


def look_up(values: np.ndarray, table: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weight of each value in a sorted table; 0 when absent."""
    if not len(table):
        return np.zeros(len(values), weights.dtype)
    at = pc.index_in(pa.array(values), value_set=pa.array(table)).fill_null(-1).to_numpy()
    return np.where(at >= 0, weights[at], 0)


def _shared_by(values: np.ndarray, table: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Units that share each value: `look_up` without hashing the table for a handful of rows."""
    if not len(table) or len(values) > FEW:
        return look_up(values, table, units)
    at = np.minimum(np.searchsorted(table, values), len(table) - 1)
    return np.where(table[at] == values, units[at], 0)


@dataclass(frozen=True)
class _Assign:
    """Family and payload of each exchange, from what its keys' values are shared by."""

    templates: dict[str, tuple[np.ndarray, np.ndarray]]
    longest: tuple[np.ndarray, np.ndarray]

    def __call__(self, rows: Columns) -> Columns:
        longest, full = rows["longest"], rows["full"]
        family = np.zeros(len(full), np.int64)
        best = np.zeros(len(full), np.int64)
        for column, (values, units) in self.templates.items():
            keys = rows[column]
            support = _shared_by(keys, values, units)
            better = support > best
            family[better] = keys[better]
            best = np.maximum(best, support)
        shared = _shared_by(longest, *self.longest)
        most = np.where(best >= 10, shared * 5 >= best, shared * 2 > best)
        in_template = most & (shared > 2)
        return {"family": family, "payload": np.where((longest == 0) | in_template, full, longest)}


def assign_families(traffic: Traffic) -> None:
    """Fill ``exchange.family`` and ``exchange.payload``; 0 = none.

    What a value is shared by is looked up row by row in tables of the shared values alone: nothing is joined or moved.
    """
    templates = {}
    for column in TEMPLATE_KEYS:
        values, units = _support(traffic, column)
        keep = units >= MIN_UNITS
        templates[column] = (values[keep], units[keep].astype(np.int64))
    values, units = _support(traffic, "longest")
    assign = _Assign(templates, (values, units.astype(np.int64)))
    t = traffic.table()
    traffic.engine.widen("exchange", t, [*TEMPLATE_KEYS, "longest", "full"], assign, _NEW)
