"""The embedded engine: an in-memory DuckDB behind Ibis, with bounded memory and a folder to spill to."""

from __future__ import annotations

from typing import Any

import ibis


def open_backend(threads: int, memory_limit: str, spill: str | None) -> Any:
    """Open the engine.

    Args
    ----
    threads: 0 = every core.
    memory_limit: as DuckDB writes it, for example ``8GB``.
    spill: folder for what does not fit into memory; None keeps DuckDB's default.

    >>> con = open_backend(1, "1GB", None)
    >>> con.con.execute("SELECT 1").fetchone()
    (1,)
    """
    con = ibis.duckdb.connect()
    if threads:
        con.con.execute(f"SET threads = {int(threads)}")
    con.con.execute(f"SET memory_limit = '{memory_limit}'")
    if spill:
        con.con.execute("SET temp_directory = ?", [spill])
    con.con.execute("SET preserve_insertion_order = true")
    con.con.execute("SET TimeZone = 'UTC'")
    return con
