"""A folder that receives tables for as long as a process lives and loses none that it said it has.

A table is appended to a hidden journal and is durable when `append` returns. A journal that is full or old enough is
sealed: written as one Parquet file beside it, made durable, renamed into place, and only then removed. What a killed
process left is sealed when the next one opens the folder. Reading the folder needs no knowledge of this: the Parquet
files are all there is to see.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import ConfigError
from stillwatch.store.folders import LOCK, lock_folder, sync_folder
from stillwatch.store.frames import MAGIC, Frames, frame, whole_frames

_OURS = re.compile(r"\.(\w+-\d{8}T\d{12}Z(?:_\d+)?)\.(journal|partial|damaged)")
_SEALED = re.compile(r"\w+-\d{8}T\d{12}Z(?:_\d+)?\.parquet")
_ROWS = 65_536
"""Rows of one row group."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One journal that became a file."""

    path: Path
    rows: int
    torn: int
    """Bytes cut off its end: a record that was never acknowledged."""
    damaged: int
    """Records that could not be read; the journal is kept beside as ``.damaged``."""


class Segments:
    """The one writer of a folder.

    Args:
        folder: made when it is missing, for its owner alone.
        stem: how the names of its files begin.
        segment_bytes: a journal that is longer is sealed.
        segment_age_s: a journal that was begun longer ago is sealed.
        now: the wall clock, in UTC.
        kept: names of other files that may lie in the folder.
        finish: what is done to all rows of a journal when it is sealed.

    Raises:
        ConfigError: when another process writes there, or the folder holds what no receiver wrote.
    """

    def __init__(
        self, folder: Path, *, stem: str, segment_bytes: int, segment_age_s: float, now: Callable[[], datetime],
        kept: tuple[str, ...] = (), finish: Callable[[pa.Table], pa.Table] = lambda table: table,
    ) -> None:  # fmt: skip
        self.folder, self.stem, self.now = folder, stem, now
        self.segment_bytes, self.segment_age_s = segment_bytes, segment_age_s
        self._finish = finish
        self._file: int | None = None
        self._path: Path | None = None
        self._length = 0
        self._begun: datetime | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = lock_folder(
            folder, job="receiving", hint="stop it, or name another folder: one folder has one writer"
        )
        self._ended: list[Path] = []
        """Journals that nobody writes any more and that are not sealed yet, oldest first."""
        try:
            _only_ours(folder, kept)
            self._ended += sorted(folder.glob(".*.journal"))
        except ConfigError:
            os.close(self._lock)
            raise

    def __enter__(self) -> Segments:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.roll()
        os.close(self._lock)

    def append(self, table: pa.Table) -> int:
        """Write one table; it is durable when this returns the bytes that were written.

        Raises:
            OSError: when it could not be made durable. Then nothing of it counts, and the next append begins anew.
        """
        record = frame(table)
        try:
            handle = self._file if self._file is not None else self._begin()
            _write(handle, record)
            os.fdatasync(handle)
        except OSError:
            self._abandon()
            raise
        self._length += len(record)
        return len(record)

    def probe(self) -> None:
        """Find out whether a journal can be written.

        Raises:
            OSError: when it cannot.
        """
        try:
            if self._file is None:
                os.fdatasync(self._begin())
        except OSError:
            self._abandon()
            raise

    def due(self) -> bool:
        """Whether the journal should be sealed now."""
        if self._begun is None:
            return False
        age = (self.now() - self._begun).total_seconds()
        return self._length >= self.segment_bytes or not 0 <= age < self.segment_age_s

    def roll(self) -> None:
        """End the present journal; the next append begins another."""
        if self._file is not None:
            os.close(self._file)
        if self._path is not None:
            self._ended.append(self._path)
        self._file = self._path = self._begun = None
        self._length = 0

    def waiting(self) -> list[Path]:
        """Journals that have ended and are not sealed yet, oldest first. Another thread may seal them."""
        return list(self._ended)

    def seal(self, journal: Path) -> Sealed | None:
        """Turn an ended journal into a Parquet file; None when nothing was in it. May be tried again after an error.

        Raises:
            OSError: when the file could not be written; the journal stays.
        """
        name = journal.name.removeprefix(".").removesuffix(".journal")
        final = self.folder / f"{name}.parquet"
        frames = whole_frames(journal.read_bytes())
        rows = 0
        if frames.tables and not final.exists():
            partial = self.folder / f".{name}.partial"
            try:
                rows = _write_parquet(partial, self._finish(_whole(frames)))
                os.replace(partial, final)
            except OSError:
                with suppress(OSError):
                    partial.unlink()
                raise
            sync_folder(self.folder)
        if frames.damaged:
            journal.replace(self.folder / f".{name}.damaged")
        else:
            journal.unlink()
        self._ended.remove(journal)
        return Sealed(final, rows, frames.torn, frames.damaged) if rows or frames.torn else None

    def _begin(self) -> int:
        begun = self.now()
        for attempt in range(1000):
            mark = f"{begun:%Y%m%dT%H%M%S%f}Z" + (f"_{attempt}" if attempt else "")
            path = self.folder / f".{self.stem}-{mark}.journal"
            if (self.folder / f"{self.stem}-{mark}.parquet").exists():
                continue
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
                break
            except FileExistsError:
                continue
        else:
            raise FileExistsError(f"no free name in {self.folder.name}")
        self._file, self._path, self._begun, self._length = handle, path, begun, len(MAGIC)
        _write(handle, MAGIC)
        sync_folder(self.folder)
        return handle

    def _abandon(self) -> None:
        """After a failed write: cut back to what is durable and leave the journal to be sealed."""
        if self._file is not None:
            with suppress(OSError):
                os.ftruncate(self._file, self._length)
        self.roll()


def _write(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _whole(frames: Frames) -> pa.Table:
    """All rows of a journal, under the fields of all its parts."""
    seen = sorted({name for table in frames.tables for name in _fields(table)})
    metadata = {**(frames.tables[0].schema.metadata or {}), b"fields": ",".join(seen).encode()}
    plain = pa.concat_tables([table.replace_schema_metadata(None) for table in frames.tables])
    return plain.replace_schema_metadata(metadata)


def _fields(table: pa.Table) -> list[str]:
    return [n for n in (table.schema.metadata or {}).get(b"fields", b"").decode().split(",") if n]


def _write_parquet(path: Path, table: pa.Table) -> int:
    with open(path, "wb", opener=_private) as file:
        pq.write_table(table, file, compression="zstd", row_group_size=_ROWS)
        file.flush()
        os.fsync(file.fileno())
    return len(table)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _only_ours(folder: Path, kept: tuple[str, ...]) -> None:
    for path in sorted(folder.iterdir()):
        name = path.name
        if name not in (LOCK, *kept) and not _OURS.fullmatch(name) and not _SEALED.fullmatch(name):
            raise ConfigError(
                f"{folder.name} holds {name!r}, which no receiver wrote; it is left as it is",
                hint="name another folder, or a new one",
            )
