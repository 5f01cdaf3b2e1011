"""From inputs to traffic: every reader, text work spread over threads, and what lies beside the logs."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
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
from stillwatch.ingest import Reader, Source, find_sources, read_accounts, read_client_releases, read_releases
from stillwatch.records import Rejected
from stillwatch.settings import Settings, load_key
from stillwatch.store import open_backend
from stillwatch.wiring.progress import Clock, Progress
from stillwatch.wiring.refusals import Sink

EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
"""No log of a language model API is older."""


class Intake:
    """Reads every input into features, once, in order, with text work spread over threads."""

    def __init__(
        self, inputs: Sequence[str | Source], settings: Settings, key: Key, *, format: str | None,
        mapping: Path | None, stdin: BinaryIO | None, progress: Progress, refused: Sink,
    ) -> None:  # fmt: skip
        self.settings, self.key, self.progress, self.refused = settings, key, progress, refused
        self.format, self.mapping = format, mapping
        self.feat = Featurizer(key, load_lexicon())
        features, logs = split_sources(inputs)
        self.sources = [*features, *logs]
        """Everything that is read, in order: feature files of earlier ingests, then logs."""
        self.features = [Path(str(source.path)) for source in features]
        self.reader: Reader | None = None
        if logs:
            self.reader = open_reader(logs, settings, format, mapping, stdin=stdin, on_file=self._on_file,
                                      on_rejected=refused.add)  # fmt: skip
        self.kept: dict[str, tuple[str, int]] = {}
        """Feature files that were read: digest and rows."""
        self._file, self._done = "", 0

    @property
    def kept_rows(self) -> int:
        """Rows that came from feature files; they precede those of logs."""
        return sum(rows for _, rows in self.kept.values())

    def _on_file(self, name: str, done: int, total: int) -> None:
        if name != self._file:
            self._file, self._done = name, 0
            self.progress.step(f"reading {Path(name).name or name}", float(total) if total else None)
        self.progress.advance(float(done - self._done))
        self._done = done

    def canonical(self) -> Iterator[pa.RecordBatch]:
        """Batches of the contract."""
        if self.reader is not None:
            yield from self.reader.batches()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Feature batches in input order."""
        for path in self.features:
            yield from self._kept(path)
        threads = self.settings.run.threads or os.cpu_count() or 1
        waiting: deque[tuple[pa.RecordBatch, Future[dict[str, Any]]]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            for batch in self.canonical():
                waiting.append((batch, pool.submit(self.feat.heavy, batch)))
                if len(waiting) > threads:
                    done, future = waiting.popleft()
                    yield self.feat.finish(done, future.result())
            while waiting:
                done, future = waiting.popleft()
                yield self.feat.finish(done, future.result())

    def _kept(self, path: Path) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._kept_file(path)
        except (pa.ArrowException, KeyError, OSError) as error:
            raise SourceError(
                str(path), "not a readable feature file", hint="ingest the logs again"
            ) from error

    def _kept_file(self, path: Path) -> Iterator[pa.RecordBatch]:
        with path.open("rb") as raw:
            digest = hashlib.file_digest(raw, "sha256").hexdigest()
            file = pq.ParquetFile(raw)
            made_with = (file.schema_arrow.metadata or {}).get(PORTABLE, b"").decode()
            if made_with != self.key.key_id:
                raise ConfigError(
                    f"{path.name} was made with digest key {made_with or 'unknown'}, this run uses {self.key.key_id}",
                    hint="use the key it was ingested with",
                )
            seen = (file.schema_arrow.metadata or {}).get(b"fields", b"").decode().split(",")
            for name in filter(None, seen):
                self.feat.seen_fields[name] = self.feat.seen_fields.get(name, 0) + file.metadata.num_rows
            self.kept[str(path)] = (digest, file.metadata.num_rows)
            for batch in file.iter_batches(self.settings.ingest.batch_rows):
                yield from_portable(batch, self.feat)


def open_reader(
    inputs: Sequence[Source], settings: Settings, format: str | None, mapping: Path | None, **more: Any
) -> Reader:
    return Reader(
        inputs, format=format, mapping=mapping, batch_rows=settings.ingest.batch_rows,
        max_record_bytes=settings.ingest.max_record_bytes, earliest=settings.ingest.earliest or EARLIEST,
        latest=settings.ingest.latest, **more,
    )  # fmt: skip


def split_sources(inputs: Sequence[str | Source]) -> tuple[list[Source], list[Source]]:
    """The feature files of earlier ingests among the inputs, wherever they lie, and the logs."""
    features: list[Source] = []
    logs: list[Source] = []
    for source in find_sources(inputs):
        if source.path is not None and _is_feature_file(source.path):
            features.append(source)
        else:
            logs.append(source)
    return features, logs


def _is_feature_file(path: Path) -> bool:
    """By its name and its mark; one that cannot be opened counts, so that the damage is said for what it is."""
    if not path.match("features-*.parquet"):
        return False
    try:
        return PORTABLE in (pq.read_schema(path).metadata or {})
    except (pa.ArrowException, OSError):
        return True


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
            clock.step("accounts and units")
            traffic = traffic_of(spark, intake.feat, rows, table, model_rows, client_rows)
            undo.pop_all()
        return traffic, context
    loader = Loader(open_backend(settings.run.threads, settings.run.memory_limit, spill), intake.feat)
    for batch in intake.batches():
        loader.add(batch)
    clock.step("accounts and units")
    return loader.finish(table, model_rows, client_rows), context


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
