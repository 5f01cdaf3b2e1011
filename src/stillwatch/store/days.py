"""The layout of a store: Parquet partitioned by day, as any engine reads it.

::

    STORE/day=2026-11-24/features-<16 hex digits>.parquet

The day is that of the exchange, in UTC. The digits are the beginning of the file's own SHA-256, so the same rows
written twice in the same order make the same file once, and no name is ever given to other bytes. There is no
catalogue that could contradict the files.

>>> day_of("day=2026-11-24/features-00.parquet"), day_of("logs/a.jsonl"), day_of("day=2026-13-01/x.parquet")
(datetime.date(2026, 11, 24), None, None)
>>> own_day_of("day=2026-11-24/features-0123456789abcdef.parquet"), own_day_of("day=2026-11-24/app.jsonl")
(datetime.date(2026, 11, 24), None)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.store.places import Place

TIME = {"features": "ts", "exchanges": "started_at"}
"""Which column tells the day, by the beginning of a file's name."""
ROW_GROUP = 65_536
MOST_BYTES = 128 * 2**20
"""Rows of all days together that wait to be written, as Arrow holds them."""
_DAY = 86_400_000_000
_OWN = re.compile(r"(?:features|exchanges)-(?:[0-9a-f]{16}|[0-9]{10}-[0-9a-z-]+)\.parquet")
"""Names that a store gives, and the state of a watch."""
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class DayFile:
    """One file of a store."""

    name: str
    """Relative to the store."""
    day: date
    size: int
    """Bytes."""
    rows: int = 0
    """As written; 0 when the file was only listed."""
    fresh: bool = True
    """False when a file of these bytes was there already."""

    @property
    def stem(self) -> str:
        """``features`` or ``exchanges``."""
        return self.name.rpartition("/")[2].partition("-")[0]


def day_of(name: str) -> date | None:
    """The day of the partition that a path lies in; None for a path that lies in none."""
    for part in reversed(name.replace("\\", "/").split("/")[:-1]):
        if part.startswith("day="):
            try:
                return date.fromisoformat(part.removeprefix("day="))
            except ValueError:
                return None
    return None


def own_day_of(name: str) -> date | None:
    """The UTC day that all rows of a file lie in; None unless a store or a watch of ours named the file.

    Whoever else makes ``day=`` folders may mean another zone, or the day on which a file was closed.
    """
    return day_of(name) if _OWN.fullmatch(name.replace("\\", "/").rpartition("/")[2]) else None


def day_files(place: Place) -> list[DayFile]:
    """The files of a store in order of day and name; whatever else lies there is left alone."""
    found = []
    for entry in place.entries():
        day = day_of(entry.name)
        if day is not None and entry.name.count("/") == 1 and entry.name.endswith(".parquet"):
            one = DayFile(entry.name, day, entry.size)
            if one.stem in TIME:
                found.append(one)
    return sorted(found, key=lambda one: (one.day, one.name))


class DayWriter:
    """Spreads tables over days. What waits is bounded, however many days the rows lie in.

    Args:
        place: where the store lies.
        staging: a local folder for files that are being made; that of ``place.writing()``.
        stem: ``features`` or ``exchanges``; tells the time column.
        most_bytes: rows that wait, at most; then those of the fullest day are written.
    """

    def __init__(self, place: Place, staging: Path, *, stem: str, most_bytes: int = MOST_BYTES) -> None:
        self.place, self.staging, self.stem, self.most_bytes = place, staging, stem, most_bytes
        self._waiting: dict[int, list[pa.Table]] = {}
        self._bytes: dict[int, int] = {}

    def add(self, table: pa.Table) -> Iterator[DayFile]:
        """Take a table; gives the files that were written because enough waits."""
        days = table.column(TIME[self.stem]).cast(pa.int64()).to_numpy() // _DAY
        for day in np.unique(days):
            part = table if (days == day).all() else table.filter(pa.array(days == day))
            self._waiting.setdefault(int(day), []).append(part)
            self._bytes[int(day)] = self._bytes.get(int(day), 0) + part.nbytes
        while sum(self._bytes.values()) > self.most_bytes:
            yield self._write(max(self._bytes, key=lambda day: (self._bytes[day], -day)))

    def finish(self) -> Iterator[DayFile]:
        """Write what waits."""
        for day in sorted(self._waiting):
            yield self._write(day)

    def _write(self, number: int) -> DayFile:
        tables = self._waiting.pop(number)
        del self._bytes[number]
        schema = tables[-1].schema  # the last knows most of what was ever seen
        table = pa.concat_tables([t.replace_schema_metadata(schema.metadata) for t in tables])
        day = _EPOCH + timedelta(days=number)
        path = self.staging / "part"
        pq.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP)
        return settle(self.place, path, day, self.stem, len(table))


def settle(place: Place, path: Path, day: date, stem: str, rows: int) -> DayFile:
    """Put a finished file where its day and its bytes say."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    name, size = f"day={day.isoformat()}/{stem}-{digest[:16]}.parquet", path.stat().st_size
    fresh = not place.exists(name)
    if fresh:
        place.put(name, path)
    else:
        path.unlink()
    return DayFile(name, day, size, rows, fresh)


def rows_of(place: Place, name: str) -> int:
    """Rows of a file, from its footer alone."""
    with place.open(name) as file:
        return int(pq.read_metadata(file).num_rows)
