"""Dials do what they say."""

from __future__ import annotations

import json

import pytest

from stillwatch.lab.attackers import LEVELS, VARIANTS
from stillwatch.lab.scenario import CampaignSpec
from tests.lab.conftest import Make, Written

TRUE = "x join truth using (account_id) join marks using (exchange_id)"


def _attack(make: Make, level: int, variant: str = "cot_math", **changes: object) -> Written:
    settings: dict[str, object] = {"accounts": 60, "exchanges_per_account": 40, "level": level, **changes}
    return make(days=2, campaigns=(CampaignSpec(variant=variant, **settings),))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def rungs(make: Make) -> dict[int, Written]:
    """One campaign per rung."""
    return {level: _attack(make, level) for level in range(7)}


def test_cards_are_pooled_only_at_the_lowest_rung(rungs: dict[int, Written]) -> None:
    """L0 uses one card for 5-40 accounts; from L1 on every account has its own."""
    sql = "select count(*), count(distinct payment_digest) from accounts"
    accounts, cards = rungs[0].rows(sql)[0]
    assert cards <= accounts / 5 + 1
    for level in range(1, 7):
        accounts, cards = rungs[level].rows(sql)[0]
        assert cards == accounts


def test_signups_are_a_cohort_only_at_the_lowest_rung(rungs: dict[int, Written]) -> None:
    """L0 signs up in bursts; L1 is spread over months."""
    sql = "select count(distinct created_at::date) from accounts where status = 'active'"
    assert rungs[0].one(sql) <= 8
    assert rungs[1].one(sql) >= 30


def test_client_is_frozen_until_rung_two(rungs: dict[int, Written]) -> None:
    """One build and fingerprint at L0-L1, each account its own from L2 on."""
    for level in (0, 1):
        assert rungs[level].one("select count(distinct user_agent || tls_fingerprint) from x") == 1
    assert rungs[2].one("select count(distinct user_agent) from x") >= 10


def test_release_pivot_until_rung_two(rungs: dict[int, Written]) -> None:
    """About half of extraction is on the new model a day after its release, until L3 drops the pivot."""
    sql = f"select avg((model = 'larch-5')::int) from {TRUE} where extraction and started_at > '2026-03-11 18:00:00'"
    assert 0.25 <= rungs[0].one(sql) <= 0.75
    assert rungs[3].one(sql) < 0.3


def test_wording_varies_from_rung_four(rungs: dict[int, Written]) -> None:
    """Fixed openings to L3, many at L4; the format ask stays."""
    sql = f"select count(distinct split_part(prompt, chr(10), 1)) from {TRUE} where extraction"
    fixed = rungs[3].one(f"select count(distinct left(prompt, 24)) from {TRUE} where extraction")
    assert fixed <= 60
    assert rungs[4].one(sql) > 200


def test_queue_payloads_tile(rungs: dict[int, Written]) -> None:
    """Without repeats no payload is answered twice anywhere in the campaign; random duplicates appear at L5."""
    payload = "regexp_replace(regexp_extract(prompt, '[^\\n]*$'), '^[A-Z][a-z ]{3,9}(: | - )', '')"
    sql = f"select count(*) - count(distinct {payload}) from {TRUE} where extraction and status = 200"
    assert rungs[0].one(sql) <= 2
    assert rungs[5].one(sql) >= 20


def test_best_of_r_goes_to_different_accounts(make: Make) -> None:
    """Every payload is asked R times, minutes apart, never twice on one account."""
    w = _attack(make, 0, repeats=3)
    rows = w.rows(
        f"select prompt, count(*), count(distinct account_id), max(started_at) - min(started_at) from {TRUE}"
        " where extraction and status = 200 and turn is null group by 1"
    )
    assert sum(1 for r in rows if r[1] == 3) > 0.85 * len(rows)
    assert all(r[1] == r[2] for r in rows)


def test_fail_over_within_a_minute_on_another_account(rungs: dict[int, Written]) -> None:
    """Until L4 a failed request is answered on another account within a minute; at L5 never on another one."""
    sql = (
        f"with t as (select * from {TRUE} where extraction)"
        " select count(*), count(*) filter (exists (select 1 from t b where"
        " b.prompt = a.prompt and b.status = 200 and b.account_id <> a.account_id and b.started_at >= a.started_at"
        " and b.started_at < a.started_at + interval 1 minute)) from t a where a.status <> 200"
    )
    for level in (0, 4):
        failed, moved = rungs[level].rows(sql)[0]
        assert failed >= 5
        assert moved >= 0.9 * failed
    assert rungs[5].rows(sql)[0][1] == 0


def test_conversations_continue_on_another_account(make: Make) -> None:
    """Hand-off: an answer given to one account stands in the history sent by another, until fresh context at L5."""
    sql = "select count(*) from handed"
    assert _attack(make, 0, "agentic").one(sql) >= 15
    assert _attack(make, 5, "agentic").one(sql) == 0


def test_load_is_levelled_while_sessions_rotate(rungs: dict[int, Written]) -> None:
    """Least-recently-used rotation leaves accounts closer to each other than random choice does."""
    sql = "select stddev(exchanges) / avg(exchanges) from truth where exchanges > 20"
    assert rungs[0].one(sql) < 1.0


def test_banned_accounts_fall_silent_and_are_replaced(make: Make) -> None:
    """After its ban an account gets at most refusals, and fresh accounts carry on."""
    w = _attack(make, 0, ban_share=0.2)
    assert w.one("select count(*) from accounts where status = 'banned'") == 12
    late = "started_at > status_changed_at + interval 1 minute and x.status = 200 and system_prompt is null"
    assert (
        w.one(
            f"select count(*) from x join accounts a using (account_id) where a.status = 'banned' and {late}"
        )
        <= 20
    )
    assert w.one("select count(*) from truth where exchanges > 0") > 60
    assert w.one("select count(*) from truth where replaces is not null") == 12
    follows = (
        "select count(*) from truth t join accounts gone on t.replaces = gone.account_id"
        " join (select account_id, min(started_at) first from x group by 1) f on f.account_id = t.account_id"
        " where gone.status = 'banned' and f.first >= gone.status_changed_at"
    )
    assert w.one(follows) == w.one("select count(*) from truth where replaces is not null and exchanges > 0")


def test_sealed_blocks_are_replayed_by_other_accounts(make: Make) -> None:
    """What was issued to one account is presented by another."""
    w = _attack(make, 3, "cot_reconstruction", sealed_replay=True)
    assert (
        w.one(
            "with o as (select account_id, unnest(sealed_out) s from x),"
            " i as (select account_id, unnest(sealed_in) s from x)"
            " select count(*) from i join o using (s) where i.account_id <> o.account_id"
        )
        > 100
    )


def test_graders_quote_the_teacher(make: Make) -> None:
    """A graded attempt is the literal completion of an earlier exchange, mostly of another account."""
    w = _attack(make, 1, "rubric_grading")
    assert (
        w.one(
            "select count(*) from x a join x b on contains(b.prompt, a.completion) and a.account_id <> b.account_id"
            " and a.started_at < b.started_at where contains(b.prompt, 'Attempt:')"
        )
        > 50
    )


def test_extraction_share_follows_the_dial(rungs: dict[int, Written]) -> None:
    """Cover traffic is about half, and nearly everything at L6."""
    for level, w in rungs.items():
        share = w.one(f"select avg(extraction::int) from {TRUE}")
        assert abs(share - LEVELS[level].extraction_share) < 0.12


def test_low_and_slow_has_few_calls_each(make: Make) -> None:
    """Four calls per account, spread over all accounts."""
    w = _attack(make, 3, accounts=300, exchanges_per_account=4, stealth=True)
    assert w.one("select quantile_cont(exchanges, 0.95) from truth") <= 16


def test_a_pool_extracts_nothing(make: Make) -> None:
    """Kind ``pool`` has customers only."""
    w = make(
        campaigns=(
            CampaignSpec(variant="mixed", kind="pool", accounts=10, exchanges_per_account=30, level=1),
        )
    )
    truth = json.loads((w.folder / "truth" / "campaigns.jsonl").read_text())
    assert truth["kind"] == "pool"
    assert truth["extraction_exchanges"] == 0
    assert truth["exchanges"] > 100


@pytest.mark.parametrize("variant", sorted(v for v, family in VARIANTS.items() if family is not None))
def test_every_variant_runs_at_both_ends_of_the_ladder(make: Make, variant: str) -> None:
    """Each text family extracts under fixed and under varied wording."""
    specs = tuple(
        CampaignSpec(variant=variant, accounts=8, exchanges_per_account=12, level=level) for level in (0, 4)
    )
    assert make(campaigns=specs).one("select count(*) from marks where extraction") > 40
