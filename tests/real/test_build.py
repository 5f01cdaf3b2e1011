"""The week itself: same seed same bytes, conversations that hold together, truth about everyone."""

from __future__ import annotations

from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.records.exchange import ACCOUNT_SCHEMA, EXCHANGE_SCHEMA
from tests.real.week import build_week

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
pytestmark = pytest.mark.skipif(
    not (SHARED / "data").is_dir(),
    reason="no ../shared/data beside the repository: the week is made of the text kept there",
)


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small week."""
    out = tmp_path_factory.mktemp("week")
    build_week(out, shared=SHARED, scale=0.05)
    return out


def _exchanges(week: Path) -> pa.Table:
    return pa.concat_tables(pq.read_table(p) for p in sorted((week / "exchanges").iterdir()))


def test_the_same_seed_gives_the_same_bytes(week: Path, tmp_path: Path) -> None:
    """Two builds of one seed and scale agree in every file."""
    build_week(tmp_path, shared=SHARED, scale=0.05)
    names = sorted(p.relative_to(week) for p in week.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    assert [n for n in names if (week / n).read_bytes() != (tmp_path / n).read_bytes()] == []


def test_the_week_keeps_the_data_contract(week: Path) -> None:
    """Exchanges and accounts have the canonical schema, unique ids, and an account for every exchange."""
    exchanges, accounts = _exchanges(week), pq.read_table(week / "accounts.parquet")
    assert exchanges.schema.equals(EXCHANGE_SCHEMA)
    assert accounts.schema.equals(ACCOUNT_SCHEMA)
    assert len(set(exchanges["exchange_id"].to_pylist())) == exchanges.num_rows
    assert set(exchanges["account_id"].to_pylist()) <= set(accounts["account_id"].to_pylist())


def test_nobody_sends_before_signing_up(week: Path) -> None:
    """The account exists when its first exchange starts."""
    accounts = pq.read_table(week / "accounts.parquet").to_pylist()
    created = {row["account_id"]: row["created_at"] for row in accounts}
    rows = _exchanges(week).select(["account_id", "started_at"]).to_pylist()
    assert [row for row in rows if row["started_at"] < created[row["account_id"]]] == []


def test_assistant_turns_were_answered_before(week: Path) -> None:
    """An assistant turn inside ``messages`` equals the completion of an earlier exchange."""
    answered: set[str] = set()
    unknown = 0
    for row in _exchanges(week).select(["messages", "completion"]).to_pylist():
        turns = [m["content"] for m in orjson.loads(row["messages"]) if m["role"] == "assistant"]
        unknown += sum(turn not in answered for turn in turns)
        answered.add(row["completion"])
    assert unknown == 0


def test_the_truth_speaks_about_everyone(week: Path) -> None:
    """Every account has a class; members of campaigns are exactly the accounts the campaigns list."""
    truth = pq.read_table(week / "truth" / "accounts.parquet").to_pylist()
    campaigns = [orjson.loads(x) for x in (week / "truth" / "campaigns.jsonl").read_bytes().splitlines()]
    listed = {a: c["campaign_id"] for c in campaigns for a in c["accounts"]}
    assert {r["account_id"]: r["campaign_id"] for r in truth if r["campaign_id"]} == listed
    assert all(r["class"] and r["org_key"] for r in truth)
    assert len(campaigns) == 8


def test_canaries_are_in_the_input(week: Path) -> None:
    """Each field carries its marked strings, so that their absence from the output means something."""
    exchanges = _exchanges(week)
    for line in (week / "truth" / "canaries.jsonl").read_bytes().splitlines():
        row = orjson.loads(line)
        name = {"headers": "client_headers"}.get(row["field"], row["field"])
        text = "\n".join(str(value) for value in exchanges[name].to_pylist() if value)
        assert row["canaries"]
        assert [c for c in row["canaries"] if c not in text] == []
