"""Which template family and which payload each exchange belongs to.

Every exchange carries up to ten template keys (see `stillwatch.detect.kernel`). Its *family* is the one that
most units share, so that a template whose slot values change stays one family. Its *payload* is its longest
sentence, unless that sentence belongs to the template, then the whole prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detect.kernel import TEMPLATE_KEYS
from stillwatch.detect.marks import Marks, by_unit, shared_marks
from stillwatch.detect.tables import Columns
from stillwatch.detect.threads import spread
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import Tokens

MIN_UNITS = 3
_NEW = pa.schema([("family", pa.int64()), ("payload", pa.int64())])


def shared(traffic: Traffic, column: str) -> Tokens:
    """Values of a key column that at least two units and three exchanges show, by unit and value."""
    if traffic.engine.in_process:
        found = _marks(traffic, column, *_rows(traffic))
        return Tokens(found.unit, found.value, found.count)
    return counted_apart(traffic, column)


def counted_apart(traffic: Traffic, column: str) -> Tokens:
    """The same, counted where the rows are.

    What a value is shown by is counted first, by value alone: nearly every value of a large traffic is shown once.
    """
    t = traffic.table().select("unit", value=column)
    t = t.filter(t.value != 0)
    seen = t.group_by("value").agg(rows=t.count(), low=t.unit.min(), high=t.unit.max())
    support = seen.filter(seen.rows >= 3, seen.low != seen.high).select("value")
    t = t.semi_join(support, "value")
    got = traffic.fetch(t.group_by("unit", "value").agg(count=t.count()).order_by("unit", "value"))
    return Tokens(got["unit"], got["value"], got["count"])


def _rows(traffic: Traffic) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the exchanges of each unit, in compressed rows."""
    found: tuple[np.ndarray, np.ndarray] = by_unit(traffic.column("unit"), traffic.n_units)
    return found


def _marks(
    traffic: Traffic, column: str, ptr: np.ndarray, rows: np.ndarray, one_at_a_time: Lock | None = None
) -> Marks:
    with one_at_a_time or Lock():
        values = traffic.column(column)
    return shared_marks(values, ptr, rows)


def _supports(traffic: Traffic, columns: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Shared values of key columns, and how many units show each; traits take the rest from the cache."""
    if not traffic.engine.in_process:
        apart = [counted_apart(traffic, column) for column in columns]
        traffic.cache |= {f"shared {column}": found for column, found in zip(columns, apart, strict=True)}
        return [np.unique(found.value, return_counts=True) for found in apart]
    rows, engine = _rows(traffic), Lock()

    def of(column: str) -> tuple[np.ndarray, np.ndarray]:
        found = _marks(traffic, column, *rows, engine)
        traffic.cache[f"shared {column}"] = Tokens(found.unit, found.value, found.count)
        return found.values, found.units

    return spread(of, columns, traffic.threads)


def look_up(values: np.ndarray, table: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weight of each value in a sorted table; 0 when absent."""
    if not len(table):
        return np.zeros(len(values), weights.dtype)
    at = pc.index_in(pa.array(values), value_set=pa.array(table)).fill_null(-1).to_numpy()
    return np.where(at >= 0, weights[at], 0)


@dataclass(frozen=True)
class _Support:
    """How many units show each of some values, in an open-addressing table: digests are their own hashes."""

    values: np.ndarray
    """int64[slots]: 0 where a slot is free."""
    units: np.ndarray
    """int64[slots]."""

    @classmethod
    def of(cls, values: np.ndarray, units: np.ndarray) -> _Support:
        slots = 1 << max(4, (2 * len(values)).bit_length())
        return cls(*_laid_out(values, units.astype(np.int64), slots))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """int64: units that show each value; 0 where the table has none."""
        found: np.ndarray = _looked_up(values, self.values, self.units)
        return found


@nb.njit(cache=True, nogil=True)
def _laid_out(values, units, slots):  # type: ignore[no-untyped-def]  # numba infers
    held, of = np.zeros(slots, np.int64), np.zeros(slots, np.int64)
    for i in range(len(values)):
        at = values[i] & (slots - 1)
        while held[at] != 0:
            at = (at + 1) & (slots - 1)
        held[at], of[at] = values[i], units[i]
    return held, of


@nb.njit(cache=True, nogil=True)
def _looked_up(values, held, units):  # type: ignore[no-untyped-def]  # numba infers
    out = np.zeros(len(values), np.int64)
    for i in range(len(values)):
        at = values[i] & (len(held) - 1)
        while held[at] != 0:
            if held[at] == values[i]:
                out[i] = units[at]
                break
            at = (at + 1) & (len(held) - 1)
    return out


@dataclass(frozen=True)
class _Assign:
    """Family and payload of each exchange, from what its keys' values are shared by."""

    templates: dict[str, _Support]
    longest: _Support

    def __call__(self, rows: Columns) -> Columns:
        longest, full = rows["longest"], rows["full"]
        family = np.zeros(len(full), np.int64)
        best = np.zeros(len(full), np.int64)
        for column, support in self.templates.items():
            keys = rows[column]
            units = support(keys)
            better = units > best
            family[better] = keys[better]
            best = np.maximum(best, units)
        shared = self.longest(longest)
        most = np.where(best >= 10, shared * 5 >= best, shared * 2 > best)
        in_template = most & (shared > 2)
        return {"family": family, "payload": np.where((longest == 0) | in_template, full, longest)}


def assign_families(traffic: Traffic) -> None:
    """Fill ``exchange.family`` and ``exchange.payload``; 0 = none.

    What a value is shared by is looked up row by row in tables of the shared values alone: nothing is joined or moved.
    """
    *of_templates, of_longest = _supports(traffic, (*TEMPLATE_KEYS, "longest"))
    templates = {}
    for column, (values, units) in zip(TEMPLATE_KEYS, of_templates, strict=True):
        keep = units >= MIN_UNITS
        templates[column] = _Support.of(values[keep], units[keep])
    assign = _Assign(templates, _Support.of(*of_longest))
    traffic.engine.widen("exchange", [*TEMPLATE_KEYS, "longest", "full"], assign, _NEW)
