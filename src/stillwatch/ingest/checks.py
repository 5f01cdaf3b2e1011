"""What a row must hold to be an exchange, checked column by column at Arrow speed.

Only what no server could have served is refused: an empty account, a time outside the range, a negative or
infinite count. Limits are generous on purpose, and each refusal says which field and why.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.coerce import Reasons

_LONGEST_ID = 1024
_COUNTS = {
    "input_tokens": 10**9, "output_tokens": 10**9, "reasoning_tokens": 10**9, "cached_tokens": 10**9,
    "n": 10**6, "max_tokens": 10**12, "turn": 10**9, "client_asn": 2**32 - 1, "status": 999,
    "max_exchanges": 2**62, "max_output_tokens": 2**62,
}  # fmt: skip
_QUANTITIES = {"temperature": 1_000.0, "top_p": 1_000.0, "latency_ms": 1e10}


@dataclass(frozen=True, slots=True)
class Limits:
    """What is believable; outside it a row is refused with its reason."""

    earliest: datetime = datetime(2015, 1, 1, tzinfo=UTC)
    """No request is older."""
    latest: datetime = datetime(2100, 1, 1, tzinfo=UTC)
    """No request is from this moment or later."""
    max_record_bytes: int = 16 * 2**20
    """Longest text of one row, in bytes."""


def flaws(batch: pa.RecordBatch, required: Iterable[str], limits: Limits) -> Reasons:
    """Rows of a batch that cannot be believed, each with its first reason.

    Args:
        batch: any schema of the contract.
        required: fields that may be neither null nor empty.
        limits: time range and sizes.
    """
    reasons: Reasons = {}
    for name in sorted(required):
        column = batch.column(name)
        if column.null_count:
            _note(reasons, pc.is_null(column), f"{name} is missing")
        if pa.types.is_string(column.type):
            lengths = pc.binary_length(column)
            _note(reasons, pc.equal(lengths, 0), f"{name} is empty")
            _note(reasons, pc.greater(lengths, _LONGEST_ID), f"{name} is longer than {_LONGEST_ID} bytes")
    if "started_at" in batch.schema.names:
        _times(reasons, batch.column("started_at"), limits)
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if column.null_count == len(column):
            continue
        if name in _COUNTS and pa.types.is_integer(column.type):
            _note(reasons, pc.less(column, 0), f"{name} is negative")
            _note(reasons, pc.greater(column, _COUNTS[name]), f"{name} is larger than {_COUNTS[name]}")
        elif name in _QUANTITIES and pa.types.is_floating(column.type):
            _note(reasons, pc.invert(pc.is_finite(column)), f"{name} is not a finite number")
            _note(reasons, pc.less(column, 0), f"{name} is negative")
            _note(
                reasons, pc.greater(column, _QUANTITIES[name]), f"{name} is larger than {_QUANTITIES[name]:g}"
            )
        elif pa.types.is_string(column.type) and column.nbytes > limits.max_record_bytes:
            too_long = pc.greater(pc.binary_length(column), limits.max_record_bytes)
            _note(reasons, too_long, f"{name} is longer than {limits.max_record_bytes} bytes")
    return reasons


def _times(reasons: Reasons, column: pa.Array, limits: Limits) -> None:
    earliest, latest = (pa.scalar(time, column.type) for time in (limits.earliest, limits.latest))
    _note(reasons, pc.less(column, earliest), f"started_at is before {limits.earliest:%Y-%m-%d}")
    _note(reasons, pc.greater_equal(column, latest), f"started_at is not before {limits.latest:%Y-%m-%d}")


def _note(reasons: Reasons, mask: pa.Array, reason: str) -> None:
    if pc.any(mask).as_py():
        for row in np.flatnonzero(pc.fill_null(mask, False).to_numpy(zero_copy_only=False)).tolist():
            reasons.setdefault(row, reason)
