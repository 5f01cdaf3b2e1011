"""From a scan to decisions: simulated, published, decided, replayed; the truth stays with the test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.records import Answer, Request
from stillwatch.wiring.policy import Gate
from tests.e2e.conftest import Run, World
from tests.e2e.driving import cli
from tests.protect.making import HEAD, rule

TOUCH = {
    "firm": 'kind = ["campaign"], tier = ["member"]',
    "act": 'hint = ["act"]',
    "heavy": 'kind = ["campaign"], tier = ["member"], extraction_share_at_least = 0.5',
    "anybody linked": 'tier = ["member", "associated", "watch"]',
}


def simulate(world: World, first: Run, policy: Path, *more: object) -> dict[str, Any]:
    """What a simulation over the whole world says."""
    given = ("--on", first.out, "--exchanges", world.logs, "--accounts", world.accounts, "--json")
    ended = cli("policy", "simulate", policy, *given, *more)
    assert ended.status == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


@pytest.mark.parametrize("name", sorted(TOUCH))
def test_the_interval_of_innocent_accounts_covers_the_truth(
    world: World, first: Run, tmp_path: Path, name: str
) -> None:
    """For policies that touch few or many; who is touched is what the run's own tables say."""
    policy = tmp_path / "policy.toml"
    policy.write_text(HEAD + rule(when=TOUCH[name], action="hold"))
    found = simulate(world, first, policy)["candidate"]
    hints = {
        r["account_id"]: r["disposition_hint"]
        for r in pq.read_table(first.out / "accounts.parquet").to_pylist()
    }
    kinds = {r["campaign_id"]: r["kind"] for r in pq.read_table(first.out / "campaigns.parquet").to_pylist()}
    members = pq.read_table(first.out / "members.parquet").to_pylist()
    firm = [m for m in members if kinds[m["campaign_id"]] == "campaign" and m["tier"] == "member"]
    touched = {
        "firm": {m["account_id"] for m in firm},
        "act": {a for a, h in hints.items() if h == "act"},
        "heavy": {m["account_id"] for m in firm if m["extraction_share"] >= 0.5},
        "anybody linked": {m["account_id"] for m in members},
    }[name]
    assert found["touched"] == len(touched) > 0
    assert found["requests"] == world.table().num_rows
    innocent = len(touched - world.attackers)
    assert found["innocent"]["low"] <= innocent <= found["innocent"]["high"]
    assert found["innocent"]["rated"] + found["innocent"]["unrated"] == len(touched)


def test_the_shipped_policy_refuses_nobody_on_a_whole_day(world: World, first: Run, tmp_path: Path) -> None:
    """In shadow it touches nobody; enforced it holds and denies nobody, and the honest crowd is left alone."""
    policy = tmp_path / "policy.toml"
    policy.write_text(cli("policy", "show").out)
    found = simulate(world, first, policy)
    assert found["in_force"]["touched"] == 0
    enforced = found["candidate"]
    assert enforced["by_action"]["hold"]["accounts"] == enforced["by_action"]["deny"]["accounts"] == 0
    assert enforced["faults"] == 0
    honest = enforced["accounts"] - len(world.attackers)
    assert enforced["touched"] < honest / 4


def test_a_gate_decides_on_what_was_published(world: World, first: Run, tmp_path: Path) -> None:
    """Attackers of the run are held, everybody else is served, and each decision comes out again."""
    policy, folder = tmp_path / "policy.toml", tmp_path / "gate"
    policy.write_text(HEAD + rule(when='hint = ["act", "review"]', action="hold"))
    ended = cli("policy", "publish", first.out, "--into", folder, "--accounts", world.accounts)
    assert ended.status == 0, ended.err
    hints = pq.read_table(first.out / "accounts.parquet").to_pylist()
    made = {}
    with Gate.open(policy, folder) as gate:
        for row in hints:
            request = Request(f"r-{row['account_id']}", row["account_id"], "m-large")
            made[row["account_id"]] = answer = gate.decide(request)
            assert answer.allowed is (row["disposition_hint"] not in ("act", "review"))
            gate.record(request, Answer(output_tokens=10))
        assert gate.counts.faults == gate.counts.unlogged == 0
    held = next(d for d in made.values() if not d.allowed)
    for decision in (held, next(iter(made.values()))):
        ended = cli("decision", "replay", decision.decision_id, "--gate", folder)
        assert (ended.status, "the same decision" in ended.out) == (0, True)
    assert len((folder / "decisions.jsonl").read_text().splitlines()) == len(hints)
