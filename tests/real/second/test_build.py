"""The second week itself: same seed same bytes, conversations that hold together, truth about everyone, no leaks.

Nothing here runs or names a detector, and nothing should: the week is a hold-out.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.records.exchange import ACCOUNT_SCHEMA, EXCHANGE_SCHEMA
from tests.real.second import rhythm
from tests.real.second.week import SEED, build_week
from tests.real.world import START

SCALE = 0.04
SHARED = Path(__file__).resolve().parents[3].parent / "shared"
pytestmark = pytest.mark.skipif(
    not (SHARED / "data").is_dir(),
    reason="no ../shared/data beside the repository: the week is made of the text kept there",
)
CAMPAIGNS = {
    "evol", "expansion", "thoughts", "covered", "paraphrased", "two_channels", "trajectories", "trace_replay",
    "six_accounts", "pool",
}  # fmt: skip


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small week."""
    out = tmp_path_factory.mktemp("second_week")
    build_week(out, shared=SHARED, scale=SCALE)
    return out


@pytest.fixture(scope="module")
def exchanges(week: Path) -> pa.Table:
    """Every exchange, in the order of the files."""
    return pa.concat_tables(pq.read_table(p) for p in sorted((week / "exchanges").iterdir()))


@pytest.fixture(scope="module")
def truth(week: Path) -> dict[str, dict[str, Any]]:
    """The truth by account."""
    return {r["account_id"]: r for r in pq.read_table(week / "truth" / "accounts.parquet").to_pylist()}


def _jsonl(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_the_same_seed_gives_the_same_bytes(week: Path, tmp_path: Path) -> None:
    """Two builds of one seed and scale agree in every file."""
    build_week(tmp_path, shared=SHARED, scale=SCALE)
    names = sorted(p.relative_to(week) for p in week.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    assert [n for n in names if (week / n).read_bytes() != (tmp_path / n).read_bytes()] == []


def test_another_seed_gives_another_week(truth: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """No account of one seed is in the week of another."""
    build_week(tmp_path, shared=SHARED, seed=SEED + 1, scale=0.001)
    others = pq.read_table(tmp_path / "accounts.parquet")["account_id"].to_pylist()
    assert others
    assert not set(others) & set(truth)


def test_the_week_keeps_the_data_contract(week: Path, exchanges: pa.Table) -> None:
    """Exchanges and accounts have the canonical schema, unique ids, and an account for every exchange."""
    accounts = pq.read_table(week / "accounts.parquet")
    assert exchanges.schema.equals(EXCHANGE_SCHEMA)
    assert accounts.schema.equals(ACCOUNT_SCHEMA)
    assert len(set(exchanges["exchange_id"].to_pylist())) == exchanges.num_rows
    assert set(exchanges["account_id"].to_pylist()) <= set(accounts["account_id"].to_pylist())
    released = {row["model"] for row in _jsonl(week / "releases.jsonl")}
    assert set(exchanges["model"].to_pylist()) == released


def test_accounts_send_only_while_they_may(week: Path, exchanges: pa.Table) -> None:
    """Nobody sends before signing up; after a ban there are refusals only."""
    accounts = {r["account_id"]: r for r in pq.read_table(week / "accounts.parquet").to_pylist()}
    banned = 0
    for row in exchanges.select(["account_id", "started_at", "status"]).to_pylist():
        account = accounts[row["account_id"]]
        assert row["started_at"] >= account["created_at"]
        if account["status"] == "banned" and row["started_at"] >= account["status_changed_at"]:
            assert row["status"] == 403
            banned += 1
    assert banned


def test_no_model_is_used_before_its_release(week: Path, exchanges: pa.Table) -> None:
    """The newest model comes out in mid-week and is used by somebody afterwards."""
    released = {r["model"]: r["released_at"] for r in _jsonl(week / "releases.jsonl")}
    newest = max(released, key=lambda m: released[m])
    used = exchanges.filter(pc.equal(exchanges["model"], newest))["started_at"].to_pylist()
    assert min(used).isoformat() >= released[newest]
    assert released[newest] > START.isoformat()


def test_assistant_turns_were_answered_before(exchanges: pa.Table) -> None:
    """An assistant turn inside ``messages`` equals the completion of an earlier exchange."""
    answered: set[str] = set()
    unknown = 0
    for row in exchanges.select(["messages", "completion"]).to_pylist():
        turns = [m["content"] for m in orjson.loads(row["messages"]) if m["role"] == "assistant"]
        unknown += sum(turn not in answered for turn in turns)
        answered.add(row["completion"])
    assert unknown == 0


def test_sealed_reasoning_was_issued_before(exchanges: pa.Table, truth: dict[str, dict[str, Any]]) -> None:
    """Every sealed block presented was issued earlier; strangers' blocks only where the class says so."""
    issuer: dict[str, str] = {}
    foreign: Counter[str] = Counter()
    for row in exchanges.select(["account_id", "sealed_in", "sealed_out"]).to_pylist():
        for seal in row["sealed_in"] or []:
            if issuer[seal] != row["account_id"]:
                foreign[truth[row["account_id"]]["class"]] += 1
        issuer |= dict.fromkeys(row["sealed_out"] or [], row["account_id"])
    assert foreign["trace_replay"]
    assert foreign["merger"]
    assert set(foreign) <= {"trace_replay", "merger", "trajectories", "pool", "honest_reseller"}


def test_the_truth_speaks_about_everyone(week: Path, truth: dict[str, dict[str, Any]]) -> None:
    """Every account has a class; members of campaigns are exactly the accounts the campaigns list."""
    campaigns = _jsonl(week / "truth" / "campaigns.jsonl")
    listed = {a: c["campaign_id"] for c in campaigns for a in c["accounts"]}
    assert {a: r["campaign_id"] for a, r in truth.items() if r["campaign_id"]} == listed
    assert {c["campaign_id"] for c in campaigns} == CAMPAIGNS
    assert [c["campaign_id"] for c in campaigns if c["kind"] == "pool"] == ["pool"]
    extractors = {c["campaign_id"] for c in campaigns if c["kind"] == "campaign"}
    assert {a for a, r in truth.items() if r["is_extractor"]} == {
        a for a, c in listed.items() if c in extractors
    }
    assert all(c["account_count"] == len(c["accounts"]) >= 6 for c in campaigns)


def test_there_are_many_honest_classes(truth: dict[str, dict[str, Any]]) -> None:
    """At least twenty classes of honest look-alikes with at least four organisations each."""
    organisations: dict[str, set[str]] = defaultdict(set)
    for row in truth.values():
        if row["campaign_id"] is None:
            organisations[row["class"]].add(row["org_key"])
    assert len(organisations) >= 20
    assert {k: len(v) for k, v in organisations.items() if len(v) < 4} == {}


def test_grants_name_declared_organisations(week: Path, truth: dict[str, dict[str, Any]]) -> None:
    """A grant belongs to an organisation of the granted classes, and each of these has one."""
    accounts = pq.read_table(week / "accounts.parquet").to_pylist()
    granted = {g["org_id"] for g in _jsonl(week / "grants.jsonl")}
    classes = {truth[r["account_id"]]["class"] for r in accounts if r["org_id"] in granted}
    assert classes == {"own_data_granted", "licensed_distiller"}
    assert len(granted) == 8


def test_refusals_are_retried_and_come_in_spells(
    exchanges: pa.Table, truth: dict[str, dict[str, Any]]
) -> None:
    """About one honest request in a hundred fails; in a spell of overload many do; clients try again."""
    spells = rhythm.spells(SEED)
    inside, outside = Counter[bool](), Counter[bool]()
    retried = 0
    for row in exchanges.select(["account_id", "started_at", "status", "client_headers"]).to_pylist():
        if truth[row["account_id"]]["campaign_id"]:
            continue
        t = (row["started_at"] - START).total_seconds()
        failed = row["status"] != 200
        (inside if any(a <= t < b for a, b in spells) else outside)[failed] += 1
        retried += dict(row["client_headers"] or []).get("x-stainless-retry-count", "0") != "0"
    failures, total = inside[True] + outside[True], inside.total() + outside.total()
    assert 0.005 < failures / total < 0.03
    assert inside[True] / inside.total() > 10 * outside[True] / outside.total()
    assert retried > 0.3 * failures


def _auc(ranked: list[bool]) -> tuple[float, float]:
    """Chance that a hostile item stands after an honest one, and its standard error if order says nothing."""
    ones = sum(ranked)
    zeros, seen, below = len(ranked) - ones, 0, 0
    for hostile in ranked:
        below += seen if hostile else 0
        seen += not hostile
    return below / (ones * zeros), math.sqrt((len(ranked) + 1) / (12 * ones * zeros))


def test_ids_do_not_tell_the_class(week: Path, exchanges: pa.Table, truth: dict[str, dict[str, Any]]) -> None:
    """Ids have one form for all, and sorting by them puts campaigns nowhere in particular."""
    accounts = pq.read_table(week / "accounts.parquet")["account_id"].to_pylist()
    assert accounts == sorted(accounts)
    assert all(re.fullmatch(r"acct_[0-9a-f]{14}", a) for a in accounts)
    rows = sorted(exchanges.select(["exchange_id", "account_id"]).to_pylist(), key=lambda r: r["exchange_id"])
    for order in (accounts, [r["account_id"] for r in rows]):
        auc, error = _auc([truth[a]["campaign_id"] is not None for a in order])
        assert abs(auc - 0.5) < 4 * error


def test_rows_come_in_order_of_time(exchanges: pa.Table) -> None:
    """No file and no run of rows belongs to one class."""
    times = exchanges["started_at"].to_pylist()
    assert times == sorted(times)


def test_no_field_names_the_class(week: Path, exchanges: pa.Table, truth: dict[str, dict[str, Any]]) -> None:
    """Neither class nor organisation key stands in any field that is not free text."""
    free = {"system_prompt", "prompt", "messages", "tools", "completion", "reasoning"}
    words = {r["class"] for r in truth.values()} | {r["org_key"] for r in truth.values()}
    named = re.compile("|".join(re.escape(w) for w in sorted(words)))
    for table in (exchanges, pq.read_table(week / "accounts.parquet")):
        for name in table.column_names:
            if name not in free and not pa.types.is_timestamp(table.schema.field(name).type):
                values = {str(v) for v in table[name].to_pylist()}
                assert [v for v in values if named.search(v)] == [], name


def test_conversation_ids_and_summaries_do_not_tell_the_class(
    exchanges: pa.Table, truth: dict[str, dict[str, Any]]
) -> None:
    """About as many hostile as honest API accounts send conversation ids and see summaries of reasoning."""
    has: dict[tuple[str, bool], set[str]] = defaultdict(set)
    everyone: dict[bool, set[str]] = defaultdict(set)
    columns = ["account_id", "channel", "conversation_id", "reasoning", "sealed_out"]
    for row in exchanges.select(columns).to_pylist():
        hostile = truth[row["account_id"]]["campaign_id"] is not None
        if row["channel"] != "chat" and row["sealed_out"]:
            everyone[hostile].add(row["account_id"])
            for name in ("conversation_id", "reasoning"):
                if row[name]:
                    has[name, hostile].add(row["account_id"])
    for name in ("conversation_id", "reasoning"):
        shares = [len(has[name, side]) / len(everyone[side]) for side in (False, True)]
        assert abs(shares[0] - shares[1]) < 0.12


def test_canaries_are_in_the_input(week: Path, exchanges: pa.Table) -> None:
    """Each field carries its marked strings, so that their absence from the output means something."""
    for row in _jsonl(week / "truth" / "canaries.jsonl"):
        name = {"headers": "client_headers"}.get(row["field"], row["field"])
        text = "\n".join(str(value) for value in exchanges[name].to_pylist() if value)
        assert row["canaries"]
        assert [c for c in row["canaries"] if c not in text] == []
