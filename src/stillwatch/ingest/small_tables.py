"""The small second inputs (accounts, grants, releases): one file or more, in any of their containers."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.errors import SourceError
from stillwatch.ingest import parquet
from stillwatch.ingest.assemble import from_rows
from stillwatch.ingest.checks import Limits
from stillwatch.ingest.framing import framed
from stillwatch.ingest.recognise import container_of
from stillwatch.ingest.refusal import Broken, Refusal, Row
from stillwatch.ingest.source import Source, Tap, find_sources, squash, unpacked
from stillwatch.records import Rejected

Prepare = Callable[[Row], Row | Refusal]
_LARGEST = 2 * 2**30


def read_small(
    paths: list[str],
    schema: pa.Schema,
    required: frozenset[str],
    *,
    prepare: Prepare | None = None,
    table: str = "",
) -> tuple[pa.Table, list[Rejected], list[tuple[str, int]]]:
    """Read rows of a schema from JSON lines, JSON, CSV, Parquet, or (with ``table``) TOML.

    Args:
        paths: files, folders or patterns.
        schema, required: what a row is, and what it must have.
        prepare: a last look at each row, before it is cast.
        table: the name of the TOML array of tables; empty when TOML is not accepted.

    Returns:
        The rows, the refused ones, and for each row where it came from.

    Raises:
        SourceError: when a file is of no known kind, or has none of the schema's required names.
    """
    rows: list[Row] = []
    places: list[tuple[str, int]] = []
    rejected: list[Rejected] = []
    for source in find_sources(paths):
        for line, record in _records(source, schema, required, table):
            answer = record if isinstance(record, Refusal) or prepare is None else _prepared(prepare, record)
            if isinstance(answer, Refusal):
                rejected.append(Rejected(source.name, line, answer.reason))
            else:
                rows.append(answer)
                places.append((source.name, line))
    batch, reasons = from_rows(rows, schema, required, Limits())
    rejected.extend(Rejected(*places[row], reason) for row, reason in reasons.items())
    kept = [place for row, place in enumerate(places) if row not in reasons]
    return pa.Table.from_batches([batch], schema=schema), rejected, kept


def _prepared(prepare: Prepare, record: Row) -> Row | Refusal:
    try:
        return prepare(record)
    except (TypeError, ValueError, AttributeError):
        return Refusal("the row does not have the expected shape")


def _records(
    source: Source, schema: pa.Schema, required: frozenset[str], table: str
) -> Iterator[tuple[int, Any]]:
    data, broken = _whole(source)
    if not data.strip():
        if broken:
            yield 1, Refusal(broken)
        return
    if data.startswith(parquet.MAGIC):
        file = parquet.open_parquet(source.name, io.BytesIO(data))
        parquet.require(source.name, file, required)
        names = [name for name in file.schema_arrow.names if name in schema.names]
        yield from enumerate(
            (row for b in parquet.batches(file, names, 10_000) for row in parquet.plain_rows(b)), 1
        )
        return
    if table and (tables := _toml(source, data, table)) is not None:
        yield from enumerate(tables, 1)
        return
    container = container_of(data[: 1 << 18])
    if container not in ("jsonl", "json", "csv"):
        kinds = "JSON lines, CSV, Parquet" + (" or TOML" if table else "")
        raise SourceError(source.name, "not a table of any known kind", hint=f"write it as {kinds}")
    number = 0
    for number, record, _ in framed(container, iter([data]), limit=16 * 2**20):
        yield number, record
    if broken:
        yield number + 1, Refusal(broken)


def _whole(source: Source) -> tuple[bytes, str]:
    """The whole file, decompressed: these inputs are small. What came before a break is kept."""
    held, broken = bytearray(), ""
    with source.open() as stream:
        raw = Tap(source, stream, None).chunks()
        first = next(raw, b"")
        try:
            for chunk in unpacked(_again(first, raw), squash(first)):
                held += chunk
                if len(held) > _LARGEST:
                    raise SourceError(source.name, "larger than 2 GiB", hint="split the file")
        except Broken as error:
            broken = error.reason
    return bytes(held).removeprefix(b"\xef\xbb\xbf"), broken


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _toml(source: Source, data: bytes, table: str) -> list[Any] | None:
    """The tables of a TOML file; None when the content is not TOML."""
    if data.lstrip()[:1] == b"{" or (
        Path(source.name).suffix != ".toml" and f"[[{table}]]".encode() not in data
    ):
        return None
    try:
        found = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(source.name, f"not valid TOML: {error}", hint="check the line named") from error
    if unknown := sorted(set(found) - {table}):
        raise SourceError(
            source.name, f"unknown key {unknown[0]}", hint=f"only [[{table}]] tables belong here"
        )
    tables = found.get(table, [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise SourceError(
            source.name, f"{table} is not an array of tables", hint=f"write [[{table}]] before each"
        )
    return tables


def as_paths(
    paths: str | Path | list[str | Path] | list[str] | list[Path] | tuple[str | Path, ...],
) -> list[str]:
    """One path or several, as text."""
    return [str(paths)] if isinstance(paths, (str, Path)) else [str(path) for path in paths]
