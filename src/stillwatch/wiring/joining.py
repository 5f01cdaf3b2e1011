"""Parts of one exchange that came in several requests, put together when their journal becomes a file.

A span and the log record with its content travel apart. Of rows with one id the first that has a field gives it, as
within one request; the earlier start stands, and a named account wins over a service that stands in for one. A batch
that was sent twice becomes one as well. All of it is done column by column: a flood of one id costs no more than any.

>>> rows = pa.table({"exchange_id": ["a", "b", "a"], "account_id": ["service:x", "u", "v"], "prompt": [None, "P", "Q"]})
>>> joined(rows).to_pylist()
[{'exchange_id': 'a', 'account_id': 'v', 'prompt': 'Q'}, {'exchange_id': 'b', 'account_id': 'u', 'prompt': 'P'}]
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detect.kernel import COLUMNS
from stillwatch.ingest import SERVICE

_TEXT = frozenset({*COLUMNS, "cues", "lang", "words", "text_flags"})
_SAMPLING = frozenset({"temperature", "top_p", "n", "max_tokens", "logprobs", "seeded", "sampling"})
_CLIENT = frozenset({"ua", "hdr", "hdr_flags", "client", "client_version"})
_BLOCKS = ((_TEXT, ("full", "sys")), (_SAMPLING, ("sampling",)), (_CLIENT, ("hdr", "ua")))
"""Features that were made of one text stay together; which columns say that a row has them, the surest first."""
_COUNTED = frozenset(
    {"asn", "input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "turn", "finish"}
)
_UNSAID = 200
"""The status of a feature row that was told none."""


def joined(table: pa.Table) -> pa.Table:
    """One row for each id, in the order in which the ids came; the table itself when none comes twice.

    Args:
        table: exchanges under the contract's names, or portable features.
    """
    key = "xid" if "xid" in table.column_names else "exchange_id"
    codes = np.asarray(table[key].combine_chunks().dictionary_encode().indices)
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    if len(starts) == len(table):
        return table
    groups = _Groups(order, starts)
    columns = [_column(table, name, groups, portable=key == "xid") for name in table.column_names]
    return pa.Table.from_arrays(columns, schema=table.schema)


class _Groups:
    """Rows in order of their group, and where each group starts."""

    def __init__(self, order: np.ndarray, starts: np.ndarray) -> None:
        self._order, self._starts = order, starts

    def first(self, masks: Iterable[np.ndarray]) -> np.ndarray:
        """The first row of each group that one mask lets through; of an earlier mask rather than of a later one."""
        none = len(self._order)
        found = np.full(len(self._starts), none)
        for mask in masks:
            places = np.where(mask[self._order], np.arange(none), none)
            found = np.where(found == none, np.minimum.reduceat(places, self._starts), found)
        rows: np.ndarray = self._order[np.where(found == none, self._starts, found)]
        return rows

    def least(self, values: np.ndarray) -> np.ndarray:
        """The least value of each group."""
        least: np.ndarray = np.minimum.reduceat(values[self._order], self._starts)
        return least


def _column(table: pa.Table, name: str, groups: _Groups, *, portable: bool) -> pa.Array:
    column = table[name].combine_chunks()
    if name in ("ts", "started_at"):
        least = groups.least(np.asarray(column.cast(pa.int64())))
        return pa.array(least, pa.int64()).cast(column.type)
    if name in ("acct", "account_id"):
        named = pc.fill_null(pc.invert(pc.starts_with(column, SERVICE)), False)
        return column.take(groups.first([np.asarray(named), _given(column)]))
    for members, signs in _BLOCKS if portable else ():
        if name in members:
            return column.take(groups.first([np.asarray(table[sign]) != 0 for sign in signs]))
    return column.take(groups.first([_present(column, name) if portable else _given(column)]))


def _given(column: pa.Array) -> np.ndarray:
    return np.asarray(column.is_valid())


def _present(column: pa.Array, name: str) -> np.ndarray:
    """Where a feature is not what stands for "missing"."""
    if not pa.types.is_integer(column.type) or column.null_count:
        return _given(column)
    missing = _UNSAID if name == "status" else -1 if name in _COUNTED or name == "stream" else 0
    present: np.ndarray = np.asarray(column) != missing
    return present
