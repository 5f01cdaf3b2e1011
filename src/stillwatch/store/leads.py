"""The file in which leads lie: what was pulled from whom, how far, what was withdrawn, and what rested on it.

SQLite, its owner's alone: it says who is suspected by whom. A page and how far it reaches are kept in one transaction,
so that a pull that is killed goes on where it ended and a page that is read twice counts once.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError

FORM = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS about (one INTEGER PRIMARY KEY CHECK (one = 1), form INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS source (
    name TEXT PRIMARY KEY, place TEXT NOT NULL, added_after TEXT NOT NULL, pulled_at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS object (
    source TEXT NOT NULL, object_id TEXT NOT NULL, type TEXT NOT NULL, version_ns INTEGER NOT NULL,
    level INTEGER NOT NULL, author TEXT NOT NULL, withdrawn INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (source, object_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS withdrawal (
    source TEXT NOT NULL, object_id TEXT NOT NULL, heard_at TEXT NOT NULL, person TEXT, at TEXT,
    PRIMARY KEY (source, object_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rested (
    object_id TEXT NOT NULL, run_id TEXT NOT NULL, campaign_id TEXT NOT NULL, run TEXT NOT NULL,
    PRIMARY KEY (object_id, run_id, campaign_id)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """An object as it is kept: its newest version."""

    source: str
    object_id: str
    type: str
    version_ns: int
    level: int
    author: str
    withdrawn: bool
    body: bytes


class LeadFile:
    """The file, opened."""

    def __init__(self, path: Path, *, make: bool = False) -> None:
        if make:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        elif not path.is_file():
            raise ConfigError(f"{path.name} is not there", hint="stillwatch share pull makes it")
        self._conn = sqlite3.connect(path, timeout=20.0, isolation_level=None)
        try:
            self._conn.execute("PRAGMA synchronous = FULL")
            with self._writing():
                for statement in filter(str.strip, _TABLES.split(";")):
                    self._conn.execute(statement)
                self._conn.execute("INSERT OR IGNORE INTO about VALUES (1, ?)", (FORM,))
                form = self._conn.execute("SELECT form FROM about").fetchone()[0]
        except sqlite3.DatabaseError as error:
            self._conn.close()
            raise ConfigError(f"{path.name} is no file of leads", hint="name another one") from error
        if form != FORM:
            self._conn.close()
            raise ConfigError(f"{path.name} has form {form}", hint="use the version that wrote it")

    def close(self) -> None:
        """Let go of it."""
        self._conn.close()

    def __enter__(self) -> LeadFile:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        self._conn.execute("BEGIN IMMEDIATE")
        try:
            yield self._conn
        except BaseException:
            self._conn.execute("ROLLBACK")
            raise
        self._conn.execute("COMMIT")

    def reached(self, source: str, place: str) -> str:
        """How far a source was read; from the beginning when it points at another place now."""
        row = self._conn.execute("SELECT place, added_after FROM source WHERE name = ?", (source,)).fetchone()
        return str(row[1]) if row and row[0] == place else ""

    def keep(self, source: str, place: str, page: Iterable[Kept], reached: str, now: str) -> dict[str, int]:
        """Keep a page and how far it reaches; how many were new, passed over, withdrawn.

        An older version than the one that is here, one after a withdrawal, and one by another author are passed over.
        """
        told = {"kept": 0, "passed_over": 0, "withdrawn": 0}
        with self._writing() as conn:
            for one in page:
                before = conn.execute(
                    "SELECT version_ns, author, withdrawn FROM object WHERE source = ? AND object_id = ?",
                    (source, one.object_id),
                ).fetchone()
                if before and (before[0] >= one.version_ns or before[1] != one.author or before[2]):
                    told["passed_over"] += 1
                    continue
                conn.execute(
                    "INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        source,
                        one.object_id,
                        one.type,
                        one.version_ns,
                        one.level,
                        one.author,
                        one.withdrawn,
                        one.body,
                    ),
                )
                told["kept"] += 1
                if one.withdrawn and before:
                    told["withdrawn"] += 1
                    conn.execute(
                        "INSERT OR IGNORE INTO withdrawal VALUES (?, ?, ?, NULL, NULL)",
                        (source, one.object_id, now),
                    )
            if reached:
                conn.execute(
                    "INSERT OR REPLACE INTO source VALUES (?, ?, ?, ?)", (source, place, reached, now)
                )
        return told

    def objects(self, *types: str) -> list[Kept]:
        """What is kept of some types, newest version each."""
        rows = self._conn.execute(
            "SELECT * FROM object WHERE type IN (SELECT value FROM json_each(?)) ORDER BY source, object_id",
            (json.dumps(types),),
        )
        return [_kept(row) for row in rows]

    def find(self, object_id: str) -> Kept:
        """One object; an error when nobody shared it."""
        row = self._conn.execute("SELECT * FROM object WHERE object_id = ?", (object_id,)).fetchone()
        if row is None:
            raise ConfigError("no such object among the leads", hint="stillwatch share leads lists them")
        return _kept(row)

    def rest(self, rows: Iterable[tuple[str, str, str, str]]) -> None:
        """Write down which campaigns had which leads beside them: object, run id, campaign, run's folder."""
        with self._writing() as conn:
            conn.executemany("INSERT OR IGNORE INTO rested VALUES (?, ?, ?, ?)", rows)

    def withdrawals(self, *, open_only: bool) -> list[dict[str, Any]]:
        """Withdrawals, oldest first, each with what rested on the object."""
        found = []
        for row in self._conn.execute(
            "SELECT * FROM withdrawal WHERE person IS NULL OR NOT ? ORDER BY heard_at, object_id",
            (open_only,),
        ).fetchall():
            rested = self._conn.execute(
                "SELECT run_id, campaign_id, run FROM rested WHERE object_id = ? ORDER BY run, campaign_id",
                (row[1],),
            ).fetchall()
            found.append({
                "source": row[0], "object_id": row[1], "heard_at": row[2], "acknowledged_by": row[3],
                "acknowledged_at": row[4],
                "rested": [{"run_id": r[0], "campaign_id": r[1], "run": r[2]} for r in rested],
            })  # fmt: skip
        return found

    def acknowledge(self, source: str, object_id: str, by: str, at: str) -> None:
        """Somebody has heard of it and acted."""
        with self._writing() as conn:
            conn.execute(
                "UPDATE withdrawal SET person = ?, at = ? WHERE source = ? AND object_id = ?",
                (by, at, source, object_id),
            )


def _kept(row: tuple[Any, ...]) -> Kept:
    source, object_id, kind, version_ns, level, author, withdrawn, body = row
    return Kept(source, object_id, kind, version_ns, level, author, bool(withdrawn), bytes(body))


__all__ = ["Kept", "LeadFile"]
