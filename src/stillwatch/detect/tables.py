"""What detect asks of an engine: tables by name, one kind of expression, results as Arrow.

Every relational step is written once, as an Ibis expression over named tables, and an engine compiles it: the
embedded one on this machine, or a cluster. What the two must agree on is settled here and in the expressions, not
left to them:

* rows have an order, that of column ``seq``; whatever comes back is sorted by columns that name a row, or by `seq`;
* only integers are added up; a quotient is taken once, of two integers, at the end;
* digests and hashes come from `stillwatch.detect.digest`, never from an engine;
* integer division is of non-negative numbers below 2^53 that count from the start of the traffic, so that a float
  quotient, which is how both engines divide, is rounded down to the right integer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

Columns = Mapping[str, np.ndarray]
"""Columns of some rows by name, equally long."""


class Engine(Protocol):
    """Where the exchanges of a scan lie; implemented in `stillwatch.store`."""

    @property
    def salts(self) -> int:
        """Parts, a power of two, into which the ranking of a large group is dealt first; 1 where it gains nothing."""

    @property
    def in_process(self) -> bool:
        """Whether the rows lie in this process, where a whole column is an array for the asking.

        On a cluster they lie elsewhere: values are counted there, and only what is shared comes here.
        """

    def close(self) -> None:
        """Let go of everything."""

    def table(self, name: str) -> Any:
        """A table as an expression."""

    def local(self, rows: pa.Table) -> Any:
        """A small table of ours as an expression, to join with."""

    def arrow(self, expression: Any) -> pa.Table:
        """Run an expression. The order of rows is that of its last ``order_by``, and none without."""

    def column(self, name: str, column: str) -> np.ndarray:
        """One column of a table in order of ``seq``."""

    def kept(self, expression: Any) -> AbstractContextManager[Any]:
        """The result of an expression as a table, for as long as the context lasts."""

    def drop(self, name: str) -> None:
        """Forget a table."""

    def discard(self, name: str, seqs: Any) -> None:
        """Take the rows out of a table whose ``seq`` an expression of one column names."""

    def widen(
        self, name: str, reads: Sequence[str], add: Callable[[Columns], Columns], new: pa.Schema
    ) -> None:
        """Set more columns beside those of a table, or in their place.

        ``add`` gets columns ``reads`` of some rows and returns columns ``new`` of the same rows. It may be called
        any number of times, in any process, so what it returns for a row must depend on that row alone.
        """


def fetched(engine: Engine, expression: Any) -> dict[str, np.ndarray]:
    """The result of an expression as arrays by column name."""
    table = engine.arrow(expression)
    return {name: table.column(name).to_numpy() for name in table.column_names}


def smallest(rows: Any, by: Sequence[str], column: str, most: int, salts: int) -> Any:
    """The ``most`` smallest values of integer ``column`` in each group of distinct rows.

    One group may hold most of the rows there are, and a ranking puts a group in one place. With ``salts`` it is first
    dealt into that many parts by the low bits of the value; the smallest of all are among the smallest of the parts.
    """
    if salts > 1:
        rows = _ranked(rows.mutate(_salt=rows[column] & (salts - 1)), [*by, "_salt"], column, most).drop(
            "_salt"
        )
    return _ranked(rows, by, column, most)


def _ranked(rows: Any, by: Sequence[str], column: str, most: int) -> Any:
    import ibis

    placed = rows.mutate(_place=ibis.row_number().over(group_by=list(by), order_by=rows[column]))
    return placed.filter(placed["_place"] < most).drop("_place")
