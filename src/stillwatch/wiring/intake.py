"""From inputs to traffic: every reader, text work spread over threads, and what lies beside the logs."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.detect.digest import Key
from stillwatch.detect.features import PORTABLE, Featurizer, from_portable
from stillwatch.detect.lexicon import load_lexicon
from stillwatch.detect.traffic import Loader, Traffic, traffic_of
from stillwatch.errors import ConfigError, SourceError
from stillwatch.ingest import Reader, Source, read_accounts, read_client_releases, read_releases
from stillwatch.records import Rejected
from stillwatch.settings import Settings, load_key
from stillwatch.store import open_backend
from stillwatch.wiring.profile import Clock
from stillwatch.wiring.progress import Progress
from stillwatch.wiring.refusals import Sink
from stillwatch.wiring.sources import EVERYTHING, Span, split_sources, unfinished_deletion

EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
"""No log of a language model API is older."""
AHEAD = 2
"""Batches for each thread that wait or are worked on, so that none is idle while the engine takes rows. Of more, the
memory is cold again when it is their turn: with twice as many, reading costs a twentieth more."""

BEHIND = 250_000
"""Rows of features that wait for the engine while more is read: twice what it takes at once, some 100 MB."""


class Intake:
    """Reads every input into features, once, in order, with text work spread over threads."""

    def __init__(
        self, inputs: Sequence[str | Source], settings: Settings, key: Key, *, format: str | None,
        mapping: Path | None, stdin: BinaryIO | None, progress: Progress, refused: Sink, span: Span = EVERYTHING,
    ) -> None:  # fmt: skip
        self.settings, self.key, self.progress, self.refused = settings, key, progress, refused
        self.format, self.mapping = format, mapping
        self.feat = Featurizer(key, load_lexicon())
        self.span, self.outside = span, 0
        """What is read, and how many sound rows lay outside of it."""
        self.features, logs, self.unopened = split_sources(inputs, span)
        """The last is how many files of other days were left closed."""
        self.sources = [*self.features, *logs]
        """Everything that is read, in order: feature files of earlier ingests, then logs."""
        self.reader: Reader | None = None
        if logs:
            self.reader = open_reader(logs, settings, format, mapping, stdin=stdin, on_file=self._on_file,
                                      on_rejected=refused.add)  # fmt: skip
        self.kept: dict[str, tuple[str, int]] = {}
        """Feature files that were read: digest and rows of the window."""
        self.bytes_read = 0
        """As they lay there: compressed."""
        self._told: dict[str, int] = {}
        sizes = [size_of(source) for source in self.sources]
        self.total = float(sum(sizes)) if all(sizes) else None
        """Bytes to read; None when standard input is among them."""
        for name in unfinished_deletion(self.sources):
            progress.note(f"{name}: a deletion was interrupted; the next `stillwatch store` verb finishes it")

    @property
    def kept_rows(self) -> int:
        """Rows that came from feature files; they precede those of logs."""
        return sum(rows for _, rows in self.kept.values())

    def _on_file(self, name: str, done: int, _: int) -> None:
        more = done - self._told.get(name, 0)
        if more > 0:
            self._told[name] = done
            self.bytes_read += more
            self.progress.advance(float(more))

    def announce(self) -> None:
        """Say how much there is to read."""
        if self.total is not None:
            self.progress.step(f"reading {in_bytes(self.total)}", self.total)

    def canonical(self) -> Iterator[pa.RecordBatch]:
        """Batches of the contract."""
        if self.reader is not None:
            for batch in self.reader.batches():
                inside = self.span.inside(batch, "started_at")
                self.outside += len(batch) - len(inside)
                if len(inside):
                    yield inside

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Feature batches in input order."""
        for source in self.features:
            yield from self._kept(source)
        threads = self.settings.run.threads or os.cpu_count() or 1
        waiting: deque[tuple[pa.RecordBatch, Future[dict[str, Any]]]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            for batch in self.canonical():
                waiting.append((batch, pool.submit(self.feat.heavy, batch)))
                if len(waiting) > AHEAD * threads:
                    done, future = waiting.popleft()
                    yield self.feat.finish(done, future.result())
            while waiting:
                done, future = waiting.popleft()
                yield self.feat.finish(done, future.result())

    def _kept(self, source: Source) -> Iterator[pa.RecordBatch]:
        try:
            with local(source) as raw:
                yield from self._kept_file(source, raw)
        except (pa.ArrowException, KeyError, OSError) as error:
            raise SourceError(
                source.name, "not a readable feature file", hint="ingest the logs again"
            ) from error

    def _kept_file(self, source: Source, raw: BinaryIO) -> Iterator[pa.RecordBatch]:
        whole = hashlib.sha256()
        while chunk := raw.read(1 << 20):
            whole.update(chunk)
        size = raw.tell()
        file = pq.ParquetFile(raw)
        made_with = (file.schema_arrow.metadata or {}).get(PORTABLE, b"").decode()
        if made_with != self.key.key_id:
            raise ConfigError(
                f"{Path(source.name).name} was made with digest key {made_with or 'unknown'}, "
                f"this run uses {self.key.key_id}",
                hint="use the key it was ingested with",
            )
        seen = (file.schema_arrow.metadata or {}).get(b"fields", b"").decode().split(",")
        for name in filter(None, seen):
            self.feat.seen_fields[name] = self.feat.seen_fields.get(name, 0) + file.metadata.num_rows
        read = rows = 0
        for batch in file.iter_batches(self.settings.ingest.batch_rows):
            inside = self.span.inside(batch, "ts")
            read, rows = read + len(batch), rows + len(inside)
            self.outside += len(batch) - len(inside)
            self._on_file(source.name, size * read // file.metadata.num_rows, size)
            if len(inside):
                yield from_portable(inside, self.feat)
        self.kept[source.name] = (whole.hexdigest(), rows)


@contextmanager
def local(source: Source) -> Iterator[BinaryIO]:
    """A file to read back and forth; what lies elsewhere is fetched once, into a file that has no name."""
    with source.open() as raw:
        if source.elsewhere is None:
            yield raw
            return
        with tempfile.TemporaryFile() as file:
            shutil.copyfileobj(raw, file, 8 * 2**20)
            file.seek(0)
            yield file


def size_of(source: Source) -> int:
    """Bytes of a source; 0 when nobody knows."""
    return source.path.stat().st_size if source.path is not None else source.size


def in_bytes(number: float) -> str:
    """Bytes as a person reads them.

    >>> in_bytes(999), in_bytes(1_234_567), in_bytes(3.4e9)
    ('999 B', '1.2 MB', '3.4 GB')
    """
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


def open_reader(
    inputs: Sequence[Source], settings: Settings, format: str | None, mapping: Path | None, **more: Any
) -> Reader:
    return Reader(
        inputs, format=format, mapping=mapping, batch_rows=settings.ingest.batch_rows,
        max_record_bytes=settings.ingest.max_record_bytes, earliest=settings.ingest.earliest or EARLIEST,
        latest=settings.ingest.latest, **more,
    )  # fmt: skip


def key_of(settings: Settings, env: Mapping[str, str]) -> Key:
    return Key.derive(load_key(settings, env))


def micro(value: datetime) -> int:
    return int(value.timestamp() * 1_000_000)


def load_traffic(
    intake: Intake, settings: Settings, spill: str, *, accounts: Sequence[str], releases: str | None,
    client_releases: str | None, clock: Clock,
) -> tuple[Traffic, dict[str, Any]]:  # fmt: skip
    """Everything a scan reads, as one `Traffic`, whose engine the caller closes."""
    context: dict[str, Any] = {}
    table = None
    if accounts:
        clock.step("reading accounts")
        table, bad = read_accounts(list(accounts))
        _refuse(intake, some_usable(", ".join(accounts), table, bad))
        says_something(", ".join(accounts), table)
    model_rows: list[tuple[str, int]] = []
    client_rows: list[tuple[str, str, int]] = []
    if releases:
        got, bad = read_releases(releases)
        _refuse(intake, some_usable(releases, got, bad))
        model_rows = [(r["model"], micro(r["released_at"])) for r in got.to_pylist()]
        context["releases"] = [
            {"model": r["model"], "released_at": r["released_at"].isoformat()} for r in got.to_pylist()
        ]
    if client_releases:
        got, bad = read_client_releases(client_releases)
        _refuse(intake, some_usable(client_releases, got, bad))
        client_rows = [(r["client"], r["version"], micro(r["released_at"])) for r in got.to_pylist()]
    clock.step("reading")
    if settings.run.engine == "spark":
        from stillwatch.store.spark import open_spark
        from stillwatch.wiring.cluster import read_on_cluster

        run = settings.run
        spark = open_spark(run.master, threads=run.threads, memory_limit=run.memory_limit, spill=spill)
        with ExitStack() as undo:
            undo.callback(spark.close)
            rows = read_on_cluster(spark, intake)
            clock.count(rows=rows)
            clock.step("accounts and units")
            traffic = traffic_of(spark, intake.feat, rows, table, model_rows, client_rows)
            undo.pop_all()
        clock.count(rows=traffic.n_exchanges)
        return traffic, context
    intake.announce()
    engine = open_backend(settings.run.threads, settings.run.memory_limit, spill)
    clock.engine = engine
    with ExitStack() as undo:
        undo.callback(engine.close)
        loader = Loader(engine, intake.feat)
        with engine.filling():
            rows = _taken(loader, intake.batches())
        clock.count(rows=rows, bytes=intake.bytes_read)
        clock.step("accounts and units")
        traffic = loader.finish(table, model_rows, client_rows)
        undo.pop_all()
    traffic.threads = settings.run.threads or os.cpu_count() or 1
    clock.count(rows=traffic.n_exchanges)
    return traffic, context


def _taken(loader: Loader, batches: Iterator[pa.RecordBatch]) -> int:
    """Let the engine take batches, in order, while the next are read; returns how many rows there were."""
    rows = behind = 0
    waiting: deque[tuple[int, Future[None]]] = deque()
    with ThreadPoolExecutor(1) as taker:
        for batch in batches:
            rows, behind = rows + len(batch), behind + len(batch)
            waiting.append((len(batch), taker.submit(loader.add, batch)))
            while behind > BEHIND:
                size, taken = waiting.popleft()
                taken.result()
                behind -= size
        for _, taken in waiting:
            taken.result()
    return rows


def _refuse(intake: Intake, refused: list[Rejected]) -> None:
    for one in refused:
        intake.refused.add(one)


def some_usable(name: str, table: pa.Table, refused: list[Rejected]) -> list[Rejected]:
    """What was refused of a table; raises when that is everything, for then it is some other file."""
    if refused and not table.num_rows:
        first = refused[0]
        raise SourceError(
            name, f"none of its {len(refused)} rows could be used; first: line {first.line}: {first.reason}",
            hint="check that the option names the right file; its fields are in the data contract",
        )  # fmt: skip
    return refused


def says_something(name: str, accounts: pa.Table) -> None:
    """Raise when no account of the table has anything but its name: it is a log, or another table."""
    told = [c for c in accounts.column_names if c != "account_id" and accounts[c].null_count < len(accounts)]
    if len(accounts) and not told:
        raise SourceError(
            name, "no row says anything of its account but the name",
            hint="check that --accounts names the account table; its fields are in the data contract",
        )  # fmt: skip


def something_usable(reader: Reader) -> None:
    """Raise when records were found and every one of them was refused, or is of another format than was told."""
    if reader.strangers:
        name, why = next(iter(reader.strangers.items()))
        raise SourceError(name, why, hint="leave the format out: it is recognised by content")
    if reader.counts and not reader.total.rejected:
        return
    first = next(iter(reader.rejected), None)
    why = f"; first: {first.source}:{first.line}: {first.reason}" if first else ""
    raise SourceError(
        ", ".join(sorted(reader.counts)) or "input", f"none of {reader.total.read} records could be used{why}",
        hint="check the format (`--format`) and the required fields exchange_id, started_at, account_id, model",
    )  # fmt: skip
