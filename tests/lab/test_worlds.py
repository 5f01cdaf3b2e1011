"""What every written world has in common."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.lab import generate
from stillwatch.lab.scenario import CampaignSpec, LookAlike
from stillwatch.records.exchange import ACCOUNT_SCHEMA, EXCHANGE_REQUIRED, EXCHANGE_SCHEMA
from tests.lab.conftest import Make, Written, digests, scenario

ATTACK = CampaignSpec(variant="agentic", accounts=12, exchanges_per_account=30, level=0)


@pytest.fixture(scope="module")
def world(make: Make) -> Written:
    """Ordinary accounts, some look-alikes, one campaign."""
    honest = {"reseller": LookAlike(1, (6, 8), (40, 60)), "key_rotation": LookAlike(2, (4, 4), (30, 40))}
    return make(ordinary=1500, honest=honest, campaigns=(ATTACK,))


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    """Two runs of one seed agree byte for byte; another seed differs."""
    plan = scenario(ordinary=150, campaigns=(ATTACK,), honest={"byok": LookAlike(1, (5, 5), (5, 9))})
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate(plan, seed=seed, out=tmp_path / name)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert (
        digests(tmp_path / "a")["exchanges/part-0000.parquet"]
        != digests(tmp_path / "c")["exchanges/part-0000.parquet"]
    )


def test_worlds_word_their_templates_differently(make: Make) -> None:
    """No system prompt of one seed's campaign or product is seen under another seed."""
    honest = {"byok": LookAlike(3, (5, 8), (5, 9)), "llm_judge": LookAlike(2, (1, 1), (20, 20))}
    prompts = [
        {
            r[0]
            for r in make(seed=seed, honest=honest).rows(
                "select distinct system_prompt from x where system_prompt is not null"
            )
        }
        for seed in (1, 2)
    ]
    assert prompts[0]
    assert not prompts[0] & prompts[1]


def test_schemas_are_exact(world: Written) -> None:
    """Exchange and account files carry exactly the contract's schema; required fields are never null."""
    assert pq.read_schema(world.folder / "exchanges" / "part-0000.parquet").equals(EXCHANGE_SCHEMA)
    assert pq.read_schema(world.folder / "accounts.parquet").equals(ACCOUNT_SCHEMA)
    table = pq.read_table(world.folder / "exchanges")
    assert all(table[name].null_count == 0 for name in EXCHANGE_REQUIRED)


def test_exchanges_are_unique_in_order_and_in_the_window(world: Written) -> None:
    """Identifiers are unique, times ascend and stay within the scenario, and nobody writes before signing up."""
    times = (
        pq.read_table(world.folder / "exchanges", columns=["started_at"])["started_at"]
        .cast(pa.int64())
        .to_pylist()
    )
    assert times == sorted(times)
    assert world.one("select count(*) - count(distinct exchange_id) from x") == 0
    assert (
        world.one("select count(*) from x where started_at < '2026-03-10' or started_at >= '2026-03-11'") == 0
    )
    assert (
        world.one("select count(*) from x join accounts using (account_id) where started_at < created_at")
        == 0
    )


def test_the_new_model_is_served_only_after_its_release(world: Written) -> None:
    """Releases and models agree."""
    releases = [json.loads(line) for line in (world.folder / "releases.jsonl").read_text().splitlines()]
    for r in releases:
        assert (
            world.one(
                f"select count(*) from x where model = '{r['model']}' and started_at < '{r['released_at']}'"
            )
            == 0
        )


def test_truth_covers_every_account_and_exchange(world: Written) -> None:
    """Sealed truth lines up with the inputs and adds up."""
    assert world.one("select count(*) from x anti join marks using (exchange_id)") == 0
    assert world.one("select count(*) from accounts anti join truth using (account_id)") == 0
    assert world.one("select sum(exchanges) from truth") == world.one("select count(*) from x")
    campaign = json.loads((world.folder / "truth" / "campaigns.jsonl").read_text())
    assert campaign["extraction_exchanges"] == world.one("select count(*) from marks where extraction")
    assert world.one("select count(*) from truth where is_extractor and campaign_id is null") == 0


def test_volumes_are_concentrated(make: Make) -> None:
    """The top tenth of ordinary accounts sends 60-79 % of exchanges, give or take sampling."""
    shares = []
    for seed in (1, 2, 3):
        w = make(seed=seed, ordinary=2500, rate=6.0, completions="none")
        shares.append(
            w.one(
                "select sum(exchanges) filter (place <= n / 10) / sum(exchanges) from"
                " (select exchanges, row_number() over (order by exchanges desc) place, count(*) over () n from truth)"
            )
        )
    assert 0.57 <= sum(shares) / 3 <= 0.82


def test_conversations_carry_their_real_history(world: Written) -> None:
    """An assistant turn in a later request is, to the letter, the completion given before."""
    rows = world.rows(
        "select a.completion, b.messages from x a join x b"
        " on a.account_id = b.account_id and a.conversation_id = b.conversation_id"
        " where a.turn = 0 and b.turn = 1 and a.status = 200 limit 300"
    )
    assert len(rows) > 50
    for completion, messages in rows:
        chain = json.loads(messages)
        assert [m["content"] for m in chain if m["role"] == "assistant"] == [completion]


def test_multi_turn_failures_and_languages_have_realistic_shares(world: Written) -> None:
    """Conversations 10-30 % of ordinary exchanges, errors around one per cent, many scripts."""
    turns, errors = world.rows(
        "select avg((turn is not null)::int), avg((status <> 200)::int)"
        " from x join truth using (account_id) where class = 'ordinary'"
    )[0]
    assert 0.08 <= turns <= 0.32
    assert 0.002 <= errors <= 0.06
    assert world.one("select count(*) from x where regexp_matches(prompt, '[\\x{4e00}-\\x{9fff}]')") > 50


def test_honest_retries_stay_on_their_account(world: Written) -> None:
    """A failed ordinary request is sent again by the same account."""
    assert (
        world.one(
            "select count(*) from x a join x b using (account_id, prompt) join truth using (account_id)"
            " where class = 'ordinary' and a.status <> 200 and b.status = 200 and a.started_at < b.started_at"
        )
        > 10
    )


def test_fingerprints_are_shared_by_stack(world: Written) -> None:
    """Few fingerprints serve many accounts: they name software, not people."""
    kinds, accounts = world.rows("select count(distinct tls_fingerprint), count(distinct account_id) from x")[
        0
    ]
    assert kinds < 120
    assert accounts > 10 * kinds


def test_completions_can_be_left_out(make: Make) -> None:
    """With ``completions = none`` token counts remain."""
    w = make(ordinary=60, completions="none")
    assert w.one("select count(completion) from x") == 0
    assert w.one("select min(output_tokens) from x where status = 200") >= 1


def test_a_world_says_what_made_it(make: Make) -> None:
    """``world.json`` names scenario, digest, seed, scale, split and generator; another scenario, another digest."""
    abouts = [
        json.loads((make(ordinary=n, completions="none").folder / "world.json").read_text()) for n in (40, 41)
    ]
    assert {"scenario", "scenario_version", "generator", "seed", "scale", "split"} <= set(abouts[0])
    assert abouts[0]["split"] == "develop"
    assert abouts[0]["exchanges"] > 0
    assert abouts[0]["scenario_digest"] != abouts[1]["scenario_digest"]
