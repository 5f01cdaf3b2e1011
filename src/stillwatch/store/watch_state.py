"""What a watch remembers: features of exchanges as Parquet by day, and a small ledger that says which of them count.

A *portion* is what one step read. Its feature files are written first and made durable, then one transaction of the
ledger (SQLite) says that they count, how far each log was read, and what was refused. A process that is killed
before that leaves files that the ledger does not name; they are removed when the state is opened, and the portion is
read again. So every line counts once, wherever a process dies.

``features/day=YYYY-MM-DD/features-*.parquet`` are ordinary feature files: `stillwatch scan` reads the folder as it is.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import ConfigError, StillwatchError
from stillwatch.store.folders import sync_folder

VERSION = 2
DATABASE = "watch.sqlite"
FEATURES = "features"
DAY_US = 86_400_000_000
MOST_REFUSED = 100_000
"""Refusals that are kept with source and line; beyond it they are only counted."""
_ROWS = 65_536
_MARK = "name, identity, offset, lines, size, modified_ns, head, tail, format, note"
_TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE portion (
    number INTEGER PRIMARY KEY, at TEXT NOT NULL, rows INTEGER NOT NULL, late INTEGER NOT NULL,
    skipped INTEGER NOT NULL, reasons TEXT NOT NULL);
CREATE TABLE segment (
    name TEXT PRIMARY KEY, day TEXT NOT NULL, first INTEGER NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
    last_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE mark (
    name TEXT PRIMARY KEY, identity TEXT NOT NULL, offset INTEGER NOT NULL, lines INTEGER NOT NULL,
    size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, head TEXT NOT NULL, tail TEXT NOT NULL,
    format TEXT NOT NULL, note TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE refused (portion INTEGER NOT NULL, source TEXT NOT NULL, line INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE look (
    number INTEGER PRIMARY KEY, day TEXT NOT NULL, slot INTEGER NOT NULL, begun TEXT NOT NULL, published TEXT,
    claim REAL NOT NULL, stand REAL NOT NULL, controller REAL NOT NULL, facts TEXT NOT NULL);
CREATE TABLE standing (
    name TEXT PRIMARY KEY, since TEXT NOT NULL, claimed TEXT, accounts TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(slots=True)
class Portion:
    """What one step read, while it is being written."""

    number: int
    at: str
    rows: int = 0
    late: int = 0
    """Exchanges older than what is kept."""
    skipped: int = 0
    segments: list[tuple[str, str, int, int, int]] = field(default_factory=list)
    """Name, day, rows, bytes, time of the last exchange in microseconds."""
    marks: list[tuple[Any, ...]] = field(default_factory=list)
    """Rows of ``mark``, in the order of its columns."""
    reasons: dict[str, int] = field(default_factory=dict)
    refused: list[tuple[str, int, str]] = field(default_factory=list)
    """Source, line and reason, of the first refusals."""
    part: str = ""
    """Tells the names of its files from those that others write for the same portion."""

    def keep(self, table: pa.Table, oldest_us: int, root: Path) -> None:
        """Write feature rows by day below ``root``; they count when the portion is committed. Needs no ledger.

        What is older is only counted.
        """
        ts = table.column("ts").to_numpy()
        fresh = ts >= oldest_us
        self.late += int((~fresh).sum())
        days = ts // DAY_US
        for day in np.unique(days[fresh]).tolist():
            part = table.filter(pa.array((days == day) & fresh))
            label = str(np.datetime64(day, "D"))
            name = f"day={label}/features-{self.number:010d}-{self.part}{len(self.segments):05d}.parquet"
            size = _write(root / name, part)
            self.segments.append((name, label, len(part), size, int(pc.max(part.column("ts")).as_py())))
            self.rows += len(part)

    def absorb(self, other: Portion) -> None:
        """Take in a part of this portion that was read elsewhere."""
        self.rows, self.late, self.skipped = (
            self.rows + other.rows, self.late + other.late, self.skipped + other.skipped,
        )  # fmt: skip
        self.segments += other.segments
        self.marks += other.marks
        self.refused += other.refused
        for reason, count in other.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count


class WatchState:
    """The state in a folder. The caller holds the folder's `WriterLock`.

    Args:
        folder: an existing folder.
        identity: what digests in it depend on (key, lexicon, columns); another identity is refused.

    Raises:
        ConfigError: made with another key, by a newer program, or by one whose features mean something else.
        StillwatchError: damaged.
    """

    def __init__(self, folder: Path, identity: Mapping[str, str]) -> None:
        self.folder = folder
        self.db = _open(folder)
        try:
            self.migrated_from = _prepare(self.db, folder)
            self._identify(identity)
            self._sweep()
        except BaseException:
            self.db.close()
            raise

    @classmethod
    def at(cls, folder: Path) -> WatchState:
        """The state as it is, to be asked and not written to; another process may be its writer."""
        state = cls.__new__(cls)
        state.folder, state.migrated_from = folder, None
        state.db = _open(folder)
        if _version(state.db, folder) != VERSION:
            state.db.close()
            raise ConfigError(
                f"{folder.name} is of an older version",
                hint="the next `stillwatch watch` brings it up; ask again then",
            )
        return state

    def close(self) -> None:
        """Let go of the database."""
        self.db.close()

    def remember(self, facts: Mapping[str, str]) -> None:
        """Keep how the watch was started, for whoever asks how it stands."""
        with self.db:
            self.db.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", facts.items())

    def about(self) -> dict[str, str]:
        """What digests depend on, and how the watch was started."""
        return dict(self.db.execute("SELECT name, value FROM about"))

    def begin(self, at: str) -> Portion:
        """A new portion."""
        (last,) = self.db.execute("SELECT coalesce(max(number), 0) FROM portion").fetchone()
        return Portion(last + 1, at)

    @property
    def root(self) -> Path:
        """Where feature files lie."""
        return self.folder / FEATURES

    def commit(self, portion: Portion) -> None:
        """From here on the portion counts; durable when this returns."""
        with self.db:
            self.db.execute(
                "INSERT INTO portion VALUES (?, ?, ?, ?, ?, ?)",
                (portion.number, portion.at, portion.rows, portion.late, portion.skipped,
                 json.dumps(portion.reasons, sort_keys=True)),
            )  # fmt: skip
            self.db.executemany(
                "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?)",
                [(name, day, portion.number, rows, size, last) for name, day, rows, size, last in portion.segments],
            )  # fmt: skip
            self._put(portion.marks)
            (kept,) = self.db.execute("SELECT count(*) FROM refused").fetchone()
            self.db.executemany(
                "INSERT INTO refused VALUES (?, ?, ?, ?)",
                [(portion.number, *r) for r in portion.refused[: max(MOST_REFUSED - kept, 0)]],
            )

    def marks(self) -> dict[str, tuple[Any, ...]]:
        """How far each log was read, by name."""
        return {row[0]: row for row in self.db.execute(f"SELECT {_MARK} FROM mark")}  # noqa: S608

    def move(self, marks: Iterable[tuple[Any, ...]], gone: Iterable[str]) -> None:
        """Logs that go by another name now, and names that are gone."""
        with self.db:
            self.db.executemany("DELETE FROM mark WHERE name = ?", [(name,) for name in gone])
            self._put(marks)

    def _put(self, marks: Iterable[tuple[Any, ...]]) -> None:
        self.db.executemany(
            f"INSERT OR REPLACE INTO mark ({_MARK}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            marks,
        )

    def paths(self) -> list[Path]:
        """Feature files that count, oldest day first and in the order they came in."""
        rows = self.db.execute("SELECT name FROM segment ORDER BY day, first, name").fetchall()
        return [self.root / name for (name,) in rows]

    def newest_us(self) -> int | None:
        """Time of the latest exchange."""
        newest: int | None = self.db.execute("SELECT max(last_us) FROM segment").fetchone()[0]
        return newest

    def retire(self, before_day: str) -> int:
        """Drop whole days before this one, and what was refused before it; how many exchanges that were."""
        rows = self.db.execute("SELECT name, rows FROM segment WHERE day < ?", (before_day,)).fetchall()
        with self.db:
            self.db.execute("DELETE FROM segment WHERE day < ?", (before_day,))
            old = "SELECT number FROM portion WHERE at < ?"
            self.db.execute(f"DELETE FROM refused WHERE portion IN ({old})", (before_day,))  # noqa: S608
            self.db.execute("UPDATE portion SET reasons = '{}' WHERE at < ?", (before_day,))
        self._remove(name for name, _ in rows)
        return sum(count for _, count in rows)

    def compact(self, at_least: int) -> None:
        """Make one file of every day that lies in ``at_least`` files or more; a repeated exchange stays once."""
        days = self.db.execute(
            "SELECT day FROM segment GROUP BY day HAVING count(*) >= ?", (at_least,)
        ).fetchall()
        for (day,) in days:
            self._compact(day)

    def forget(
        self, names: Iterable[str], theirs: Callable[[pa.Table], Any], accounts: Collection[str]
    ) -> None:
        """Write feature files again without some rows, and take accounts out of the groups of the last look.

        The new files count, and the old ones no longer, from one moment on.

        Args:
            names: feature files that hold such rows.
            theirs: which rows of a table go.
            accounts: whose they are.
        """
        swaps: list[tuple[str, tuple[Any, ...] | None]] = []
        for name in names:
            ((day, first),) = self.db.execute(
                "SELECT day, first FROM segment WHERE name = ?", (name,)
            ).fetchall()
            table = pq.ParquetFile(self.root / name).read()
            rest = table.filter(pc.invert(theirs(table)))
            made = f"{name.removesuffix('.parquet')}-r.parquet"
            if len(rest):
                size, last = _write(self.root / made, rest), int(pc.max(rest.column("ts")).as_py())
                swaps.append((name, (made, day, first, len(rest), size, last)))
            else:
                swaps.append((name, None))
        with self.db:
            for name, row in swaps:
                self.db.execute("DELETE FROM segment WHERE name = ?", (name,))
                if row is not None:
                    self.db.execute("INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?)", row)
            for name, since, claimed, members in self.standing():
                kept = json.dumps([account for account in members if account not in accounts])
                self.db.execute(
                    "INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?)", (name, since, claimed, kept)
                )
        self._remove(name for name, _ in swaps)

    def _compact(self, day: str) -> None:
        found = self.db.execute(
            "SELECT name, first FROM segment WHERE day = ? ORDER BY first, name", (day,)
        ).fetchall()
        tables = [pq.ParquetFile(self.root / name).read() for name, _ in found]
        seen = {
            n for t in tables for n in (t.schema.metadata or {}).get(b"fields", b"").decode().split(",") if n
        }
        whole = pa.concat_tables([t.replace_schema_metadata(None) for t in tables])
        _, first = np.unique(whole.column("xid").to_numpy(), return_index=True)
        if len(first) < len(whole):
            whole = whole.take(pa.array(np.sort(first)))
        metadata = {**(tables[0].schema.metadata or {}), b"fields": ",".join(sorted(seen)).encode()}
        whole = whole.replace_schema_metadata(metadata)
        (number,) = self.db.execute("SELECT max(number) FROM portion").fetchone()
        name = f"day={day}/features-{found[0][1]:010d}-to-{number:010d}.parquet"
        size = _write(self.root / name, whole)
        last = int(pc.max(whole.column("ts")).as_py())
        with self.db:
            self.db.execute("DELETE FROM segment WHERE day = ?", (day,))
            self.db.execute(
                "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?)",
                (name, day, found[0][1], len(whole), size, last),
            )
        self._remove(old for old, _ in found if old != name)

    def refused(self) -> tuple[dict[str, int], list[tuple[str, int, str]]]:
        """Reasons with their counts, and the refusals that were kept."""
        return self._reasons(), self.db.execute(
            "SELECT source, line, reason FROM refused ORDER BY rowid"
        ).fetchall()

    def _reasons(self) -> dict[str, int]:
        reasons: dict[str, int] = {}
        for (text,) in self.db.execute("SELECT reasons FROM portion"):
            for reason, count in json.loads(text).items():
                reasons[reason] = reasons.get(reason, 0) + count
        return reasons

    def begin_look(self, day: str, slot: int, begun: str, levels: Sequence[float]) -> int:
        """Put down that a look has begun and what it may spend."""
        with self.db:
            made = self.db.execute(
                "INSERT INTO look (day, slot, begun, claim, stand, controller, facts) VALUES (?, ?, ?, ?, ?, ?, '{}')",
                (day, slot, begun, *levels),
            )
        return int(made.lastrowid or 0)

    def published(
        self,
        number: int,
        at: str,
        facts: Mapping[str, Any],
        standing: Iterable[tuple[str, str, str | None, list[str]]],
    ) -> None:
        """A look is in place; ``standing`` is what is compared with at the next: name, since, claimed, accounts."""
        with self.db:
            self.db.execute(
                "UPDATE look SET published = ?, facts = ? WHERE number = ?", (at, json.dumps(facts), number)
            )
            self.db.execute("DELETE FROM standing")
            self.db.executemany(
                "INSERT INTO standing VALUES (?, ?, ?, ?)",
                [(n, s, c, json.dumps(a)) for n, s, c, a in standing],
            )

    def standing(self) -> list[tuple[str, str, str | None, list[str]]]:
        """Groups of the last look that was published."""
        rows = self.db.execute("SELECT name, since, claimed, accounts FROM standing ORDER BY name")
        return [(name, since, claimed, json.loads(accounts)) for name, since, claimed, accounts in rows]

    def looks(self, day: str | None = None, last: int = 10) -> list[dict[str, Any]]:
        """Looks of a day, or the last ones, oldest first."""
        where, given = ("WHERE day = ?", (day,)) if day else ("", ())
        cursor = self.db.execute(
            f"SELECT * FROM look {where} ORDER BY number DESC LIMIT ?",  # noqa: S608  (words of ours)
            (*given, 10_000 if day else last),
        )
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return [row | {"facts": json.loads(row["facts"])} for row in reversed(rows)]

    def counts(self) -> dict[str, Any]:
        """How much there is."""
        rows, size, files, first, last, newest = self.db.execute(
            "SELECT coalesce(sum(rows), 0), coalesce(sum(bytes), 0), count(*), min(day), max(day), max(last_us) "
            "FROM segment"
        ).fetchone()
        portions, read, late, skipped, at = self.db.execute(
            "SELECT count(*), coalesce(sum(rows), 0), coalesce(sum(late), 0), coalesce(sum(skipped), 0), max(at) "
            "FROM portion"
        ).fetchone()
        (logs,) = self.db.execute("SELECT count(*) FROM mark").fetchone()
        return {
            "rows": rows, "bytes": size, "files": files, "first_day": first, "last_day": last, "newest_us": newest,
            "portions": portions, "read": read, "late": late, "skipped": skipped, "last_read": at, "logs": logs,
            "refused": sum(self._reasons().values()),
        }  # fmt: skip

    def noted(self) -> list[tuple[str, str]]:
        """Logs that were of no use, and why."""
        rows = self.db.execute("SELECT name, note FROM mark WHERE note <> '' ORDER BY name").fetchall()
        return [(name, note) for name, note in rows]

    def _identify(self, identity: Mapping[str, str]) -> None:
        known = dict(self.db.execute("SELECT name, value FROM about"))
        for name, value in identity.items():
            if known.get(name, value) != value:
                raise ConfigError(
                    f"{self.folder.name} was made with {name} {known[name]}, this run has {value}",
                    hint="use what it was made with, or begin a new state: name another --state folder",
                )
        with self.db:
            self.db.executemany("INSERT OR IGNORE INTO about VALUES (?, ?)", identity.items())

    def _sweep(self) -> None:
        """Remove what a killed process left; a file that is named and missing is an error."""
        root = self.root
        known = {name for (name,) in self.db.execute("SELECT name FROM segment")}
        found = {path.relative_to(root).as_posix() for path in root.glob("day=*/*")}
        lost = sorted(known - found)
        if lost:
            raise StillwatchError(
                f"the state {self.folder.name} is damaged: {lost[0]} is missing",
                hint="restore it from a copy, or remove the state folder: the next watch reads the logs again",
            )
        self._remove(found - known)

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            path = self.root / name
            with suppress(FileNotFoundError):
                path.unlink()
            with suppress(OSError):
                path.parent.rmdir()


def _write(path: Path, table: pa.Table) -> int:
    """A feature file that appears whole or not at all, durable; its bytes."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with open(partial, "wb", opener=_private) as file:
        pq.write_table(table, file, compression="zstd", row_group_size=_ROWS)
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    os.replace(partial, path)
    for folder in (path.parent, path.parent.parent):
        sync_folder(folder)
    return size


def _open(folder: Path) -> sqlite3.Connection:
    path = folder / DATABASE
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(path, timeout=30.0)
    try:
        db.execute("PRAGMA synchronous = FULL")
    except sqlite3.DatabaseError as error:
        db.close()
        raise _damaged(folder) from error
    return db


def _prepare(db: sqlite3.Connection, folder: Path) -> int | None:
    """Make the tables, or bring an older state up; the version it had, when it was older."""
    version = _version(db, folder)
    if version == VERSION:
        return None
    if version is None:
        db.executescript(f"BEGIN;\n{_TABLES}\nPRAGMA user_version = {VERSION};\nCOMMIT;")
        return None
    for step in range(version, VERSION):
        db.executescript(f"BEGIN;\n{_MIGRATIONS[step]}\nPRAGMA user_version = {step + 1};\nCOMMIT;")
    return version


def _version(db: sqlite3.Connection, folder: Path) -> int | None:
    """Version of a state; None when it is empty."""
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        raise _damaged(folder) from error
    if version > VERSION:
        raise ConfigError(
            f"{folder.name} was written by a newer stillwatch (state version {version}, this one knows {VERSION})",
            hint="use that version, or name another --state folder",
        )
    if not tables:
        return None
    if version != VERSION and version not in _MIGRATIONS:
        raise _damaged(folder)
    return int(version)


_MIGRATIONS = {
    1: """
ALTER TABLE mark ADD COLUMN format TEXT NOT NULL DEFAULT '';
ALTER TABLE mark ADD COLUMN note TEXT NOT NULL DEFAULT '';
CREATE TABLE standing (
    name TEXT PRIMARY KEY, since TEXT NOT NULL, claimed TEXT, accounts TEXT NOT NULL) WITHOUT ROWID;
""",
}
"""From each version to the next. Version 1 followed no group from look to look, and knew neither the format of
a log nor why one was of no use."""


def _damaged(folder: Path) -> StillwatchError:
    return StillwatchError(
        f"the state {folder.name} cannot be read: {DATABASE} is damaged",
        hint="restore it from a copy, or remove the state folder: the next watch reads the logs again",
    )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
