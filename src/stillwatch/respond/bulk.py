"""Many rows at a time, the same on both databases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table

One = TypeVar("One")
ROWS = 400
"""Rows in one statement: SQLite takes 32,766 values, PostgreSQL 65,535."""


def parts(items: Sequence[One], size: int = ROWS) -> Iterator[Sequence[One]]:
    """Consecutive parts of a list.

    >>> list(parts([1, 2, 3], 2))
    [[1, 2], [3]]
    """
    for at in range(0, len(items), size):
        yield items[at : at + size]


def insert(conn: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, many at a time; all must have the same keys.

    SQLite takes one statement again and again, which is compiled once. Over a network many rows in a statement save
    the way there and back.
    """
    if rows and conn.dialect.name == "sqlite":
        conn.execute(table.insert(), list(rows))
        return
    for part in parts(rows):
        conn.execute(table.insert().values(list(part)))
