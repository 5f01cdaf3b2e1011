"""Traffic at the edges: almost nothing known, one account, one moment, one prompt, very many accounts.

The largest cases are marked ``slow`` and are left out unless they are asked for, because they take minutes and
several GB: ``pytest tests/e2e -m slow``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.records import EXCHANGE_REQUIRED
from tests.e2e.conftest import Scan, World
from tests.e2e.crowds import crowd
from tests.e2e.driving import cli, exchanges, hints, members, replaced, summary
from tests.e2e.test_contract import agrees


def test_only_the_required_fields(world: World, scan: Scan, tmp_path: Path) -> None:
    """Nothing can be found; the run says what it could not judge, run-wide and in the page."""
    table = world.table()
    bare = pa.Table.from_arrays(
        [
            table[f.name] if f.name in EXCHANGE_REQUIRED else pa.nulls(len(table), f.type)
            for f in table.schema
        ],
        schema=table.schema,
    )
    run = scan(exchanges(bare, tmp_path / "bare.parquet"))
    assert run.ended.status == 0
    agrees(run.out)
    named = {a["trait"] for a in summary(run.out)["abstentions"]}
    assert {"input", "template", "exit_address", "tls_fingerprint", "payment"} <= named
    missing = {f for a in summary(run.out)["abstentions"] if a["trait"] == "input" for f in a["missing"]}
    assert missing >= set(table.schema.names) - EXCHANGE_REQUIRED
    page = (run.out / "report.html").read_text("utf-8")
    assert "could not be judged" in page.lower()
    assert "no account table" in page
    fewer = scan(exchanges(bare.select(sorted(EXCHANGE_REQUIRED)).slice(0, 500), tmp_path / "four.parquet"))
    assert fewer.ended.status == 0


def test_one_exchange(world: World, scan: Scan, tmp_path: Path) -> None:
    """A day with one exchange is a day."""
    run = scan(exchanges(world.table().slice(0, 1), tmp_path / "one.parquet"), "--accounts", world.accounts)
    assert run.ended.status == 0
    agrees(run.out)
    assert summary(run.out)["counts"]["exchanges"] == 1
    account = next(iter(hints(run.out)))
    assert "1 exchange" in cli("explain", run.out, account).out


def _one_account(table: pa.Table) -> pa.Table:
    return replaced(table, "account_id", pa.array(["only"] * len(table)))


def _one_moment(table: pa.Table) -> pa.Table:
    at = table["started_at"][0].as_py()
    return replaced(table, "started_at", pa.array([at] * len(table), table.schema.field("started_at").type))


def _one_prompt(table: pa.Table) -> pa.Table:
    empty = pa.nulls(len(table), pa.string())
    same = replaced(table, "prompt", pa.array(["Summarise the meeting."] * len(table)))
    return replaced(replaced(same, "messages", empty), "system_prompt", empty)


def _one_address(table: pa.Table) -> pa.Table:
    return replaced(table, "client_ip", pa.array(["203.0.113.9"] * len(table)))


@pytest.mark.parametrize("change", [_one_account, _one_moment, _one_prompt, _one_address])
def test_everything_alike(
    world: World, scan: Scan, tmp_path: Path, change: Callable[[pa.Table], pa.Table]
) -> None:
    """One account, one microsecond, one prompt or one address: the run ends well and honest accounts are let be."""
    run = scan(exchanges(change(world.table()), tmp_path / "alike.parquet"), "--accounts", world.accounts)
    agrees(run.out)
    honest = [hint for account, hint in hints(run.out).items() if account not in world.attackers]
    assert sum(hint in ("review", "act") for hint in honest) <= 0.03 * len(honest) + 1


def test_very_many_accounts_with_one_exchange_each(scan: Scan, tmp_path: Path) -> None:
    """200,000 of them within a minute; nobody is suspected of anything."""
    logs = crowd(tmp_path / "crowd.parquet", 200_000, 200_000)
    began = time.monotonic()
    run = scan(logs)
    assert time.monotonic() - began < 60
    assert run.ended.status == 0
    assert len(hints(run.out)) == 200_000
    assert members(run.out) == set()
    assert (run.out / "report.html").stat().st_size < 2_000_000


def test_an_account_with_very_many_exchanges(scan: Scan, tmp_path: Path) -> None:
    """300,000 exchanges of one account within a minute."""
    logs = crowd(tmp_path / "crowd.parquet", 300_000, 1)
    began = time.monotonic()
    run = scan(logs)
    assert time.monotonic() - began < 60
    assert hints(run.out) == {"a000000000": "none"}


def test_the_same_day_in_thousands_of_files(world: World, scan: Scan, tmp_path: Path) -> None:
    """Many small files in deep folders are one input."""
    table = world.table().slice(0, 3_000)
    for number, rows in enumerate(np.array_split(np.arange(len(table)), 300)):
        exchanges(
            table.take(pa.array(rows)), tmp_path / "logs" / f"{number // 60:02d}" / f"{number:04d}.parquet"
        )
    run = scan(tmp_path / "logs")
    assert summary(run.out)["counts"]["exchanges"] == len(table)
    assert len(summary(run.out)["inputs"]) == 300


@pytest.mark.slow
def test_a_million_accounts(scan: Scan, tmp_path: Path) -> None:
    """One exchange each, in less than 8 GB."""
    run = scan(crowd(tmp_path / "crowd.parquet", 1_000_000, 1_000_000))
    assert len(hints(run.out)) == 1_000_000
    assert summary(run.out)["timings"]["peak_memory_bytes"] < 8 * 2**30


@pytest.mark.slow
def test_ten_million_exchanges_of_one_account(scan: Scan, tmp_path: Path) -> None:
    """The rows of one account do not have to fit anywhere at once but in columns."""
    run = scan(crowd(tmp_path / "crowd.parquet", 10_000_000, 1))
    assert summary(run.out)["counts"]["exchanges"] == 10_000_000
