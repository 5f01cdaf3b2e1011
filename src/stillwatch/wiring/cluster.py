"""Reading on a cluster: each file is one task, read and reduced to features by the code that reads on one machine.

A worker opens the file under the name that it has here, so the inputs lie on storage that all of them see. It hands
back rows of features, with names instead of codes, and beside them what a reader tells: refusals, counts, digests.
Codes are given afterwards, by where a name first stood in the input: what a scan calls an account does not depend on
who read it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from stillwatch import __version__
from stillwatch.detect.features import FEATURE_SCHEMA, MISSING, NAMED, portable
from stillwatch.errors import ConfigError, SourceError, StillwatchError, where_it_failed
from stillwatch.ingest import Source
from stillwatch.ingest.reader import KEPT_REJECTED, Counts
from stillwatch.ingest.recognise import Recognised
from stillwatch.records import Rejected
from stillwatch.settings import Settings
from stillwatch.wiring.progress import Unheard
from stillwatch.wiring.sources import Span

if TYPE_CHECKING:
    from stillwatch.detect.digest import Key
    from stillwatch.store.spark import SparkEngine
    from stillwatch.wiring.intake import Intake

AT_ONCE = 1000
"""Refusals in one row of the answer."""
_PART = 1 << 40
"""More rows than one file has."""
_WHERE = [pa.field("part", pa.int32()), pa.field("row", pa.int64()), pa.field("told", pa.string())]
_PLAIN = {pa.uint8(): pa.int16()}
"""Types that Spark lacks, and what stands for them there."""


def _schema(named: pa.DataType) -> pa.Schema:
    fields = [
        pa.field(f.name, named if f.name in NAMED else _PLAIN.get(f.type, f.type)) for f in FEATURE_SCHEMA
    ]
    return pa.schema(fields)


FEATURES = pa.schema([*_schema(pa.string()), *_WHERE])
"""What a worker answers: features with names, and where they stood; or, in a row of their own, words about the file."""
CODED = pa.schema([*_schema(pa.int32()), pa.field("seq", pa.int64())])


@dataclass
class _Words:
    """What is refused in one file, until it is handed over."""

    held: list[Rejected] = field(default_factory=list)

    def add(self, one: Rejected) -> None:
        """Keep one."""
        self.held.append(one)

    def taken(self, least: int = 1) -> Iterator[str]:
        """All that is held, as words, when there is at least so much."""
        while len(self.held) >= least:
            yield json.dumps({"refused": [asdict(one) for one in self.held[:AT_ONCE]]})
            del self.held[:AT_ONCE]


@dataclass(frozen=True)
class ReadFiles:
    """What each task does: numbers of files in, features and words out."""

    sources: tuple[Source, ...]
    settings: Settings
    key: Key
    format: str | None
    mapping: Path | None
    span: Span

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for part in batch.column(0).to_pylist():
                yield from self._file(int(part))

    def _file(self, part: int) -> Iterator[pa.RecordBatch]:
        from stillwatch.store.spark import MARK

        try:
            yield from self._read(part)
        except Exception as error:
            raise RuntimeError(f"{MARK}{where_it_failed(error)} in file {part + 1} of the input") from None

    def _read(self, part: int) -> Iterator[pa.RecordBatch]:
        from stillwatch.wiring.intake import Intake

        words = _Words()
        row = spoken = 0
        failed: dict[str, str] | None = None
        intake: Intake | None = None
        try:
            intake = Intake(
                [self.sources[part]], self.settings, self.key, format=self.format, mapping=self.mapping, stdin=None,
                progress=Unheard(), refused=words, span=self.span,
            )  # fmt: skip
            for features in intake.batches():
                table = portable(features, intake.feat.names, self.key.key_id)
                if len(table):
                    yield _numbered(table, part, row)
                row += len(table)
                for told in words.taken(AT_ONCE):
                    yield _said(part, spoken, told)
                    spoken += 1
        except StillwatchError as error:
            failed = {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
            if isinstance(error, SourceError):
                failed["where"] = error.where
        for told in words.taken():
            yield _said(part, spoken, told)
            spoken += 1
        last = {"version": __version__, "rows": row, "failed": failed, **_report(intake)}
        yield _said(part, spoken, json.dumps(last))


def _numbered(table: pa.Table, part: int, row: int) -> pa.RecordBatch:
    n = len(table)
    columns = [
        pa.concat_arrays(table.column(f.name).chunks).cast(f.type) for f in FEATURES if f not in _WHERE
    ]
    rows = np.arange(row, row + n, dtype=np.int64)
    where = [pa.array(np.full(n, part, np.int32)), pa.array(rows), pa.nulls(n, pa.string())]
    return pa.RecordBatch.from_arrays([*columns, *where], schema=FEATURES)


def _said(part: int, number: int, told: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"part": part, "row": number, "told": told}], schema=FEATURES)


def _report(intake: Intake | None) -> dict[str, Any]:
    """What a reader knows of its file when it has read it."""
    if intake is None:
        return {}
    out: dict[str, Any] = {
        "seen": intake.feat.seen_fields, "labels": intake.feat.sampling_labels, "kept": intake.kept,
        "outside": intake.outside,
    }  # fmt: skip
    if (reader := intake.reader) is not None:
        out |= {
            "recognised": [asdict(each) for each in reader.recognised], "notes": reader.notes,
            "strangers": reader.strangers, "digests": reader.digests,
            "counts": {name: asdict(counts) for name, counts in reader.counts.items()},
        }  # fmt: skip
    return out


def read_on_cluster(engine: SparkEngine, intake: Intake) -> int:
    """Fill table ``exchange`` of an engine from the inputs of an intake, which is told all that its reader would know.

    Returns:
        The number of rows.

    Raises:
        SourceError, ConfigError: as reading on one machine does.
    """
    from stillwatch.store.spark import spark_schema

    sources = tuple(intake.sources)
    if any(source.path is None for source in sources):
        raise ConfigError(
            "standard input and object stores cannot be read on Spark",
            hint="name files that every worker sees at the same path, mounted where they lie elsewhere",
        )
    settings = intake.settings.model_copy(
        update={"run": intake.settings.run.model_copy(update={"threads": 1})}
    )
    found_at = tuple(replace(s, path=Path(s.path).resolve()) for s in sources if s.path is not None)
    intake.progress.step(f"reading on Spark, files: {len(sources)}")
    work = ReadFiles(found_at, settings, intake.key, intake.format, intake.mapping, intake.span)
    files = engine.session.range(0, len(sources), 1, numPartitions=len(sources))
    engine.put("read", engine.mapped(files, work, spark_schema(FEATURES)))
    starts = _hear(engine, intake, sources)
    _name(engine, intake)
    found = engine.table("read")
    rows = found.filter(found.told.isnull()).drop("told")
    tables = {name: getattr(intake.feat.names, kind).index for name, kind in NAMED.items()}
    engine.put("exchange", engine.mapped(engine.frame(rows), _Coded(tables, starts), spark_schema(CODED)))
    engine.drop("read")
    return int(starts[-1])


def _hear(engine: SparkEngine, intake: Intake, sources: tuple[Source, ...]) -> np.ndarray:
    """Take in what was told of each file, in order; where the rows of each begin, and of all end."""
    found = engine.table("read")
    told = engine.arrow(
        found.filter(found.told.notnull()).select("part", "row", "told").order_by("part", "row")
    )
    rows = np.zeros(len(sources) + 1, np.int64)
    unusable: SourceError | None = None
    for part, text in zip(told.column("part").to_pylist(), told.column("told").to_pylist(), strict=True):
        said = json.loads(text)
        for one in said.get("refused", ()):
            _refused(intake, Rejected(**one))
        if "version" not in said:
            continue
        if said["version"] != __version__:
            raise ConfigError(
                f"a worker runs stillwatch {said['version']}, this is {__version__}",
                hint="install the same version on every worker",
            )
        rows[part + 1] = said["rows"]
        _absorb(intake, said, sources[part])
        if said["failed"]:
            error = _error(said["failed"], sources[part])
            if sources[part].named or not isinstance(error, SourceError):
                raise error
            unusable = unusable or error
    reader = intake.reader
    if unusable is not None and reader is not None and not reader.recognised and not reader.notes:
        raise unusable
    return np.cumsum(rows)


def _refused(intake: Intake, one: Rejected) -> None:
    intake.refused.add(one)
    if intake.reader is not None and len(intake.reader.rejected) < KEPT_REJECTED:
        intake.reader.rejected.append(one)


def _absorb(intake: Intake, said: dict[str, Any], source: Source) -> None:
    feat = intake.feat
    for name, n in said.get("seen", {}).items():
        feat.seen_fields[name] = feat.seen_fields.get(name, 0) + n
    feat.sampling_labels.update(said.get("labels", {}))
    intake.outside += said.get("outside", 0)
    intake.kept.update({str(source.path): (digest, n) for digest, n in said.get("kept", {}).values()})
    reader = intake.reader
    if reader is not None and "counts" in said:
        reader.recognised += [Recognised(**each) for each in said["recognised"]]
        reader.notes += said["notes"]
        reader.strangers.update(said["strangers"])
        reader.digests.update(said["digests"])
        reader.counts.update({name: Counts(**counts) for name, counts in said["counts"].items()})


def _error(failed: dict[str, str], source: Source) -> StillwatchError:
    """What went wrong with a file, under the name the user gave it."""
    if failed["kind"] != "SourceError":
        return ConfigError(failed["message"], hint=failed["hint"])
    where, message = failed["where"], failed["message"].removeprefix(f"{failed['where']}: ")
    own = str(source.path) if source.path is not None and where == str(source.path.resolve()) else where
    return SourceError(own, message, hint=failed["hint"])


def _name(engine: SparkEngine, intake: Intake) -> None:
    """Give every name the code it gets when the input is read in order."""
    found = engine.table("read")
    place = found.part.cast("int64") * _PART + found.row
    for column, kind in NAMED.items():
        named = found.filter(found[column].notnull())
        first = named.group_by(name=named[column]).agg(place=place.min()).order_by("place")
        interner = getattr(intake.feat.names, kind)
        for name in engine.arrow(first).column("name").to_pylist():
            interner.code(name)


@dataclass(frozen=True)
class _Coded:
    """Names to codes, and places to numbers."""

    codes: dict[str, dict[str, int]]
    starts: np.ndarray

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            columns = []
            for f in CODED:
                if f.name == "seq":
                    seq = self.starts[batch.column("part").to_numpy()] + batch.column("row").to_numpy()
                    columns.append(pa.array(seq))
                elif f.name in self.codes:
                    columns.append(_codes(batch.column(f.name), self.codes[f.name]))
                else:
                    columns.append(batch.column(f.name))
            yield pa.RecordBatch.from_arrays(columns, schema=CODED)


def _codes(column: pa.Array, index: dict[str, int]) -> pa.Array:
    encoded = column.dictionary_encode()
    table = np.array([index[name] for name in encoded.dictionary.to_pylist()] + [MISSING], np.int32)
    at = encoded.indices.cast(pa.int64()).fill_null(len(table) - 1).to_numpy(zero_copy_only=False)
    return pa.array(table[at])
