"""The account table: one row each, from one export or several that may overlap."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.small_tables import as_paths, read_small
from stillwatch.records import ACCOUNT_SCHEMA, Rejected

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def read_accounts(paths: str | Path | Sequence[str | Path]) -> tuple[pa.Table, list[Rejected]]:
    """Accounts from JSON lines, JSON, CSV or Parquet, plain or compressed.

    Rows that repeat an account word for word collapse. Where rows of one account contradict each other, the one
    with the latest `status_changed_at` stays, else the latest `created_at`, else the first; every other one is
    refused and says so.

    Args:
        paths: a file, or files, folders and patterns.

    Returns:
        One row per account in the order of first sight, under ACCOUNT_SCHEMA, and the refused rows.

    Raises:
        SourceError: when a file cannot be opened or is no table.
    """
    table, rejected, places = read_small(as_paths(list(paths) if not isinstance(paths, (str, Path)) else paths),
                                         ACCOUNT_SCHEMA, frozenset({"account_id"}))  # fmt: skip
    if pc.count_distinct(table.column("account_id")).as_py() == len(table):  # as in nearly every table
        return table.combine_chunks(), rejected
    kept: dict[str, int] = {}
    rows = table.to_pylist()
    for number, row in enumerate(rows):
        before = kept.setdefault(row["account_id"], number)
        if before == number or row == rows[before]:
            continue
        winner, why = _settled(rows, before, number)
        kept[row["account_id"]] = winner
        loser = number if winner == before else before
        rejected.append(Rejected(*places[loser], f"the account appears again with other values; {why}"))
    chosen = table.take(pa.array(list(kept.values()), pa.int64()))
    return chosen.combine_chunks(), rejected


def _settled(rows: list[dict[str, Any]], before: int, after: int) -> tuple[int, str]:
    """Which of two rows of one account stands, and why."""
    for name in ("status_changed_at", "created_at"):
        old, new = (rows[number][name] or _LONG_AGO for number in (before, after))
        if old != new:
            return (after if new > old else before), f"the row with the latest {name} was kept"
    return before, "the first row was kept"
