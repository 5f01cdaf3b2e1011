"""What members have spent, in one SQLite file: a budget that neither a restart nor two calls at once can stretch."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from stillwatch.errors import UpstreamError

_TABLE = """create table if not exists spent (
  member text not null, epoch text not null, count integer not null check (count >= 0), primary key (member, epoch)
) strict"""


@dataclass(frozen=True)
class FileLedger:
    """A ledger in a file of its own, on a local disk."""

    path: Path
    wait_s: float = 30.0
    """How long a call waits for another that is writing."""

    def spend(self, member: str, epoch: str, count: int, budget: int) -> bool:
        """Takes ``count`` units on disk before it returns, or none and says False where they would exceed ``budget``.

        Raises:
            UpstreamError: the file cannot be written; nothing was spent, and nothing may be answered.
        """
        if count <= 0:
            raise ValueError("only a positive number of units can be spent")
        with self._open() as connection:
            connection.execute("begin immediate")
            already = _spent(connection, member, epoch)
            if already + count > budget:
                connection.execute("rollback")
                return False
            connection.execute(
                "insert into spent values (?, ?, ?) on conflict do update set count = excluded.count",
                (member, epoch, already + count),
            )
            connection.execute("commit")
            return True

    def spent(self, member: str, epoch: str) -> int:
        """Units taken so far."""
        with self._open() as connection:
            return _spent(connection, member, epoch)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=self.wait_s, isolation_level=None)) as connection:
                connection.execute("pragma synchronous = full")
                connection.execute(_TABLE)
                yield connection
        except sqlite3.Error as error:
            raise UpstreamError(
                f"the ledger of budgets cannot be used: {error}",
                hint="look at the file's folder, space and rights",
            ) from error


def _spent(connection: sqlite3.Connection, member: str, epoch: str) -> int:
    row = connection.execute(
        "select count from spent where member = ? and epoch = ?", (member, epoch)
    ).fetchone()
    return int(row[0]) if row else 0


__all__ = ["FileLedger"]
