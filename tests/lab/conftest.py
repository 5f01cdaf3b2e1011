"""Small worlds for the tests of the laboratory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from stillwatch.lab import Scenario, generate
from stillwatch.lab.scenario import CampaignSpec, LookAlike, Ordinary

Rows = list[tuple[Any, ...]]


class Written:
    """A world on disk that answers SQL over views ``x``, ``accounts``, ``truth``, ``marks`` and ``handed``.

    ``handed`` has one row for each answer that stands in the history another account sent.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._db = duckdb.connect()
        self._db.execute("set timezone = 'UTC'")
        for name, path in (
            ("x", "exchanges/*.parquet"),
            ("accounts", "accounts.parquet"),
            ("truth", "truth/accounts.parquet"),
            ("marks", "truth/exchanges.parquet"),
        ):
            self._db.execute(f"create view {name} as select * from read_parquet('{folder}/{path}')")

        self._db.execute(
            "create view told as select account_id, exchange_id, started_at, unnest(list_transform(list_filter("
            """from_json(messages, '[{"role":"VARCHAR","content":"VARCHAR"}]'), lambda m: m.role = 'assistant'),"""
            " lambda m: m.content)) as answer from x where messages is not null"
        )
        self._db.execute(
            "create view handed as select t.account_id, a.account_id as issued_to from told t join x a"
            " on t.answer = a.completion and t.account_id <> a.account_id and t.started_at > a.started_at"
            " and len(a.completion) > 60 and a.turn is not null"
        )

    def rows(self, sql: str) -> Rows:
        """All rows of a query."""
        return self._db.execute(sql).fetchall()

    def one(self, sql: str) -> Any:
        """The single value of a query."""
        return self.rows(sql)[0][0]


def scenario(
    *,
    ordinary: int = 0,
    days: int = 1,
    honest: dict[str, LookAlike] | None = None,
    campaigns: tuple[CampaignSpec, ...] = (),
    rate: float = 10.0,
    completions: str = "short",
) -> Scenario:
    """A scenario with defaults fit for tests."""
    return Scenario(
        name="test",
        start=date(2026, 3, 10),
        days=days,
        ordinary=Ordinary(accounts=ordinary, exchanges_per_day=rate),
        honest=honest or {},
        campaigns=campaigns,
        completions=completions,
    )


Make = Callable[..., Written]


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under a folder."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Factory: write a world and return it."""

    def write(seed: int = 5, scale: float = 1.0, **changes: Any) -> Written:
        folder = tmp_path_factory.mktemp("world")
        generate(scenario(**changes), seed=seed, scale=scale, out=folder)
        return Written(folder)

    return write
