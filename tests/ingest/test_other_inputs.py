"""Accounts, grants and releases."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import SourceError
from stillwatch.ingest import read_accounts, read_client_releases, read_grants, read_releases
from stillwatch.records import ACCOUNT_SCHEMA, GRANT_SCHEMA
from tests.ingest.making import lines


def test_accounts_from_several_containers(tmp_path: Path) -> None:
    """JSON lines in gzip, CSV and Parquet are one table; identical rows collapse."""
    (tmp_path / "a.gz").write_bytes(gzip.compress(lines({"account_id": "a", "created_at": "2026-01-01"}) * 2))
    (tmp_path / "b.csv").write_text("account_id,plan\nb,pro\n")
    pq.write_table(
        pa.table({"account_id": ["c"], "created_at": [datetime(2026, 1, 1, tzinfo=UTC)]}), tmp_path / "c"
    )
    table, rejected = read_accounts([tmp_path])
    assert table.schema == ACCOUNT_SCHEMA
    assert table.column("account_id").to_pylist() == ["a", "b", "c"]
    assert rejected == []


@pytest.mark.parametrize(
    ("first", "second", "kept", "line", "why"),
    [
        (
            {"status_changed_at": "2026-02-01"},
            {"status_changed_at": "2026-01-01"},
            "x",
            2,
            "latest status_changed_at",
        ),
        (
            {"status_changed_at": "2026-01-01"},
            {"status_changed_at": "2026-02-01"},
            "y",
            1,
            "latest status_changed_at",
        ),
        ({"created_at": "2026-01-01"}, {"created_at": "2026-02-01"}, "y", 1, "latest created_at"),
        ({}, {}, "x", 2, "first row was kept"),
    ],
)
def test_contradicting_accounts(
    first: dict[str, str], second: dict[str, str], kept: str, line: int, why: str, tmp_path: Path
) -> None:
    """The latest row stands when that can be told, and the other one is refused aloud."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        lines({"account_id": "a", "plan": "x", **first}, {"account_id": "a", "plan": "y", **second})
    )
    table, rejected = read_accounts(str(path))
    assert table.column("plan").to_pylist() == [kept]
    assert [(each.line, why in each.reason) for each in rejected] == [(line, True)]


def test_accounts_that_cannot_be_read(tmp_path: Path) -> None:
    """A row without its account is refused; a file that is no table is an error."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines({"plan": "x"}, {"account_id": "a", "created_at": "soon"}) + b"{\n")
    table, rejected = read_accounts(path)
    assert table.num_rows == 0
    assert sorted((each.line, each.reason) for each in rejected) == [
        (1, "account_id is missing"),
        (2, "created_at is not a time"),
        (3, "not valid JSON"),
    ]
    path.write_bytes(b"\x80\x81\x82")
    with pytest.raises(SourceError):
        read_accounts(path)


GRANT = """
[[grant]]
grant_id = "g"
account_id = "a"
purpose = "distillation"
models = "*"
valid_from = 2026-01-01
valid_until = 2026-07-01T00:00:00+02:00
max_exchanges = 1000
"""


def test_grants_from_toml_and_lines(tmp_path: Path) -> None:
    """Dates, a single model and a star are read alike from both."""
    path = tmp_path / "g.toml"
    path.write_text(GRANT)
    table, rejected = read_grants(path)
    row = table.to_pylist()[0]
    assert table.schema == GRANT_SCHEMA
    assert rejected == []
    assert (row["models"], row["valid_from"]) == (["*"], datetime(2026, 1, 1, tzinfo=UTC))
    assert row["valid_until"] == datetime(2026, 6, 30, 22, tzinfo=UTC)
    path = tmp_path / "g.jsonl"
    grant = {
        "grant_id": "g",
        "org_id": "o",
        "models": ["m"],
        "valid_from": "2026-01-01",
        "valid_until": "2026-02-01",
    }
    path.write_bytes(lines(grant))
    assert read_grants(path)[0].column("models").to_pylist() == [["m"]]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('account_id = "a"', "", "neither account_id nor org_id"),
        ("2026-07-01T00:00:00+02:00", "2025-07-01", "valid_until is not after valid_from"),
        ("distillation", "anything", "purpose is none of"),
        ("max_exchanges", "max_exchange", "a key that grants do not have"),
        ("valid_from = 2026-01-01", "", "valid_from is missing"),
        ("1000", "-1", "max_exchanges is negative"),
    ],
)
def test_grants_that_grant_nothing(old: str, new: str, reason: str, tmp_path: Path) -> None:
    """A grant that is unclear is refused, because it would excuse somebody."""
    path = tmp_path / "g.toml"
    assert old in GRANT
    path.write_text(GRANT.replace(old, new))
    table, rejected = read_grants(path)
    assert table.num_rows == 0
    assert len(rejected) == 1
    assert reason in rejected[0].reason


def test_a_grant_file_that_is_none(tmp_path: Path) -> None:
    """Broken TOML and stray tables are one clear error."""
    path = tmp_path / "g.toml"
    for text in ("[[grant]\n", "[[grants]]\ngrant_id = 'g'\n", "grant = 1\n"):
        path.write_text(text)
        with pytest.raises(SourceError):
            read_grants(path)


def test_releases(tmp_path: Path) -> None:
    """Models and clients, from TOML and JSON lines."""
    path = tmp_path / "r.toml"
    path.write_text('[[release]]\nmodel = "m"\nreleased_at = 2026-01-01\n[[release]]\nmodel = "n"\n')
    table, rejected = read_releases(path)
    assert table.column("model").to_pylist() == ["m"]
    assert [each.reason for each in rejected] == ["released_at is missing"]
    path = tmp_path / "c.jsonl"
    path.write_bytes(lines({"client": "c", "version": "1", "released_at": "2026-01-01T00:00:00Z"}))
    assert read_client_releases(path)[0].num_rows == 1
