"""What a scan writes: names, types and rules of the data contract, through the real command line."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import Tokens, TokenTrait
from stillwatch.detect.traits import load_traits
from tests.e2e.conftest import Run, Scan, World
from tests.e2e.driving import FILES, cli, exchanges, findings, hints, members, process, summary

TIME = pa.timestamp("us", tz="UTC")
STRINGS = pa.list_(pa.string())
COLUMNS: dict[str, list[tuple[str, pa.DataType]]] = {
    "campaigns.parquet": [
        ("campaign_id", pa.string()), ("kind", pa.string()), ("first_seen", TIME), ("last_seen", TIME),
        ("account_count", pa.int64()), ("exchange_count", pa.int64()), ("output_tokens", pa.int64()),
        ("log10_e_value", pa.float64()), ("p_value", pa.float64()), ("calibration_count", pa.int64()),
        ("false_discovery_rate", pa.float64()), ("bits_content", pa.float64()),
        ("bits_infrastructure", pa.float64()), ("bits_timing", pa.float64()), ("bits_identity", pa.float64()),
        ("bits_behaviour", pa.float64()), ("extraction_share", pa.float64()),
        ("extraction_share_low", pa.float64()), ("extraction_share_high", pa.float64()),
        ("capabilities", STRINGS), ("techniques", STRINGS), ("confidence", pa.string()), ("granted", pa.bool_()),
        ("explanation", pa.string()), ("details", pa.string()),
    ],
    "members.parquet": [
        ("campaign_id", pa.string()), ("account_id", pa.string()), ("tier", pa.string()),
        ("membership_bits", pa.float64()), ("extraction_share", pa.float64()), ("exchange_count", pa.int64()),
        ("first_seen", TIME), ("last_seen", TIME), ("reasons", STRINGS),
    ],
    "accounts.parquet": [
        ("account_id", pa.string()), ("exchange_count", pa.int64()), ("campaign_id", pa.string()),
        ("disposition_hint", pa.string()), ("abstentions", STRINGS),
    ],
}  # fmt: skip
BITS = [name for name, _ in COLUMNS["campaigns.parquet"] if name.startswith("bits_")]
LOOSE = "[detect]\nalpha_shape = 0.2\nalpha_review = 0.3\n"
STRICT = "[detect]\nalpha_shape = 1e-9\nalpha_review = 1e-9\n"


def rows(out: Path, name: str) -> list[dict[str, Any]]:
    """One table of a run."""
    found: list[dict[str, Any]] = pq.read_table(out / name).to_pylist()
    return found


def agrees(out: Path) -> None:
    """Whatever was found, the files of a run agree with the contract and with each other."""
    assert {p.name for p in out.iterdir()} == FILES
    for name, wanted in COLUMNS.items():
        schema = pq.read_schema(out / name)
        assert list(zip(schema.names, schema.types, strict=True)) == wanted, name
    campaigns = {c["campaign_id"]: c for c in rows(out, "campaigns.parquet")}
    inside = rows(out, "members.parquet")
    accounts = {a["account_id"]: a for a in rows(out, "accounts.parquet")}
    tiers = {(m["campaign_id"], m["account_id"]): m["tier"] for m in inside}
    assert len(tiers) == len(inside)
    for one in campaigns.values():
        assert one["kind"] in ("campaign", "pool")
        assert one["confidence"] in ("low", "medium", "high")
        assert (
            0 <= one["extraction_share_low"] <= one["extraction_share"] <= one["extraction_share_high"] <= 1
        )
        assert one["first_seen"] <= one["last_seen"]
        assert one["account_count"] == sum(m["campaign_id"] == one["campaign_id"] for m in inside)
        assert all(re.fullmatch(r"AML\.T\d{4}(\.\d{3})?", t) for t in one["techniques"])
        json.loads(one["details"])
    for member in inside:
        assert member["campaign_id"] in campaigns
        assert member["tier"] in ("member", "associated", "watch")
        assert member["account_id"] in accounts
    for account in accounts.values():
        hint, own = account["disposition_hint"], campaigns.get(account["campaign_id"])
        assert hint in ("none", "watch", "review", "act")
        if own is None:
            assert hint == "none"
            continue
        if own["kind"] == "pool":
            assert hint in ("none", "watch")
        if hint == "act":
            assert own["kind"] == "campaign"
            assert tiers[account["campaign_id"], account["account_id"]] == "member"
            assert sum(own[b] > 0 for b in BITS) >= 2
            assert any(own[b] > 0 for b in BITS if b != "bits_content")
            assert 0 < own["false_discovery_rate"] < 1
    for one in findings(out):
        assert set(one) >= {"id", "trait", "family", "subject", "effect", "unit", "baseline", "p_value", "e_value",
                            "reasons", "looks_alike"}  # fmt: skip
        assert one["p_value"] is not None or one["e_value"] is not None or one["trait"] == "grant_scope" or (
            one["log10_e_value"] > 300
        )  # fmt: skip
    told = summary(out)
    assert set(told) >= {
        "counts",
        "versions",
        "settings_digest",
        "timings",
        "abstentions",
        "abstention_counts",
    }
    assert {"exchanges", "accounts", "rejected"} <= set(told["counts"])
    assert told["timings"]["peak_memory_bytes"] > 0
    assert told["timings"]["total"] >= 0


def test_files_agree_with_the_contract(first: Run) -> None:
    """Names, types, vocabularies, and the rules between them."""
    agrees(first.out)
    told = summary(first.out)
    assert set(told) >= {
        "inputs",
        "time_range",
        "key_id",
        "seed",
        "baseline",
        "formats",
        "rejected",
        "incomplete",
    }
    assert told["incomplete"] == []
    assert json.loads(first.ended.out)["counts"] == told["counts"]
    assert all(re.fullmatch(r"[0-9a-f]{64}", i["digest"]) for i in told["inputs"])
    named = {a["trait"] for a in told["abstentions"]}
    assert {"logit_harvest", "release_pivot", "client_lag"} <= named


def test_action_needs_a_campaign_and_two_families(world: World, scan: Scan) -> None:
    """At looser rates something reaches ``act``, and only by the rules."""
    run = scan(world.logs, "--accounts", world.accounts, settings=LOOSE)
    agrees(run.out)
    assert "act" in hints(run.out).values()
    assert run.ended.status == 10


def test_a_pool_is_watched_at_most(world: World, scan: Scan) -> None:
    """At a rate that nothing can meet the same groups are pools: status 0."""
    run = scan(world.logs, "--accounts", world.accounts, settings=STRICT)
    agrees(run.out)
    assert {c["kind"] for c in rows(run.out, "campaigns.parquet")} == {"pool"}
    assert set(hints(run.out).values()) <= {"none", "watch"}
    assert run.ended.status == 0


def _grants(path: Path, accounts: frozenset[str], **changes: Any) -> Path:
    lines = [
        {"grant_id": f"g{number}", "account_id": account, "purpose": "distillation", "models": ["*"],
         "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z", **changes}
        for number, account in enumerate(sorted(accounts))
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def _scope(out: Path) -> list[dict[str, Any]]:
    return [f for f in findings(out) if f["trait"] == "grant_scope"]


def test_granted_accounts_get_no_hint(world: World, scan: Scan, tmp_path: Path) -> None:
    """Every campaign's accounts inside a grant: no hint, no finding of its own, status 0."""
    run = scan(
        world.logs, "--accounts", world.accounts, "--grants", _grants(tmp_path / "g.jsonl", world.attackers)
    )
    agrees(run.out)
    told = hints(run.out)
    assert {told[a] for a in world.attackers if a in told} == {"none"}
    assert _scope(run.out) == []
    wanted = world.campaigns["cot_math"]
    own = [c for c in rows(run.out, "campaigns.parquet") if c["granted"]]
    assert any(len(set(_of(run.out, c["campaign_id"])) & wanted) >= 10 for c in own)


def _of(out: Path, campaign: str) -> list[str]:
    return [m["account_id"] for m in rows(out, "members.parquet") if m["campaign_id"] == campaign]


def test_use_beyond_a_grant_is_a_finding(world: World, scan: Scan, tmp_path: Path) -> None:
    """Ten exchanges each are permitted; the rest is named, and the hint stands."""
    wanted = world.campaigns["cot_math"]
    grants = _grants(tmp_path / "g.jsonl", wanted, max_exchanges=10)
    run = scan(world.logs, "--accounts", world.accounts, "--grants", grants)
    beyond = _scope(run.out)
    assert len(beyond) == len(wanted)
    assert all(f["effect"] > 0 and "exchanges are outside" in f["reasons"][0] for f in beyond)
    assert any(hints(run.out)[a] in ("review", "act") for a in wanted)


def test_a_renewed_grant_is_one_permission(world: World, scan: Scan, tmp_path: Path) -> None:
    """Two grants that follow each other cover the day together: no finding."""
    wanted = world.campaigns["cot_math"]
    one = _grants(tmp_path / "1.jsonl", wanted, valid_until="2026-03-10T12:00:00Z").read_text()
    two = _grants(tmp_path / "2.jsonl", wanted, valid_from="2026-03-10T12:00:00Z").read_text()
    (tmp_path / "both.jsonl").write_text(one + two.replace('"g', '"h').replace('"hrant_id"', '"grant_id"'))
    run = scan(world.logs, "--accounts", world.accounts, "--grants", tmp_path / "both.jsonl")
    assert _scope(run.out) == []
    assert {hints(run.out)[a] for a in wanted} == {"none"}


def test_endings_of_the_real_command(world: World, first: Run, tmp_path: Path, quick: Path) -> None:
    """A process of its own: 10 with something found, 2 for an unusable input, both in plain words."""
    found = process(
        "scan", world.logs, "--accounts", world.accounts, "--out", tmp_path / "report", "--settings", quick
    )
    assert (found.status, "result: something to review" in found.out) == (10, True)
    assert members(tmp_path / "report") == members(first.out)
    bad = process("scan", tmp_path / "absent.jsonl", "--out", tmp_path / "no", "--settings", quick)
    assert (bad.status, bad.out) == (2, "")
    assert bad.err.startswith("error: ")
    assert "hint: " in bad.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report"]


def test_an_internal_failure_is_status_1(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows neither traceback nor content, and leaves nothing behind."""
    from stillwatch.wiring import scanning

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the prompt was: secret")

    monkeypatch.setattr(scanning, "judge", broken)
    ended = cli("scan", world.logs, "--out", tmp_path / "report")
    assert ended.status == 1
    assert "secret" not in ended.err + ended.out
    assert list(tmp_path.iterdir()) == []


def test_a_failing_trait_is_named_and_the_others_go_on(
    world: World, scan: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run says that it is incomplete."""
    from stillwatch.wiring import scanning

    def fails(_: Traffic) -> Tokens:
        raise ZeroDivisionError("customer words")

    traits = tuple(
        replace(t, extract=fails) if isinstance(t, TokenTrait) and t.id == "exit_address" else t
        for t in load_traits()
    )
    monkeypatch.setattr(scanning, "load_traits", lambda **_: traits)
    run = scan(world.logs, "--accounts", world.accounts, incomplete=("exit_address",))
    assert "customer words" not in run.ended.err + run.ended.out


def test_digests_made_from_text_are_not_called_missing(first: Run, world: World, tmp_path: Path) -> None:
    """What the program derives itself is no gap; without the text it is one."""
    rest = exchanges(
        world.table().slice(0, 500).drop_columns(["completion", "messages"]), tmp_path / "rest.parquet"
    )
    assert cli("scan", rest, "--out", tmp_path / "out").status == 0
    for out, gap in ((first.out, False), (tmp_path / "out", True)):
        missing = {
            name for a in summary(out)["abstentions"] if a["trait"] == "input" for name in a["missing"]
        }
        assert "logprobs" in missing
        assert ({"prefix_digests", "output_digests"} <= missing) is gap
        assert gap or not {"prefix_digests", "output_digests"} & missing
