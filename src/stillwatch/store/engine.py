"""The embedded engine: an in-memory DuckDB behind Ibis, with bounded memory and a folder to spill to.

Its tables are compressed, a part of the rows at a time: a column that no log fills costs next to nothing, and rows of
features take about half of what they do otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

ROWS_AT_ONCE = 1_000_000
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
    backend.con.execute("ATTACH ':memory:' AS run (COMPRESS)")
    backend.con.execute("USE run")
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
    >>> engine.widen("t", ["x"], lambda c: {"y": c["x"] * 2}, pa.schema([("y", pa.int64())]))
    >>> engine.column("t", "y").tolist()
    [10, 14]
    """

    salts = 1
    in_process = True

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

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Rows come in great number, and other threads have work meanwhile.

        One thread takes them: of several, each lays up a part of its own, which costs twice the processor time.
        """
        ((threads,),) = self.con.execute("SELECT current_setting('threads')").fetchall()
        self.con.execute("SET threads = 1")
        try:
            yield
        finally:
            self.con.execute(f"SET threads = {int(threads)}")

    def append(self, name: str, rows: pa.Table) -> None:
        """Add rows to a table, which is made when there is none."""
        self.con.register("_batch", rows)
        self.con.execute(f"CREATE TABLE IF NOT EXISTS {name} AS SELECT * FROM _batch LIMIT 0")  # noqa: S608
        self.con.execute(f"INSERT INTO {name} SELECT * FROM _batch")  # noqa: S608
        self.con.unregister("_batch")
        self._compress()

    def _compress(self) -> None:
        """Compress what was added or changed since the last time."""
        self.con.execute("CHECKPOINT run")

    def drop(self, name: str) -> None:
        """Forget a table."""
        self.con.execute(f"DROP TABLE {name}")

    def discard(self, name: str, seqs: Any) -> None:
        """Take rows out of a table, in place."""
        self.con.execute(f"DELETE FROM {name} WHERE seq IN ({self.backend.compile(seqs)})")  # noqa: S608

    def widen(
        self, name: str, reads: Sequence[str], add: Callable[[Mapping[str, np.ndarray]], Any], new: pa.Schema
    ) -> None:
        """Set more columns beside those of a table, or in their place, by rows of like ``seq``."""
        self.con.register("_beside", new.empty_table())
        for field, kind in zip(new.names, self.con.sql("FROM _beside").types, strict=True):
            self.con.execute(f'ALTER TABLE {name} ADD COLUMN IF NOT EXISTS "{field}" {kind}')
        read = ", ".join(f'"{column}"' for column in ("seq", *reads))
        values = ", ".join(f'"{field}" = _beside."{field}"' for field in new.names)
        ((last,),) = self.con.execute(f"SELECT coalesce(max(seq), -1) FROM {name}").fetchall()  # noqa: S608
        for first in range(0, last + 1, ROWS_AT_ONCE):
            part = f"{name}.seq >= {first} AND {name}.seq < {first + ROWS_AT_ONCE}"
            rows = self.con.sql(f"SELECT {read} FROM {name} WHERE {part}").to_arrow_table()  # noqa: S608
            got = add({column: rows.column(column).to_numpy() for column in reads})
            made = [rows.column("seq").combine_chunks(), *(pa.array(got[f.name], f.type) for f in new)]
            self.con.register("_beside", pa.table(made, names=["seq", *new.names]))
            self.con.execute(
                f"UPDATE {name} SET {values} FROM _beside WHERE {name}.seq = _beside.seq AND {part}"  # noqa: S608
            )
            self._compress()
        self.con.unregister("_beside")
