"""Numbers that signed requests used once, in one SQLite file: a request that was heard is not heard again."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from stillwatch.errors import UpstreamError

_TABLE = "create table if not exists nonces (key_id text, nonce text, at integer, primary key (key_id, nonce)) strict"


@dataclass(frozen=True, slots=True)
class Nonces:
    """A file on a local disk; a restart does not empty it."""

    path: Path
    wait_s: float = 30.0

    def fresh(self, key_id: str, nonce: str, at: int, oldest: int) -> bool:
        """Whether a key uses a number for the first time; it is used from now on. What is older is forgotten.

        Raises:
            UpstreamError: the file cannot be written; then nothing may be answered.
        """
        if not self.path.exists():
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))
        try:
            with closing(sqlite3.connect(self.path, timeout=self.wait_s, isolation_level=None)) as connection:
                connection.execute("pragma synchronous = full")
                connection.execute("begin immediate")
                connection.execute(_TABLE)
                connection.execute("delete from nonces where at < ?", (oldest,))
                made = connection.execute(
                    "insert or ignore into nonces values (?, ?, ?)", (key_id, nonce, at)
                )
                connection.execute("commit")
                return made.rowcount == 1
        except sqlite3.Error as error:
            raise UpstreamError(
                f"the file of used numbers cannot be used: {error}",
                hint="look at the folder, its space and rights",
            ) from error


__all__ = ["Nonces"]
