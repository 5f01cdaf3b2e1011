"""Parquet: its column names for recognition, and its rows in batches whose size is bounded in bytes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import SourceError
from stillwatch.ingest.jsontext import dump

MAGIC = b"PAR1"
_BATCH_BYTES = 16 * 2**20
"""Larger batches take longer: their memory is given back to the system each time, which clears it anew."""


def open_parquet(name: str, stream: BinaryIO) -> pq.ParquetFile:
    """The file, its footer read. Columns are read when their batch comes: fetched ahead, all of them would be held.

    Raises:
        SourceError: when the footer is damaged or missing.
    """
    try:
        return pq.ParquetFile(stream, pre_buffer=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(
            name, "a damaged or cut Parquet file", hint="write or copy the file again"
        ) from error


def parquet_head(file: pq.ParquetFile) -> bytes:
    """What formats are shown of a Parquet file: one JSON line with its column names as keys."""
    return (dump(dict.fromkeys(file.schema_arrow.names)) or "{}").encode()


def require(name: str, file: pq.ParquetFile, required: frozenset[str]) -> None:
    """Refuse a file that lacks a required column.

    Raises:
        SourceError: naming every column that is missing.
    """
    if missing := sorted(required - set(file.schema_arrow.names)):
        raise SourceError(
            name,
            f"the Parquet file has no column {', '.join(missing)}",
            hint="rename the columns to the data contract's names, or describe the file with --mapping",
        )


def batches(file: pq.ParquetFile, columns: list[str] | None, rows: int) -> Iterator[pa.RecordBatch]:
    """Batches of at most ``rows`` rows, fewer where rows are long.

    Raises:
        SourceError: never; a damaged page ends in pyarrow's own error, which the reader turns into a refusal.
    """
    meta = file.metadata
    groups = [meta.row_group(index) for index in range(meta.num_row_groups)]
    heaviest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1.0)
    fit = max(1, min(rows, int(_BATCH_BYTES / max(heaviest, 1.0))))
    return file.iter_batches(batch_size=fit, columns=columns, use_threads=False)  # type: ignore[no-any-return]


def plain_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Rows as dicts; a text that is not UTF-8 or a time outside Python's range becomes None."""
    with contextlib.suppress(UnicodeDecodeError, ValueError, OverflowError):
        return batch.to_pylist()  # type: ignore[no-any-return]
    columns = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        columns[name] = [_value(item) for item in column]
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _value(item: Any) -> Any:
    try:
        return item.as_py()
    except (UnicodeDecodeError, ValueError, OverflowError):
        return None
