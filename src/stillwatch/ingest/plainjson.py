"""JSON lines in plain dress, read column by column without a Python object for each field.

A line is *plain* when it is one flat object: known fields hold the contract's own types, headers are a flat
object, digests a list of texts, and what the contract does not know is a text, a number or a word. Such a line
is read here, and means exactly what orjson would make of it. Every other line, sound or not, is named in
`Plain.other` and left to the reader that looks at records one by one: this module refuses nothing and mends nothing.

>>> import pyarrow as pa
>>> schema = pa.schema([("model", pa.string()), ("n", pa.int64())])
>>> found = read_plain([b'{"model": "m", "n": 2}', b'{"model": ["m"]}', b'{"x": 1}'], schema)
>>> found.batch.to_pylist(), found.other.tolist()
([{'model': 'm', 'n': 2}, {'model': None, 'n': None}], [1])
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from stillwatch.ingest.client import kept_pairs
from stillwatch.ingest.coerce import Reasons, coerced
from stillwatch.ingest.jsonscan import (
    ANY,
    BOOL,
    ESCAPED,
    LIST,
    MAP,
    REAL,
    TEXT,
    TIME,
    WHOLE,
    gather,
    name_table,
    scan,
)
from stillwatch.records import TIMESTAMP

_KINDS = {pa.string(): TEXT, pa.int64(): WHOLE, pa.float64(): REAL, pa.bool_(): BOOL, TIMESTAMP: TIME}


@dataclass(frozen=True, slots=True)
class Plain:
    """What was read of some lines."""

    batch: pa.RecordBatch
    """One row for each plain line, in order."""
    reasons: Reasons
    """Rows of ``batch`` that hold a value which no field takes."""
    other: np.ndarray
    """int64: which of the lines are not plain, ascending."""


def read_plain(lines: list[bytes], schema: pa.Schema) -> Plain:
    """The plain ones of some lines as a batch of ``schema``; fields that a line lacks are null.

    Args:
        lines: one record each, without line ends. None is taken as plain when together they reach 2 GiB.
        schema: texts, whole and real numbers, truths, UTC times, maps and lists of texts; at most 64 fields.
    """
    data = np.frombuffer(b"".join(lines) or b"\0", dtype=np.uint8)
    ends = np.cumsum(np.fromiter(map(len, lines), np.int64, len(lines)))
    kinds, names, name_ends, table = _layout(schema)
    shape = (len(schema), len(lines))
    begin, end = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    state, number = np.zeros(shape, np.uint8), np.zeros(shape, np.int64)
    plain = np.zeros(len(lines), np.bool_)
    fits = len(data) < 2**31
    rows = scan(
        data, ends if fits else ends[:0], kinds, names, name_ends, table, begin, end, state, number, plain
    )
    reasons: Reasons = {}
    arrays = [
        _column(
            field, kinds[i], data, begin[i, :rows], end[i, :rows], state[i, :rows], number[i, :rows], reasons
        )
        for i, field in enumerate(schema)
    ]
    return Plain(pa.RecordBatch.from_arrays(arrays, schema=schema), reasons, np.flatnonzero(~plain))


@lru_cache(maxsize=8)
def _layout(schema: pa.Schema) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Kind of each field, the fields' names end to end, where each ends, and a hash table of them."""
    kinds = [MAP if pa.types.is_map(f.type) else _KINDS.get(f.type, LIST) for f in schema]
    encoded = [name.encode() for name in schema.names]
    names = np.frombuffer(b"".join(encoded), np.uint8)
    ends = np.cumsum([len(name) for name in encoded]).astype(np.int64)
    return np.array([*kinds, ANY], np.int64), names, ends, name_table(names, ends)


def _column(
    field: pa.Field, kind: int, data: np.ndarray, begin: np.ndarray, end: np.ndarray, state: np.ndarray,
    number: np.ndarray, reasons: Reasons,
) -> pa.Array:  # fmt: skip
    missing = state == 0
    if missing.all():
        return pa.nulls(len(state), field.type)
    if kind == TEXT:
        return _texts(data, begin, end, state, missing)
    if kind == REAL:
        return _texts(data, begin, end, state, missing).cast(field.type)
    if kind == BOOL:
        return pa.array(number != 0, mask=missing)
    if kind in (WHOLE, TIME):
        return pa.array(number, mask=missing).view(field.type)
    spans = _texts(data, begin, end, np.minimum(state, ESCAPED - 1), missing)
    array, wrong = (_headers if kind == MAP else _lists)(field, spans)
    for row, reason in wrong.items():
        reasons.setdefault(row, reason)
    return array


def _texts(
    data: np.ndarray, begin: np.ndarray, end: np.ndarray, state: np.ndarray, missing: np.ndarray
) -> pa.Array:
    n = len(state)
    out = np.empty(int((end - begin).sum()), np.uint8)
    offsets = np.empty(n + 1, np.int32)
    gather(data, begin, end, state, out, offsets)
    absent = int(missing.sum())
    valid = pa.py_buffer(np.packbits(~missing, bitorder="little")) if absent else None
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(out), valid, absent)


def _headers(field: pa.Field, spans: pa.Array) -> tuple[pa.Array, Reasons]:
    """Headers from their JSON text; a log repeats the same few texts over and over."""
    encoded = spans.dictionary_encode()
    kept = [kept_pairs(orjson.loads(text)) for text in encoded.dictionary.to_pylist()]
    array, wrong = coerced(field.name, field.type, kept)
    return array.take(encoded.indices), wrong


def _lists(field: pa.Field, spans: pa.Array) -> tuple[pa.Array, Reasons]:
    given = spans.is_valid().to_numpy(zero_copy_only=False)
    values: list[Any] = [orjson.loads(text) for text in spans.drop_null().to_pylist()]
    array, wrong = coerced(field.name, field.type, values)
    place = pa.array(np.cumsum(given) - 1, mask=~given)
    at = np.flatnonzero(given)
    return array.take(place), {int(at[row]): reason for row, reason in wrong.items()}
