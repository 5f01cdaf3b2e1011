"""The embedded engine: an in-memory DuckDB behind Ibis, with bounded memory and a folder to spill to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

ROWS_AT_ONCE = 4_000_000
"""Rows whose narrow columns are held as arrays at one time."""


def open_backend(threads: int, memory_limit: str, spill: str | None) -> DuckEngine:
    """Open the engine.

    Args
    ----
    threads: 0 = every core.
    memory_limit: as DuckDB writes it, for example ``8GB``.
    spill: folder for what does not fit into memory; None keeps DuckDB's default.

    >>> engine = open_backend(1, "1GB", None)
    >>> engine.con.execute("SELECT 1").fetchone()
    (1,)
    """
    backend = ibis.duckdb.connect()
    if threads:
        backend.con.execute(f"SET threads = {int(threads)}")
    backend.con.execute(f"SET memory_limit = '{memory_limit}'")
    if spill:
        backend.con.execute("SET temp_directory = ?", [spill])
    backend.con.execute("SET preserve_insertion_order = true")
    backend.con.execute("SET enable_progress_bar = false")  # its bar would stand between the lines of --json
    backend.con.execute("SET TimeZone = 'UTC'")
    return DuckEngine(backend)


class DuckEngine:
    """Tables in this process. They keep the order of input, which is that of ``seq``.

    >>> engine = open_backend(1, "1GB", None)
    >>> engine.append("t", pa.table({"seq": [0, 1], "x": [5, 7]}))
    >>> engine.widen("t", engine.table("t"), ["x"], lambda c: {"y": c["x"] * 2}, pa.schema([("y", pa.int64())]))
    >>> engine.column("t", "y").tolist()
    [10, 14]
    """

    salts = 1

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.con = backend.con
        """DuckDB's own connection."""
        self._made = 0

    def close(self) -> None:
        """Let go of everything."""
        self.backend.disconnect()

    def table(self, name: str) -> Any:
        """A table as an expression."""
        return self.backend.table(name)

    def local(self, rows: pa.Table) -> Any:
        """A small table of ours as an expression."""
        name = self._name()
        self.con.register(name, rows)
        return self.backend.table(name)

    def arrow(self, expression: Any) -> pa.Table:
        """Run an expression."""
        return self.backend.to_pyarrow(expression)

    def column(self, name: str, column: str) -> np.ndarray:
        """One column of a table in row order, which is that of ``seq``."""
        got: np.ndarray = self.con.sql(f'SELECT "{column}" FROM {name}').to_arrow_table().column(0).to_numpy()  # noqa: S608
        return got

    @contextmanager
    def kept(self, expression: Any) -> Iterator[Any]:
        """The result of an expression as a table."""
        name = self._name()
        self.con.execute(f"CREATE TEMP TABLE {name} AS {self.backend.compile(expression)}")
        try:
            yield self.backend.table(name)
        finally:
            self.drop(name)

    def _name(self) -> str:
        self._made += 1
        return f"_made_{self._made}"

    def append(self, name: str, rows: pa.Table) -> None:
        """Add rows to a table, which is made when there is none."""
        self.con.register("_batch", rows)
        self.con.execute(f"CREATE TABLE IF NOT EXISTS {name} AS SELECT * FROM _batch LIMIT 0")  # noqa: S608
        self.con.execute(f"INSERT INTO {name} SELECT * FROM _batch")  # noqa: S608
        self.con.unregister("_batch")

    def drop(self, name: str) -> None:
        """Forget a table."""
        self.con.execute(f"DROP TABLE {name}")

    def discard(self, name: str, seqs: Any) -> None:
        """Take rows out of a table, in place."""
        self.con.execute(f"DELETE FROM {name} WHERE seq IN ({self.backend.compile(seqs)})")  # noqa: S608

    def widen(
        self, name: str, source: Any, reads: Sequence[str], add: Callable[[Mapping[str, np.ndarray]], Any],
        new: pa.Schema,
    ) -> None:  # fmt: skip
        """Make table ``name`` of the rows of an expression with more columns set beside them, row by row."""
        query = self.backend.compile(source)
        narrow = self.con.sql(self.backend.compile(source.select(*reads)))
        rows = narrow.to_arrow_reader(ROWS_AT_ONCE)
        parts = []
        for batch in rows:
            got = add({column: batch.column(column).to_numpy() for column in reads})
            parts.append(pa.RecordBatch.from_arrays([pa.array(got[f.name], f.type) for f in new], schema=new))
        self.con.register("_beside", pa.Table.from_batches(parts, schema=new))
        self.con.execute(f"CREATE TABLE _wide AS SELECT * FROM ({query}) POSITIONAL JOIN _beside")  # noqa: S608
        self.con.unregister("_beside")
        self.con.execute(f"DROP TABLE IF EXISTS {name}")
        self.con.execute(f"ALTER TABLE _wide RENAME TO {name}")
