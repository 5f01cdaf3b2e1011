"""Rows, or foreign Arrow columns, to one batch of exactly the contract's schema, with the refused set apart.

>>> rows = [{"exchange_id": "e1", "started_at": "2026-11-24T04:14:50Z", "account_id": "a", "model": "m"},
...         {"exchange_id": "e2", "started_at": "2026-11-24T04:14:51Z", "account_id": "", "model": "m"}]
>>> batch, reasons = from_rows(rows, EXCHANGE_SCHEMA, EXCHANGE_REQUIRED, Limits())
>>> batch.num_rows, reasons
(1, {1: 'account_id is empty'})
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.checks import Limits, flaws
from stillwatch.ingest.client import KEY_SHAPE, keeps, kept_pairs
from stillwatch.ingest.coerce import Reasons, cast_time_text, coerced
from stillwatch.ingest.plainjson import Plain
from stillwatch.ingest.refusal import Row
from stillwatch.records import EXCHANGE_REQUIRED, EXCHANGE_SCHEMA, TIMESTAMP

__all__ = ["EXCHANGE_REQUIRED", "EXCHANGE_SCHEMA", "Limits", "from_columns", "from_lines", "from_rows"]


def from_rows(
    rows: list[Row], schema: pa.Schema, required: Iterable[str], limits: Limits
) -> tuple[pa.RecordBatch, Reasons]:
    """Rows under the contract's names, to Arrow. Names the contract does not know are let pass.

    Returns:
        The batch without the refused rows, and why each refused row (by its place in ``rows``) was refused.
    """
    batch, reasons = _columns_of(rows, schema)
    return _sifted(batch, reasons, required, limits)


def from_lines(
    plain: Plain, rows: list[Row], places: np.ndarray, required: Iterable[str], limits: Limits
) -> tuple[pa.RecordBatch, Reasons]:
    """Plain lines together with the rows of the others, as one batch in the order of the log.

    Args:
        plain: what was read of the plain lines.
        rows: records of the lines that are not plain and are records.
        places: int64[rows]: the place that each of ``rows`` takes in the whole, ascending.
    """
    batch, reasons = plain.batch, plain.reasons
    if rows:
        more, wrong = _columns_of(rows, batch.schema)
        total = batch.num_rows + len(rows)
        theirs = np.zeros(total, np.bool_)
        theirs[places] = True
        order = np.where(theirs, batch.num_rows + np.cumsum(theirs) - 1, np.cumsum(~theirs) - 1)
        ours = np.flatnonzero(~theirs)
        batch = pa.concat_batches([batch, more]).take(pa.array(order))
        reasons = {int(ours[row]): reason for row, reason in reasons.items()}
        _merge(reasons, {int(places[row]): reason for row, reason in wrong.items()})
    return _sifted(batch, reasons, required, limits)


def _columns_of(rows: list[Row], schema: pa.Schema) -> tuple[pa.RecordBatch, Reasons]:
    present = set().union(*rows)
    arrays: list[pa.Array] = []
    reasons: Reasons = {}
    for field in schema:
        if field.name not in present:
            arrays.append(pa.nulls(len(rows), field.type))
            continue
        values = _column(rows, field.name)
        if field.name == "client_headers":
            values = [None if value is None else kept_pairs(value) for value in values]
        array, wrong = coerced(field.name, field.type, values)
        arrays.append(array)
        _merge(reasons, wrong)
    return pa.RecordBatch.from_arrays(arrays, schema=schema), reasons


def _column(rows: list[Row], name: str) -> list[Any]:
    try:
        return list(map(itemgetter(name), rows))
    except KeyError:
        return [row.get(name) for row in rows]


def from_columns(
    table: pa.RecordBatch, schema: pa.Schema, required: Iterable[str], limits: Limits
) -> tuple[pa.RecordBatch, Reasons]:
    """A batch whose columns carry the contract's names in whatever types, cast column by column."""
    arrays: list[pa.Array] = []
    reasons: Reasons = {}
    names = set(table.schema.names)
    for field in schema:
        if field.name not in names:
            arrays.append(pa.nulls(table.num_rows, field.type))
            continue
        array, wrong = _cast(field.name, field.type, table.column(field.name))
        arrays.append(array)
        _merge(reasons, wrong)
    return _sifted(pa.RecordBatch.from_arrays(arrays, schema=schema), reasons, required, limits)


def _sifted(
    batch: pa.RecordBatch, reasons: Reasons, required: Iterable[str], limits: Limits
) -> tuple[pa.RecordBatch, Reasons]:
    for row, reason in flaws(batch, required, limits).items():
        reasons.setdefault(row, reason)
    if reasons:
        keep = np.ones(batch.num_rows, dtype=bool)
        keep[list(reasons)] = False
        batch = batch.filter(pa.array(keep))
    return batch, dict(sorted(reasons.items()))


def _merge(reasons: Reasons, more: Reasons) -> None:
    for row, reason in more.items():
        reasons.setdefault(row, reason)


def _cast(name: str, kind: pa.DataType, column: pa.Array) -> tuple[pa.Array, Reasons]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    found: pa.Array | None = None
    if column.null_count == len(column):
        found = pa.nulls(len(column), kind)
    else:
        for applies, caster in _CASTS:
            if applies(kind):
                found = _attempt(caster, column, kind)
                break
    if found is not None:
        return found, {}
    values = _values(column)
    if name == "client_headers":
        values = [None if value is None else kept_pairs(value) for value in values]
    return coerced(name, kind, values)


def _attempt(
    caster: Callable[[pa.Array, pa.DataType], pa.Array | None], column: pa.Array, kind: pa.DataType
) -> pa.Array | None:
    try:
        found = caster(column, kind)
        # a map was validated before its names were looked at
        if found is not None and not pa.types.is_map(kind):
            found.validate(full=True)
        return found
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return None


def _values(column: pa.Array) -> list[Any]:
    """Python values; texts go by way of bytes, so that one that is not UTF-8 costs its row only."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return [_decoded(value) for value in column.cast(pa.large_binary()).to_pylist()]
    try:
        return column.to_pylist()  # type: ignore[no-any-return]  # pyarrow is untyped
    except (UnicodeDecodeError, ValueError, OverflowError):
        return [_value(item) for item in column]


def _decoded(value: bytes | None) -> str | bytes | None:
    """The text, or the bytes as they are where they are none: no field takes those."""
    try:
        return None if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        return value


def _value(item: Any) -> Any:
    try:
        return item.as_py()
    except (UnicodeDecodeError, ValueError, OverflowError):
        return object()


def _as_text(column: pa.Array, kind: pa.DataType) -> pa.Array | None:
    types = pa.types
    textual = (
        types.is_string(column.type)
        or types.is_large_string(column.type)
        or types.is_string_view(column.type)
    )
    if (
        textual
        or types.is_integer(column.type)
        or types.is_binary(column.type)
        or types.is_large_binary(column.type)
    ):
        return column.cast(kind)
    return None


def _as_number(column: pa.Array, kind: pa.DataType) -> pa.Array | None:
    types = pa.types
    if types.is_integer(column.type) or types.is_floating(column.type) or types.is_decimal(column.type):
        return column.cast(kind)
    return None


def _as_truth(column: pa.Array, kind: pa.DataType) -> pa.Array | None:
    return column if pa.types.is_boolean(column.type) else None


def _as_time(column: pa.Array, kind: pa.DataType) -> pa.Array | None:
    types = pa.types
    if types.is_timestamp(column.type):
        return _micros(column.cast(pa.int64()), column.type.unit)
    if types.is_date(column.type):
        return column.cast(pa.timestamp("us")).cast(TIMESTAMP)
    if types.is_string(column.type) or types.is_large_string(column.type):
        column.validate(full=True)
        return cast_time_text(column.cast(pa.string()))
    if types.is_integer(column.type):
        sizes = pc.min_max(pc.abs_checked(column.cast(pa.int64())))
        units = {_unit(sizes["min"].as_py()), _unit(sizes["max"].as_py())}
        return _micros(column.cast(pa.int64()), units.pop()) if len(units) == 1 else None
    return None


def _unit(size: int) -> str:
    return "s" if size < 10**11 else "ms" if size < 10**14 else "us" if size < 10**17 else "ns"


def _micros(numbers: pa.Array, unit: str) -> pa.Array:
    """Whole numbers of a unit to the contract's microseconds; finer ones are rounded down, as a clock shows."""
    if unit == "ns":
        down = pc.divide(numbers, 1000)
        numbers = pc.subtract(down, pc.cast(pc.less(numbers, pc.multiply(down, 1000)), pa.int64()))
    elif unit != "us":
        most = 2**62 // (1_000_000 if unit == "s" else 1_000)
        numbers = pc.max_element_wise(
            pc.min_element_wise(numbers, most, skip_nulls=False), -most, skip_nulls=False
        )
        numbers = pc.multiply(numbers, 1_000_000 if unit == "s" else 1_000)
    return numbers.cast(TIMESTAMP)


def _as_list(column: pa.Array, kind: pa.DataType) -> pa.Array | None:
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        cast = column.cast(kind)
        return cast if not cast.flatten().null_count else None
    return None


def _as_map(column: pa.Array, kind: pa.DataType) -> pa.Array | None:
    """Headers as they are, when every name is one that is kept and no value looks like a secret."""
    if not pa.types.is_map(column.type):
        return None
    cast = column.cast(kind)
    cast.validate(full=True)
    names, values = pc.unique(cast.keys), pc.unique(cast.items)
    if all(name == name.lower() and keeps(name) and "referer" not in name for name in names.to_pylist()):
        suspicious = pc.or_(
            pc.match_substring_regex(values, KEY_SHAPE), pc.greater(pc.utf8_length(values), 512)
        )
        if not pc.any(pc.fill_null(suspicious, True)).as_py():
            return cast
    return None


_CASTS: list[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array, pa.DataType], pa.Array | None]]] = [
    (pa.types.is_string, _as_text),
    (pa.types.is_integer, _as_number),
    (pa.types.is_floating, _as_number),
    (pa.types.is_boolean, _as_truth),
    (pa.types.is_timestamp, _as_time),
    (pa.types.is_map, _as_map),
    (pa.types.is_list, _as_list),
]
