"""The journal of a hub in one SQLite file: salted entries in their order, and what may be destroyed beside them.

An entry's number is its place in the log, less one. The file's one writer at a time waits for the others; what was
committed is on the disk.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from stillwatch.errors import UpstreamError

WAIT_S = 30.0
_TABLES = """
create table if not exists entries (seq integer primary key, body blob not null, salt blob not null) strict;
create table if not exists blobs (seq integer primary key, body blob not null) strict;
create table if not exists marks (name text primary key, value integer not null) strict;
"""


class Journal:
    """A file; every use opens it anew, so that threads and processes may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        with self._open() as connection:
            connection.executescript(_TABLES)

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """One transaction: all of it is kept, or nothing; no other begins meanwhile."""
        with self._open() as connection:
            connection.execute("begin immediate")
            try:
                yield Writer(connection)
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")

    def since(self, seq: int) -> list[tuple[int, bytes, bytes]]:
        """Entries after a number: number, body, salt."""
        with self._open() as connection:
            return Writer(connection).since(seq)

    def blob(self, seq: int) -> bytes | None:
        """What is kept beside an entry."""
        with self._open() as connection:
            row = connection.execute("select body from blobs where seq = ?", (seq,)).fetchone()
        return bytes(row[0]) if row else None

    def drop(self, seqs: list[int]) -> None:
        """Destroy what is kept beside entries."""
        with self.writing() as writer:
            writer.connection.executemany("delete from blobs where seq = ?", [(seq,) for seq in seqs])

    def mark(self, name: str) -> int:
        """A number that was kept; 0 when it was not."""
        with self._open() as connection:
            row = connection.execute("select value from marks where name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def set_mark(self, name: str, value: int) -> None:
        """Keep a number."""
        with self.writing() as writer:
            writer.connection.execute("insert or replace into marks values (?, ?)", (name, value))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=WAIT_S, isolation_level=None)) as connection:
                connection.execute("pragma journal_mode = wal")
                connection.execute("pragma synchronous = full")
                connection.execute("pragma secure_delete = on")
                yield connection
        except sqlite3.Error as error:
            raise UpstreamError(
                f"the journal cannot be used: {error}", hint="look at the folder, its space and rights"
            ) from error


class Writer:
    """What may be done within a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def since(self, seq: int) -> list[tuple[int, bytes, bytes]]:
        """Entries after a number."""
        rows = self.connection.execute(
            "select seq, body, salt from entries where seq > ? order by seq", (seq,)
        )
        return [(int(s), bytes(b), bytes(salt)) for s, b, salt in rows]

    def append(self, seq: int, body: bytes, salt: bytes, blob: bytes) -> None:
        """Add the entry of a number, which is the next."""
        self.connection.execute("insert into entries values (?, ?, ?)", (seq, body, salt))
        if blob:
            self.connection.execute("insert into blobs values (?, ?)", (seq, blob))


__all__ = ["Journal"]
