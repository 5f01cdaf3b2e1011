"""The same traffic gives the same result: twice, doubled, shuffled, in any format, and through features."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.e2e.conftest import Run, Scan, World
from tests.e2e.driving import (
    FILES,
    OTHER_KEY,
    cli,
    exchanges,
    findings,
    hints,
    jsonl,
    members,
    replaced,
    summary,
    where,
)

TABLES = ("campaigns.parquet", "members.parquet", "accounts.parquet", "findings.jsonl")


def _same_bytes(one: Path, other: Path, names: tuple[str, ...] = TABLES) -> None:
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def _untimed(page: str) -> str:
    """The page without the figures that its own foot says may differ."""
    return re.sub(r"<dt>(Time, |Peak memory)[^<]*</dt><dd>[^<]*</dd>", "", page)


def test_a_campaign_of_the_world_is_found(first: Run, world: World) -> None:
    """Without this the comparisons below would compare nothing with nothing."""
    wanted = world.campaigns["cot_math"]
    best = max(members(first.out), key=lambda found: len(found & wanted))
    assert len(best & wanted) >= 0.8 * len(wanted)
    assert len(best - wanted) <= 0.2 * len(wanted)
    assert first.ended.status == 10


def test_two_runs_write_the_same_bytes(first: Run, world: World, scan: Scan) -> None:
    """Apart from timings in the summary and in the page."""
    again = scan(world.logs, "--accounts", world.accounts)
    _same_bytes(first.out, again.out, (*TABLES, "rejected.jsonl"))
    one, other = summary(first.out), summary(again.out)
    assert one.pop("timings").keys() == other.pop("timings").keys()
    assert one == other
    pages = [(run.out / "report.html").read_text("utf-8") for run in (first, again)]
    assert all("<dt>Time, " in page for page in pages)
    assert _untimed(pages[0]) == _untimed(pages[1])
    assert {p.name for p in again.out.iterdir()} == FILES


def test_repeated_exchanges_count_once(first: Run, world: World, scan: Scan, tmp_path: Path) -> None:
    """Every record twice, in one file: the same tables to the byte, and the repeats are counted."""
    table = world.table()
    doubled = exchanges(pa.concat_tables([table, table]), tmp_path / "doubled.parquet")
    again = scan(doubled, "--accounts", world.accounts)
    _same_bytes(first.out, again.out)
    assert summary(again.out)["counts"]["duplicates"] == len(table)


def test_the_order_of_records_does_not_matter(first: Run, world: World, scan: Scan, tmp_path: Path) -> None:
    """Shuffled rows give the same groups and the same hints."""
    table = world.table()
    order = np.random.default_rng(3).permutation(len(table))
    shuffled = exchanges(table.take(pa.array(order)), tmp_path / "shuffled.parquet")
    again = scan(shuffled, "--accounts", world.accounts)
    assert members(again.out) == members(first.out)
    assert hints(again.out) == hints(first.out)


def test_features_made_elsewhere_scan_as_the_logs_do(
    first: Run, world: World, scan: Scan, tmp_path: Path, quick: Path
) -> None:
    """Ingest, then scan the folder: the same tables; another key is refused."""
    place = tmp_path / "features"
    made = cli("ingest", world.logs, "--out", place, "--settings", quick, "--json")
    assert made.status == 0, made.err
    assert json.loads(made.out)["rows"] == len(world.table())
    again = scan(place, "--accounts", world.accounts)
    _same_bytes(first.out, again.out)
    told = summary(again.out)
    assert sum(i["rows"] for i in told["inputs"]) == len(world.table())
    assert all(re.fullmatch(r"[0-9a-f]{64}", i["digest"]) for i in told["inputs"])
    refused = cli("scan", place, "--out", tmp_path / "no", "--settings", quick, key=OTHER_KEY)
    assert refused.status == 2
    assert "key" in refused.err
    assert not (tmp_path / "no").exists()


@pytest.fixture(scope="module")
def lesser(world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[pa.Table, Path]:
    """The world without its loudest campaign, for formats that are slow to read."""
    table = world.table()
    loud = where(table, world.campaigns["agentic"])
    busy = table.filter(pa.array(~loud.to_numpy()))
    counts = dict(
        zip(*np.unique(busy["account_id"].to_numpy(zero_copy_only=False), return_counts=True), strict=True)
    )
    few = {a for a, n in counts.items() if n <= 150}
    kept = busy.filter(where(busy, few))
    return kept, exchanges(kept, tmp_path_factory.mktemp("lesser") / "lesser.parquet")


MAPPING = """
[fields]
exchange_id = "litellm_call_id"
started_at = "startTime"
account_id = "metadata.team"
model = "model"
credential_id = "metadata.user_api_key_hash"
client_ip = "requester_ip_address"
user_agent = "user_agent"
prompt = "messages.-1.content"
system_prompt = "system"
completion = "response"
temperature = "params.temperature"
top_p = "params.top_p"
max_tokens = "params.max_tokens"
input_tokens = "usage.prompt_tokens"
output_tokens = "usage.completion_tokens"
status = "status"
tls_fingerprint = "tls"
device_id = "device"
client_asn = "asn"
client_country = "country"
[headers]
"*" = "headers"
"""


def _proxy_like(row: dict[str, object]) -> dict[str, object]:
    """A canonical row as a proxy of another make would log it."""
    return {
        "litellm_call_id": row["exchange_id"], "startTime": row["started_at"].isoformat(),  # type: ignore[attr-defined]
        "model": row["model"], "metadata": {"team": row["account_id"], "user_api_key_hash": row["credential_id"]},
        "requester_ip_address": row["client_ip"], "user_agent": row["user_agent"], "system": row["system_prompt"],
        "messages": [{"role": "user", "content": row["prompt"]}], "response": row["completion"],
        "params": {k: row[k] for k in ("temperature", "top_p", "max_tokens") if row[k] is not None},
        "usage": {"prompt_tokens": row["input_tokens"], "completion_tokens": row["output_tokens"]},
        "status": row["status"], "tls": row["tls_fingerprint"], "device": row["device_id"], "asn": row["client_asn"],
        "country": row["client_country"], "headers": dict(row["client_headers"] or ()),  # type: ignore[call-overload]
    }  # fmt: skip


def test_formats_do_not_matter(
    lesser: tuple[pa.Table, Path], world: World, scan: Scan, tmp_path: Path
) -> None:
    """Parquet, JSON lines in gzip and in zstd: the same tables to the byte."""
    table, parquet = lesser
    plain = jsonl(table.to_pylist())
    (tmp_path / "day.jsonl.gz").write_bytes(gzip.compress(plain, 1))
    (tmp_path / "day.jsonl.zst").write_bytes(zstandard.ZstdCompressor(1).compress(plain))
    base = scan(parquet, "--accounts", world.accounts)
    assert any(len(m & world.campaigns["cot_math"]) >= 10 for m in members(base.out))
    for name in ("day.jsonl.gz", "day.jsonl.zst"):
        other = scan(tmp_path / name, "--accounts", world.accounts)
        _same_bytes(base.out, other.out)
        assert any(
            f.endswith(f"({'gzip' if 'gz' in name else 'zstd'})") for f in summary(other.out)["formats"]
        )


def test_a_mapping_finds_the_same_campaign(
    lesser: tuple[pa.Table, Path], world: World, scan: Scan, tmp_path: Path
) -> None:
    """A log of another make, described by a TOML file, through standard input."""
    table, _ = lesser
    (tmp_path / "proxy.toml").write_text(MAPPING)
    log = "\n".join(json.dumps(_proxy_like(row)) for row in table.to_pylist()).encode()
    run = scan("-", "--mapping", tmp_path / "proxy.toml", "--accounts", world.accounts, stdin=log)
    wanted = world.campaigns["cot_math"]
    best = max(members(run.out), key=lambda found: len(found & wanted))
    assert len(best & wanted) >= 0.8 * len(wanted)
    assert len(best - wanted) <= 0.2 * len(wanted)


def test_another_key_finds_the_same_members(first: Run, world: World, scan: Scan) -> None:
    """Digests differ, the groups are the same: the key also draws which units choose a hub and which test it again.

    Every group of twenty accounts or more agrees with one of the other run by more than half; the campaign of
    this world is the same to nine tenths.
    """
    other = scan(world.logs, "--accounts", world.accounts, key=OTHER_KEY)
    for mine, theirs in ((members(first.out), members(other.out)), (members(other.out), members(first.out))):
        large = [found for found in mine if len(found) >= 20]
        assert large
        for found in large:
            assert max(len(found & x) / len(found | x) for x in theirs) > 0.5
    wanted = world.campaigns["cot_math"]
    one, two = (max(members(r.out), key=lambda x: len(x & wanted)) for r in (first, other))
    assert len(one & two) >= 0.9 * len(one | two)
    assert summary(other.out)["key_id"] != summary(first.out)["key_id"]
    shown = [
        {r for f in findings(run.out) for r in f["reasons"] if " share #" in r} for run in (first, other)
    ]
    assert shown[0]
    assert not shown[0] & shown[1]


def test_one_declared_organisation_is_no_evidence(world: World, scan: Scan, tmp_path: Path) -> None:
    """All accounts of every campaign declared by one customer: nobody among them is in a group."""
    rows = pq.read_table(world.accounts)
    org = pa.array(
        ["org_one" if a in world.attackers else o
         for a, o in zip(rows["account_id"].to_pylist(), rows["org_id"].to_pylist(), strict=True)],
        pa.string(),
    )  # fmt: skip
    pq.write_table(replaced(rows, "org_id", org), tmp_path / "declared.parquet")
    run = scan(world.logs, "--accounts", tmp_path / "declared.parquet")
    assert not set().union(*members(run.out)) & world.attackers
    assert {hints(run.out)[a] for a in world.attackers if a in hints(run.out)} == {"none"}
