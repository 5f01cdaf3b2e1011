"""Read any log: recognise each source, stream it as batches of the contract, and keep account of what was not read.

The order, for one source: open and hash; undo compression; recognise; cut into records; turn records into rows;
gather rows into a batch; cast and check; derive the text columns; hand over. Nothing holds a whole file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from stillwatch.errors import ConfigError, SourceError
from stillwatch.ingest import parquet
from stillwatch.ingest.assemble import from_columns, from_rows
from stillwatch.ingest.bulk import line_batches
from stillwatch.ingest.checks import Limits
from stillwatch.ingest.coerce import Reasons
from stillwatch.ingest.derive import derive_text
from stillwatch.ingest.format import Format
from stillwatch.ingest.formats.mapping import load_mapping
from stillwatch.ingest.framing import Measured, framed, lines
from stillwatch.ingest.gather import Gathered, answers
from stillwatch.ingest.recognise import ENOUGH, HEAD, Kind, Recognised, recognise
from stillwatch.ingest.refusal import Broken, Refusal, Skipped
from stillwatch.ingest.registry import built_in, named
from stillwatch.ingest.source import CHUNK, Progress, Source, Tap, find_sources, squash, unpacked
from stillwatch.records import EXCHANGE_REQUIRED, EXCHANGE_SCHEMA, Rejected

KEPT_REJECTED = 100_000
"""Refused records kept with line and reason; beyond it they are only counted."""
_BATCH_BYTES = 64 * 2**20
_ENOUGH_BYTES = 16 * 2**20
"""A batch is handed over when it has so many. Memory of this size is used again for the next one; of larger pieces the
system takes back every one and clears it anew."""
_ROWS_AT_ONCE = 8192
"""Rows kept as Python objects before they become Arrow; parts of one exchange need a longer wait."""
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Counts:
    """How one source, or the whole input, was received."""

    read: int = 0
    """Records found, sound or not. Adds up to the rest when one record is one row."""
    accepted: int = 0
    rejected: int = 0
    skipped: int = 0
    """Sound, but not a model call."""
    merged: int = 0
    """Parts of an exchange that joined another part, such as a span's content event."""

    def add(self, other: Counts) -> None:
        """Add another count to this one."""
        self.read += other.read
        self.accepted += other.accepted
        self.rejected += other.rejected
        self.skipped += other.skipped
        self.merged += other.merged


class Reader:
    """One scan's input: any number of logs in any known format.

    Args:
        inputs: files, folders, patterns, ``-`` for standard input, or sources that `find_sources` found.
        format: a format's id, instead of recognising it by content.
        mapping: a TOML file that describes the log; see `stillwatch.ingest.formats.mapping`.
        batch_rows: rows of one batch, at most.
        max_record_bytes: a longer record, or text, is refused.
        earliest, latest: the half-open range that `started_at` must lie in; ``latest=None`` is the year 2100.
        stdin: what ``-`` reads; the process's own when None.
        on_file: called with (name, bytes done, bytes in all) as a file is read.
        on_rejected: called with every refused record, also beyond those that are kept.

    Example:
        >>> import io
        >>> line = b'{"exchange_id":"e","started_at":"2026-11-24T04:14:50Z","account_id":"a","model":"m"}'
        >>> log = io.BytesIO(line + bytes([10]) + b"{")
        >>> reader = Reader(["-"], stdin=log)
        >>> [batch.num_rows for batch in reader.batches()], reader.rejected
        ([1], [Rejected(source='-', line=2, reason='not valid JSON')])
    """

    def __init__(
        self,
        inputs: Sequence[str | Source],
        *,
        format: str | None = None,
        mapping: Path | None = None,
        batch_rows: int = 50_000,
        max_record_bytes: int = 16 * 2**20,
        earliest: datetime = _EARLIEST,
        latest: datetime | None = None,
        stdin: BinaryIO | None = None,
        on_file: Progress | None = None,
        on_rejected: Callable[[Rejected], None] | None = None,
    ) -> None:
        if batch_rows < 1 or max_record_bytes < 1:
            raise ConfigError("batch_rows and max_record_bytes must be at least 1", hint="leave them out")
        self.rejected: list[Rejected] = []
        """Refused records, the first `KEPT_REJECTED` of them."""
        self.recognised: list[Recognised] = []
        self.notes: list[str] = []
        """What a reader should know and is no refusal, such as an empty file."""
        self.strangers: dict[str, str] = {}
        """Sources of which all was passed over and that do not look like the format that was told; and why."""
        self.counts: dict[str, Counts] = {}
        """Per source; `total` adds them up."""
        self.capabilities: dict[str, frozenset[str]] = {}
        """Per source, the fields that were ever filled."""
        self.digests: dict[str, str] = {}
        """Per source, SHA-256 of its bytes as stored."""
        self._told = self._choice(format, mapping)
        self._sources = find_sources(inputs)
        self._batch_rows = batch_rows
        self._limits = Limits(_aware(earliest), _aware(latest or _LATEST), max_record_bytes)
        self._stdin = stdin
        self._on_file = on_file
        self._on_rejected = on_rejected

    @staticmethod
    def _choice(format: str | None, mapping: Path | None) -> Format | None:
        if mapping is not None:
            if format not in (None, "mapping"):
                raise ConfigError("a format and a mapping were both given", hint="give one of them")
            return load_mapping(mapping)
        if format == "mapping":
            raise ConfigError("the mapping format needs a mapping file", hint="name one with --mapping")
        return None if format is None else named(format)

    @property
    def total(self) -> Counts:
        """All sources together."""
        total = Counts()
        for each in self.counts.values():
            total.add(each)
        return total

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Stream the input as batches of exactly EXCHANGE_SCHEMA. Call once.

        Raises:
            SourceError: when a named source is not a log of any known format, cannot be opened, or lacks required
                columns; and when none of the files that a folder or pattern held is a log.
        """
        unusable: SourceError | None = None
        held: list[pa.RecordBatch] = []
        rows = size = 0
        for source in self._sources:
            self.counts[source.name] = Counts()
            try:
                for batch in self._read(source):
                    held.append(batch)
                    rows, size = rows + batch.num_rows, size + batch.nbytes
                    if rows >= self._batch_rows or size > _ENOUGH_BYTES:
                        yield from _joined(held, self._batch_rows)
                        held, rows, size = [], 0, 0
            except SourceError as error:
                if source.named:
                    raise
                unusable = unusable or error
                self._refuse(source, 0, error.args[0].removeprefix(f"{source.name}: "))
        yield from _joined(held, self._batch_rows)
        if unusable is not None and not self.recognised and not self.notes:
            raise unusable

    def _read(self, source: Source) -> Iterator[pa.RecordBatch]:
        opened = source.open(self._stdin)
        ours = source.path is not None or source.elsewhere is not None
        with opened if ours else nullcontext(opened) as stream:
            tap = Tap(source, stream, self._on_file)
            raw = tap.chunks()
            first = _first(raw, 8)
            compression = squash(first)
            if first.startswith(parquet.MAGIC) and source.path is not None:
                tap.silence()  # told by rows below: hashing is over long before
                self.digests[source.name] = tap.drained()
                yield from self._parquet(source, stream, compression)
                return
            try:
                yield from self._stream(source, unpacked(chain([first], raw), compression), compression)
            finally:
                if not source.named:
                    self.digests[source.name] = tap.drained()
            self.digests[source.name] = tap.drained()

    def _stream(self, source: Source, chunks: Iterator[bytes], compression: str) -> Iterator[pa.RecordBatch]:
        chunks = _patient(chunks)
        try:
            head = self._head(chunks)
        except Broken as broken:
            self._refuse(source, 1, broken.reason)
            return
        if not head.removeprefix(b"\xef\xbb\xbf").strip() and len(head) < HEAD:
            self.notes.append(f"{source.name}: empty")
            return
        if head.startswith(parquet.MAGIC):
            yield from self._spooled(source, chain([head], chunks), compression)
            return
        whole = len(head) if head.endswith(b"}") else 0
        shown = head[: max(HEAD, head.find(b"\n") if b"\n" in head else whole)]
        kind = recognise(source.name, shown, built_in(), self._told)
        self._recognised(source, kind, compression)
        body = chain([head.removeprefix(b"\xef\xbb\xbf")], chunks)
        if kind.format.columnar and kind.container == "jsonl":
            yield from self._lines(source, body)
        else:
            records = framed(kind.container, body, limit=self._limits.max_record_bytes)
            yield from self._rows(source, kind.format, records)
        self._belongs(source, kind, shown)

    def _head(self, chunks: Iterator[bytes]) -> bytes:
        """What recognition looks at, and on to the end of a first record that is longer, up to the longest allowed."""
        head = _first(chunks, HEAD)
        most = self._limits.max_record_bytes
        while len(head) >= HEAD and head[:1] == b"{" and b"\n" not in head and len(head) <= most:
            more = _first(chunks, min(len(head), CHUNK))
            if not more:
                break
            head += more
        return head

    def _belongs(self, source: Source, kind: Kind, head: bytes) -> None:
        """Note a source whose format was told, that does not look like it, and of which no record was of any use."""
        counts = self.counts[source.name]
        useless = counts.skipped and not counts.accepted and not counts.rejected
        if self._told is not None and useless and kind.format.sniff(head) < ENOUGH:
            self.strangers[source.name] = f"none of its {counts.read} records is one of {kind.format.id}"
            self.notes.append(f"{source.name}: {self.strangers[source.name]}")

    def _spooled(self, source: Source, chunks: Iterator[bytes], compression: str) -> Iterator[pa.RecordBatch]:
        """Parquet that cannot be read from its end: standard input, or compressed as a whole."""
        with tempfile.TemporaryFile() as file:
            try:
                for chunk in chunks:
                    file.write(chunk)
            except Broken as broken:
                raise SourceError(source.name, broken.reason, hint="copy the file again") from broken
            file.seek(0)
            yield from self._parquet(source, file, compression)

    def _parquet(self, source: Source, stream: BinaryIO, compression: str) -> Iterator[pa.RecordBatch]:
        stream.seek(0)
        file = parquet.open_parquet(source.name, stream)
        head = parquet.parquet_head(file)
        try:
            kind = recognise(source.name, head, built_in(), self._told)
        except SourceError:
            parquet.require(source.name, file, EXCHANGE_REQUIRED)
            raise
        kind = Kind("parquet", kind.format, kind.how.replace("jsonl", "parquet"))
        columnar = kind.format.columnar
        if columnar:
            parquet.require(source.name, file, EXCHANGE_REQUIRED)
        self._recognised(source, kind, compression)
        columns = [n for n in file.schema_arrow.names if n in EXCHANGE_SCHEMA.names] if columnar else None
        row = 0
        try:
            for batch in parquet.batches(file, columns, self._batch_rows):
                if columnar:
                    yield from self._columns(source, batch, row)
                else:
                    size = batch.nbytes // max(batch.num_rows, 1)
                    numbered = enumerate(parquet.plain_rows(batch), row + 1)
                    measured = ((line, record, size) for line, record in numbered)
                    yield from self._rows(source, kind.format, measured)
                row += batch.num_rows
                if self._on_file is not None and source.path is not None:
                    size = source.path.stat().st_size
                    self._on_file(source.name, size * row // max(file.metadata.num_rows, 1), size)
        except (pa.ArrowException, OSError):
            self._refuse(source, row + 1, "damaged Parquet data; the rows from here on were not read")

    def _columns(self, source: Source, table: pa.RecordBatch, before: int) -> Iterator[pa.RecordBatch]:
        counts = self.counts[source.name]
        counts.read += table.num_rows
        try:
            batch, reasons = from_columns(table, EXCHANGE_SCHEMA, EXCHANGE_REQUIRED, self._limits)
        except pa.ArrowException:
            if table.num_rows == 1:
                self._refuse(source, before + 1, "the row cannot be read", counted=True)
                return
            counts.read -= table.num_rows
            half = table.num_rows // 2
            yield from self._columns(source, table.slice(0, half), before)
            yield from self._columns(source, table.slice(half), before + half)
            return
        numbers = range(before + 1, before + 1 + table.num_rows)
        yield from self._hand_over(source, batch, reasons, numbers)

    def _lines(self, source: Source, chunks: Iterator[bytes]) -> Iterator[pa.RecordBatch]:
        """Lines under the contract's own names, many at once, as `_rows` would read them one by one."""
        found = line_batches(
            lines(chunks, limit=self._limits.max_record_bytes), self._limits,
            most=min(self._batch_rows, _ROWS_AT_ONCE), most_bytes=_BATCH_BYTES, refuse=partial(self._refuse, source),
        )  # fmt: skip
        for each in found:
            self.counts[source.name].read += len(each.lines)
            yield from self._hand_over(source, each.batch, each.reasons, each.lines)

    def _rows(self, source: Source, format: Format, records: Iterator[Measured]) -> Iterator[pa.RecordBatch]:
        """Records to rows to batches; whatever a record does, it costs that record only."""
        gathered = Gathered(merges=format.merges)
        most = self._batch_rows if format.merges else min(self._batch_rows, _ROWS_AT_ONCE)
        counts = self.counts[source.name]
        for line, record, size in records:
            counts.read += 1
            if isinstance(record, Refusal):
                self._refuse(source, line, record.reason, counted=True)
                continue
            for answer in answers(format, record):
                if isinstance(answer, Refusal):
                    self._refuse(source, line, answer.reason, counted=True)
                elif isinstance(answer, Skipped):
                    counts.skipped += 1
                elif not gathered.take(answer, line):
                    counts.merged += 1
            gathered.size += size
            if len(gathered.rows) >= most or gathered.size > _BATCH_BYTES:
                yield from self._flush(source, gathered)
                gathered = Gathered(merges=format.merges)
        yield from self._flush(source, gathered)

    def _flush(self, source: Source, gathered: Gathered) -> Iterator[pa.RecordBatch]:
        if not gathered.rows:
            return
        batch, reasons = from_rows(gathered.rows, EXCHANGE_SCHEMA, EXCHANGE_REQUIRED, self._limits)
        yield from self._hand_over(source, batch, reasons, gathered.lines)

    def _hand_over(
        self, source: Source, batch: pa.RecordBatch, reasons: Reasons, lines: Sequence[int]
    ) -> Iterator[pa.RecordBatch]:
        for row, reason in reasons.items():
            self._refuse(source, lines[row], reason, counted=True)
        self.counts[source.name].accepted += batch.num_rows
        if batch.num_rows:
            batch = derive_text(batch)
            filled = {
                name
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
                if column.null_count < batch.num_rows
            }
            self.capabilities[source.name] = self.capabilities.get(source.name, frozenset()) | filled
            yield batch

    def _recognised(self, source: Source, kind: Kind, compression: str) -> None:
        self.recognised.append(Recognised(source.name, kind.format.id, compression, kind.how))

    def _refuse(self, source: Source, line: int, reason: str, *, counted: bool = False) -> None:
        """Record one refusal; ``counted`` when the record is already among those read."""
        counts = self.counts[source.name]
        counts.rejected += 1
        if not counted and line:
            counts.read += 1
        rejected = Rejected(source.name, line, reason)
        if len(self.rejected) < KEPT_REJECTED:
            self.rejected.append(rejected)
        if self._on_rejected is not None:
            self._on_rejected(rejected)


def _aware(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _patient(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same chunks; a break after the first comes behind an empty one, so that ``_first`` can stop before it."""
    came = False
    try:
        for chunk in chunks:
            came = True
            yield chunk
    except Broken:
        if came:
            yield b""
        raise


def _first(chunks: Iterator[bytes], size: int) -> bytes:
    """At least ``size`` first bytes of a stream, unless it is shorter. What came before a break is kept."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        if len(held) >= size or not chunk:
            break
    return bytes(held)


def _joined(held: list[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Small batches of many files as few large ones, none longer than asked for."""
    if not held:
        return
    whole = held[0] if len(held) == 1 else pa.concat_batches(held)
    for start in range(0, whole.num_rows, rows):
        yield whole.slice(start, rows)


__all__ = ["KEPT_REJECTED", "Counts", "Reader"]
