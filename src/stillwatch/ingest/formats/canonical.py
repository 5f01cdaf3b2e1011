"""The contract's own shape: JSON lines, CSV or Parquet with the contract's field names.

>>> FORMAT.sniff(b'{"exchange_id":"e","started_at":1,"account_id":"a","model":"m"}')
1.0
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stillwatch.ingest.format import Answer, Format, keys
from stillwatch.records import EXCHANGE_REQUIRED, EXCHANGE_SCHEMA

_NAMES = frozenset(EXCHANGE_SCHEMA.names)


def sniff(head: bytes) -> float:
    """Sure when every required name is there; else a chance when most names are the contract's."""
    found = keys(head)
    if found >= EXCHANGE_REQUIRED:
        return 1.0
    ours = len(found & EXCHANGE_REQUIRED)
    return 0.3 if ours >= 2 and len(found & _NAMES) * 2 > len(found) else 0.0


def rows(record: dict[str, Any]) -> Iterator[Answer]:
    """The record as it is; answers' sealed blocks are named by the log itself."""
    yield record


FORMAT = Format("canonical", "exchanges under the data contract's names", sniff, rows, columnar=True)
