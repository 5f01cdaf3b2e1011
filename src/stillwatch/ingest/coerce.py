"""One column's worth of loose values to the contract's type; what does not fit is named, not guessed.

The quick way out is taken when every value already has the right Python type; only then are values looked
at one by one.

>>> import pyarrow as pa
>>> coerced("input_tokens", pa.int64(), ["12", 3.0, None, "many"])[1]
{3: 'input_tokens is not a whole number'}
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from types import NoneType
from typing import Any

import pyarrow as pa

from stillwatch.ingest.jsontext import dump, parsed
from stillwatch.ingest.times import to_time
from stillwatch.records import TIMESTAMP

Reasons = dict[int, str]
"""Row number in the batch to why that row is refused; the first reason stands."""

_NO = object()
_FREE = frozenset({"seed"})
"""What a client may set to anything and be served: left out when it does not fit, for it must hide nobody."""
_STRUCTURED = frozenset({"messages", "tools"})
_QUICK: dict[Any, frozenset[type]] = {
    pa.string(): frozenset({str, NoneType}),
    pa.int64(): frozenset({int, NoneType}),
    pa.float64(): frozenset({float, int, NoneType}),
    pa.bool_(): frozenset({bool, NoneType}),
    pa.map_(pa.string(), pa.string()): frozenset({tuple, NoneType}),
}


def coerced(name: str, kind: pa.DataType, values: list[Any]) -> tuple[pa.Array, Reasons]:
    """The column as Arrow, and the rows whose value cannot be that.

    Args:
        name: the contract's field name.
        kind: its Arrow type.
        values: one per row; None means missing.
    """
    types = set(map(type, values))
    if kind == TIMESTAMP:
        quick = _quick_times(values, types)
    else:
        quick = _try(values, kind) if types <= _QUICK.get(kind, frozenset()) else None
    return (quick, {}) if quick is not None else _one_by_one(name, kind, values)


def _try(values: Any, kind: pa.DataType) -> pa.Array | None:
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return None


def _quick_times(values: list[Any], types: set[type]) -> pa.Array | None:
    if types <= {datetime, NoneType}:
        return _try(values, TIMESTAMP)
    return (
        cast_time_text(pa.array(values, pa.string())) if types <= {str, NoneType} and _plain(values) else None
    )


def _plain(values: list[str | None]) -> bool:
    return all(value is None or value.isascii() for value in values)


def cast_time_text(texts: pa.Array) -> pa.Array | None:
    """RFC 3339 texts that all have a zone, or all have none, in one sweep; None when they need a closer look."""
    for kind in (TIMESTAMP, pa.timestamp("us")):
        try:
            return texts.cast(kind).cast(TIMESTAMP)
        except pa.ArrowException:
            continue
    return None


def _one_by_one(name: str, kind: pa.DataType, values: list[Any]) -> tuple[pa.Array, Reasons]:
    convert, expected = _CONVERTERS.get(kind, (_texts, "a list of texts"))
    if name in _STRUCTURED:
        convert = _json_text
    reasons: Reasons = {}
    kept: list[Any] = []
    for row, value in enumerate(values):
        new = None if value is None else convert(value)
        if new is _NO and name not in _FREE:
            reasons[row] = f"{name} is not {expected}"
        kept.append(None if new is _NO else new)
    return pa.array(kept, kind), reasons


def _text(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        return value
    if isinstance(value, (bytes, bytearray)):
        try:
            return bytes(value).decode("utf-8")
        except UnicodeDecodeError:
            return _NO
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _NO


def _json_text(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        text = dump(value)
        return _NO if text is None else text
    return _text(value)


def _whole(value: Any) -> Any:
    if isinstance(value, bool):
        return _NO
    if isinstance(value, str):
        try:
            value = int(value) if len(value) < 30 else _NO
        except ValueError:
            value = _real(value)
    if isinstance(value, (float, Decimal)):
        value = int(value) if math.isfinite(value) and value == int(value) else _NO
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else _NO


def _real(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return _NO
    try:
        return float(value) if not isinstance(value, str) or len(value) < 40 else _NO
    except (ValueError, OverflowError):
        return _NO


def _truth(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        value = value.strip().lower()
    return {"true": True, "false": False, "1": True, "0": False, 1: True, 0: False}.get(_hashable(value), _NO)


def _hashable(value: Any) -> Any:
    return value if isinstance(value, (str, int, float)) else None


def _time(value: Any) -> Any:
    found = to_time(value)
    return _NO if found is None else found


def _texts(value: Any) -> Any:
    value = parsed(value)
    if isinstance(value, str):
        return [_text(value)]
    if not isinstance(value, (list, tuple)):
        return _NO
    items = [_text(item) for item in value if item is not None]
    return _NO if any(item is _NO for item in items) else items


def _pairs(value: Any) -> Any:
    value = parsed(value)
    if isinstance(value, dict):
        value = list(value.items())
    if not isinstance(value, (list, tuple)):
        return _NO
    kept = []
    for pair in value:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], str):
            return _NO
        text = None if pair[1] is None else _text(pair[1])
        if isinstance(text, str):
            kept.append((_text(pair[0]), text))
    return kept


_CONVERTERS: dict[Any, tuple[Callable[[Any], Any], str]] = {
    pa.string(): (_text, "text"),
    pa.int64(): (_whole, "a whole number"),
    pa.float64(): (_real, "a number"),
    pa.bool_(): (_truth, "true or false"),
    TIMESTAMP: (_time, "a time"),
    pa.map_(pa.string(), pa.string()): (_pairs, "a map of texts"),
}
