"""Poisoned cohorts and organisations left out: what is taken away and what is compared."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.stability import Verdicts, cohort, organisations, without


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Forty honest accounts, half of them verified, and ten of a campaign."""
    names = [f"a{i:02}" for i in range(50)]
    honest = [i < 40 for i in range(50)]
    accounts = pa.table(
        {
            "account_id": names,
            "org_id": pa.array([None] * 50, pa.string()),
            "verification": ["identity" if i < 20 else "email" for i in range(50)],
        }
    )
    truth = pa.table(
        {
            "account_id": names,
            "org_key": [f"o{i // 4}" for i in range(50)],
            "class": ["campus" if h else "campaign" for h in honest],
            "campaign_id": [None if h else "campaign-00" for h in honest],
        }
    )
    (tmp_path / "truth").mkdir()
    (tmp_path / "exchanges").mkdir()
    pq.write_table(accounts, tmp_path / "accounts.parquet")
    pq.write_table(truth, tmp_path / "truth" / "accounts.parquet")
    moment = datetime(2026, 3, 2, tzinfo=UTC)
    rows = pa.table({"account_id": names * 2, "ts": [moment] * 100})
    pq.write_table(rows, tmp_path / "exchanges" / "part-0000.parquet")
    (tmp_path / "releases.jsonl").write_text("{}\n", encoding="utf-8")
    return tmp_path


def test_a_cohort_holds_the_known_honest_and_the_stated_share_of_the_guilty(world: Path) -> None:
    clean, none = cohort(world, 0.0, 1)
    assert none == 0
    assert clean["account_id"].to_pylist() == [f"a{i:02}" for i in range(20)]
    dirty, some = cohort(world, 0.2, 1)
    assert some == 5
    assert some / len(dirty) == 0.2
    bad = [r for r in dirty.to_pylist() if r["account_id"] >= "a40"]
    assert [r["verification"] for r in bad] == ["business"] * 5


def test_whoever_is_left_out_is_gone_with_all_exchanges(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "less"
    without(world, out, frozenset({"a00", "a41"}))
    for table in ("accounts.parquet", "exchanges/part-0000.parquet"):
        assert not {"a00", "a41"} & set(pq.read_table(out / table)["account_id"].to_pylist())
    assert pq.read_table(out / "exchanges" / "part-0000.parquet").num_rows == 96
    assert not (out / "truth").exists()
    assert (out / "releases.jsonl").exists()


def test_honest_organisations_go_whole_and_accounts_of_campaigns_one_by_one(
    world: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    pq.write_table(pa.table({"account_id": ["a04", "a05", "a40"]}), run / "members.parquet")
    assert organisations(world, run, 1) == [frozenset({"a04", "a05", "a06", "a07"}), frozenset({"a40"})]


def test_verdicts_are_read_from_a_report(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"account_id": ["a", "b", "c"], "tier": ["member", "associated", "member"]}),
        tmp_path / "members.parquet",
    )
    pq.write_table(
        pa.table({"account_id": ["a", "b", "c"], "disposition_hint": ["act", "watch", "none"]}),
        tmp_path / "accounts.parquet",
    )
    got = Verdicts.of(tmp_path)
    assert got == Verdicts(frozenset("ac"), frozenset("a"))
    assert got.flips(Verdicts(frozenset("c"), frozenset("b")), frozenset("b")) == {"member": 1, "asked": 1}
