"""Factories for hand-made logs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from stillwatch.ingest import Reader

FIXTURES = Path(__file__).parents[2] / ".." / "shared" / "data" / "fixtures"
WHEN = "2026-11-24T04:14:50Z"


def exchange(**changes: Any) -> dict[str, Any]:
    """A sound canonical record."""
    return {"exchange_id": "e1", "started_at": WHEN, "account_id": "a1", "model": "m-1", **changes}


def lines(*records: Any) -> bytes:
    """JSON lines."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def read(data: bytes, **options: Any) -> tuple[list[dict[str, Any]], Reader]:
    """Read a log from memory: its rows without the nulls, and the reader."""
    reader = Reader(["-"], stdin=io.BytesIO(data), **options)
    return rows_of(reader), reader


def rows_of(reader: Reader) -> list[dict[str, Any]]:
    """All rows of a reader, without the nulls."""
    return [
        {name: value for name, value in row.items() if value is not None}
        for batch in reader.batches()
        for row in batch.to_pylist()
    ]


def reasons(reader: Reader) -> list[tuple[int, str]]:
    """Line and reason of every refused record."""
    return [(each.line, each.reason) for each in reader.rejected]


def fixture(name: str) -> Path:
    """A captured real log; the test is skipped where the capture is not at hand."""
    path = FIXTURES / name
    if not path.exists():
        pytest.skip(f"captured log {name} is not beside this checkout")
    return path
