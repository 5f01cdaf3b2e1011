"""The first part of a log, as a provider would have had it at that hour."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq


def write_prefix(traffic: Path, out: Path, cut: int) -> None:
    """What a provider had at ``cut`` (microseconds since 1970): what came later is gone."""
    when = pa.scalar(cut, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    (out / "exchanges").mkdir(parents=True)
    source = ds.dataset(sorted((traffic / "exchanges").glob("*.parquet")))
    with pq.ParquetWriter(
        out / "exchanges" / "part-0000.parquet", source.schema, compression="zstd"
    ) as writer:
        for batch in source.to_batches(filter=ds.field("started_at") < when, batch_size=50_000):
            writer.write_batch(batch)
    if (traffic / "accounts.parquet").exists():
        pq.write_table(_accounts(pq.read_table(traffic / "accounts.parquet"), when), out / "accounts.parquet")
    begins = {
        "releases.jsonl": "released_at",
        "client_releases.jsonl": "released_at",
        "grants.jsonl": "valid_from",
    }
    for name, column in begins.items():
        if (traffic / name).exists():
            _begun(traffic / name, out / name, column, iso(cut))


def _accounts(table: pa.Table, when: pa.Scalar) -> pa.Table:
    names = set(table.column_names)
    if "created_at" in names:
        table = table.filter(pc.fill_null(pc.less(table["created_at"], when), True))
    if {"status", "status_changed_at"} <= names:
        later = pc.fill_null(pc.greater_equal(table["status_changed_at"], when), False)
        status = pc.if_else(later, pa.scalar("active"), table["status"])
        changed = pc.if_else(
            later, pa.scalar(None, table["status_changed_at"].type), table["status_changed_at"]
        )
        table = table.set_column(table.column_names.index("status"), "status", status)
        place = table.column_names.index("status_changed_at")
        table = table.set_column(place, "status_changed_at", changed)
    return table


def _begun(source: Path, out: Path, column: str, until: str) -> None:
    """Lines of what had begun by then; a line that does not say when stays."""
    limit = datetime.fromisoformat(until)
    lines = [line for line in source.read_text(encoding="utf-8").splitlines() if line]
    kept = [
        line for line in lines
        if not (when := json.loads(line).get(column)) or datetime.fromisoformat(when) < limit
    ]  # fmt: skip
    out.write_text("".join(line + "\n" for line in kept), encoding="utf-8")


def iso(us: int) -> str:
    """Microseconds since 1970 as RFC 3339.

    >>> iso(0)
    '1970-01-01T00:00:00+00:00'
    """
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).isoformat()


__all__ = ["iso", "write_prefix"]
