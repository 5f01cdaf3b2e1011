"""Successors are counted by what they had sent by then."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scripts.successors import linked, span


def test_every_successor_that_sent_something_counts_once(tmp_path: Path) -> None:
    (tmp_path / "exchanges").mkdir()
    (tmp_path / "run").mkdir()
    sent = ["a"] * 3 + ["b"] * 10 + ["c"] * 11 + ["d"] * 101 + ["honest"] * 5
    pq.write_table(pa.table({"account_id": sent}), tmp_path / "exchanges" / "part-0000.parquet")
    tiers = pa.table(
        {"account_id": ["a", "b", "c", "honest"], "tier": ["member", "watch", "member", "member"]}
    )
    pq.write_table(tiers, tmp_path / "run" / "members.parquet")
    assert linked(tmp_path, tmp_path / "run", {"a", "b", "c", "d", "silent"}) == {
        "1-10": (1, 2), "11-100": (1, 1), "more": (0, 1),
    }  # fmt: skip


def test_the_span_of_a_log(tmp_path: Path) -> None:
    (tmp_path / "exchanges").mkdir()
    times = pa.array([5_000_000, 1_000_000, 3_000_000], pa.timestamp("us", tz="UTC"))
    pq.write_table(pa.table({"started_at": times}), tmp_path / "exchanges" / "part-0000.parquet")
    assert span(tmp_path) == (1_000_000, 5_000_000)
