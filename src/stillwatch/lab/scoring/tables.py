"""The files of an output folder, read row by row: whoever wrote them is not trusted, and memory stays bounded.

A file is a plain file of the folder, not a folder or a link, so that a detector cannot point the scorer at anything
else. Tables are read in batches and never held whole. What a column must be stands in `FILES`; whatever is not so
ends in a `SourceError` that names file, column and reason.
"""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds

from stillwatch.errors import SourceError

Kind = Literal["id", "word", "number"]
FILES: dict[str, dict[str, Kind]] = {
    "members.parquet": {"campaign_id": "id", "account_id": "id", "tier": "word", "membership_bits": "number"},
    "accounts.parquet": {"account_id": "id", "disposition_hint": "word"},
    "campaigns.parquet": {
        "campaign_id": "id", "kind": "word", "p_value": "number", "false_discovery_rate": "number",
    },
    "scores.parquet": {"account_id": "id", "score": "number"},
}  # fmt: skip
"""Columns that are read and what they hold; others may be there. An ``id`` is text or a whole number and never null, a
``word`` is text, a ``number`` is no text; null and NaN mean that a word or number is not given. Text may be
dictionary-encoded; nested columns are refused."""
NEEDED = {
    "members.parquet": ("campaign_id", "account_id"),
    "accounts.parquet": ("account_id",),
    "campaigns.parquet": ("campaign_id",),
    "scores.parquet": ("account_id", "score"),
}
"""Columns without which a file means nothing."""
MOST_ROWS = 2_000_000
MOST_BYTES = 1 << 30
"""Rows of one table, and bytes of its columns before compression. Larger ones are refused unread."""
MOST_TEXT = 1_000
"""Characters of one id or word."""
MOST_ABOUT = 1 << 20
"""Bytes of ``detector.json``."""
BATCH = 65_536


def rows_of(source: pa.Table | Path | None, name: str, where: str) -> Iterator[tuple[Any, ...]]:
    """Rows of one file of `FILES`, values in the order of its columns; those it does not have are None.

    Args
    ----
    source: a table in memory, a Parquet file of it, or None for no rows.
    name: which file it is.
    where: named in errors for a table in memory.

    Raises
    ------
    SourceError: it cannot be read, is too large, lacks a column, or holds something that the column cannot hold.
    """
    if source is None:
        return
    where = str(source) if isinstance(source, Path) else f"{where}/{name}"
    for batch in _batches(source, name, where):
        columns = [
            _values(batch.column(column), column, kind, where)
            if column in batch.schema.names
            else [None] * len(batch)
            for column, kind in FILES[name].items()
        ]
        for row in zip(*columns, strict=True):
            _complete(row, name, where)
            yield row


def read_about(path: Path) -> dict[str, Any]:
    """What ``detector.json`` says; ``id``, ``title``, ``version`` and ``source`` as text.

    Raises
    ------
    SourceError: it is no plain file, too large, no JSON object, or names the detector at great length.
    """
    hint = 'write {"id": ..., "version": ...}'
    if not present(path):
        return {}
    if path.stat().st_size > MOST_ABOUT:
        raise SourceError(str(path), f"larger than {MOST_ABOUT:,} bytes", hint=hint)
    try:
        about = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError, OSError) as error:
        raise SourceError(str(path), "not JSON", hint=hint) from error
    if not isinstance(about, dict):
        raise SourceError(str(path), "not a JSON object", hint=hint)
    for key in {"id", "title", "version", "source"} & about.keys():
        value = about[key]
        plain = value is None or isinstance(value, str | int | float)
        if not plain or len(str(value)) > MOST_TEXT:
            raise SourceError(str(path), f"{key} is not text of at most {MOST_TEXT:,} characters", hint=hint)
    return {
        k: str(v) if k in ("id", "title", "version", "source") else v
        for k, v in about.items()
        if v is not None
    }


def present(path: Path) -> bool:
    """Whether there is a plain file; what is there and is none is refused."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not stat.S_ISREG(mode):
        raise SourceError(str(path), "not a plain file", hint="write the file itself, not a folder or a link")
    return True


def _batches(source: pa.Table | Path, name: str, where: str) -> Iterator[pa.RecordBatch]:
    if not isinstance(source, Path):
        _columns(source.schema, name, where)
        _small(len(source), source.nbytes, where)
        yield from source.select([c for c in FILES[name] if c in source.column_names]).to_batches(BATCH)
        return
    if not present(source):
        raise SourceError(where, "there is no such file", hint="give a Parquet file")
    try:
        with pq.ParquetFile(source) as plain:
            meta, schema = plain.metadata, plain.schema_arrow
            _columns(schema, name, where)
            wanted = [c for c in FILES[name] if c in schema.names]
            groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
            parts = [g.column(i) for g in groups for i in range(g.num_columns)]
            size = sum(p.total_uncompressed_size for p in parts if p.path_in_schema in wanted)
            _small(meta.num_rows, size, where)
        texts = [c for c in wanted if kinds.is_string(schema.field(c).type)]
        with pq.ParquetFile(source, read_dictionary=texts) as file:
            yield from file.iter_batches(BATCH, columns=wanted)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(where, "not a readable Parquet file", hint="write it again") from error


def _small(rows: int, size: int, where: str) -> None:
    if rows > MOST_ROWS or size > MOST_BYTES:
        raise SourceError(
            where, f"{rows:,} rows and {size:,} bytes are too many",
            hint=f"at most {MOST_ROWS:,} rows and {MOST_BYTES:,} bytes are read",
        )  # fmt: skip


def _columns(schema: pa.Schema, name: str, where: str) -> None:
    missing = sorted(set(NEEDED[name]) - set(schema.names))
    if missing:
        raise SourceError(
            where, f"no column {', '.join(missing)}", hint=f"it needs {', '.join(NEEDED[name])}"
        )
    for column, kind in FILES[name].items():
        if schema.names.count(column) > 1:
            raise SourceError(where, f"two columns {column}", hint="leave one out")
        if column in schema.names and not _fits(schema.field(column).type, kind):
            raise SourceError(
                where, f"column {column} holds {str(schema.field(column).type)[:60]}",
                hint=f"it must hold {'numbers' if kind == 'number' else 'text'}",
            )  # fmt: skip


def _fits(found: pa.DataType, kind: Kind) -> bool:
    if kinds.is_null(found):
        return True
    if kinds.is_dictionary(found):
        found = found.value_type
    if kind == "number":
        return bool(kinds.is_integer(found) or kinds.is_floating(found))
    text = kinds.is_string(found) or kinds.is_large_string(found) or kinds.is_string_view(found)
    return bool(text or (kind == "id" and kinds.is_integer(found)))


def _values(array: pa.Array, column: str, kind: Kind, where: str) -> list[Any]:
    if kind == "number":
        return [None if v is None or math.isnan(v) else float(v) for v in array.to_pylist()]
    distinct = array.dictionary if isinstance(array, pa.DictionaryArray) else array
    try:
        words = [None if v is None else str(v) for v in distinct.to_pylist()]
    except UnicodeDecodeError as error:
        raise SourceError(where, f"column {column} is not UTF-8", hint="write text as UTF-8") from error
    if any(w is not None and len(w) > MOST_TEXT for w in words):
        raise SourceError(
            where, f"a value of {column} is longer than {MOST_TEXT:,} characters", hint="shorten it"
        )
    if isinstance(array, pa.DictionaryArray):
        return [None if i is None else words[i] for i in array.indices.to_pylist()]
    return words


def _complete(row: tuple[Any, ...], name: str, where: str) -> None:
    for value, (column, kind) in zip(row, FILES[name].items(), strict=True):
        if value is None and kind == "id":
            raise SourceError(where, f"a required value is null: {column}", hint="leave the row out")


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is not JSON")


__all__ = [
    "FILES",
    "MOST_ABOUT",
    "MOST_BYTES",
    "MOST_ROWS",
    "MOST_TEXT",
    "NEEDED",
    "present",
    "read_about",
    "rows_of",
]
