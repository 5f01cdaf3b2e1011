"""Costs add up by hand, follow the dials that cause them, and say where their prices come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from stillwatch.lab import build_world
from stillwatch.lab.attackers import LEVELS
from stillwatch.lab.cost import (
    ENGINEERING_H,
    HEARTBEAT_TOKENS,
    ONE_OFF,
    PRICES,
    Imitated,
    Usage,
    framing_items,
    over,
    price,
)  # fmt: skip
from stillwatch.lab.cost_prices import Price
from stillwatch.lab.evasion import per_exchange, yield_of
from stillwatch.lab.evasion_trial import Seen
from stillwatch.lab.scenario import CampaignSpec
from tests.lab.conftest import scenario

USAGE = Usage(
    accounts=100, aged_accounts=40, cards=30, verifications=50, cloud_tenants=2, shells=3, decoy_users=4,
    hosting_addresses=10, residential_share=0.5, days=60.0, extraction=1020, answered=1000, cover=500, customers=300,
    heartbeats=24,
    input_tokens=2000.0, output_tokens=1000.0, prefix_tokens=1000.0, uncached=0.5, paraphrased=200, duplicates=50,
    templates=2, worked=40, engineering=("paraphrase", "staged"), delays={"ageing": 90.0, "recency": 12.0},
)  # fmt: skip


def test_a_bill_worked_out_by_hand() -> None:
    """One exchange costs 2,000 x 3 + 1,000 x 15 dollars per million tokens = 0.021; a cached prefix of 1,000 saves
    0.9 x 1,000 x 3 = 0.0027 of it. Refused exchanges cost nothing and count below the line."""
    cost = price(USAGE)
    by_hand = {
        "accounts": 60 * 0.25 + 40 * 2.0,
        "verifications": 50 * 0.25,
        "cards": 30 * 2.0,
        "cloud_tenants": 20.0,
        "shells": 150.0,
        "decoy_users": 20.0,
        "hosting_addresses": 10 * 0.083 * 60,
        "residential": 1500 * 3000 * 6 / 1e9 * 0.5 * 5.0,
        "extraction_tokens": 950 * (0.021 - 0.0027),
        "duplicates": 50 * (0.021 - 0.0027),
        "heartbeats": 24 * (80 * 3 + 10.4 * 15) / 1e6,
        "cover_tokens": 500 * 0.021,
        "customers": -300 * 0.021,
        "lost_cache": 1000 * 0.5 * 0.0027,
        "paraphrase": 200 * 120 * 0.13 / 1e6,
        "templates": 2 * 50.0,
        "people": 40 / 20 * 5.0,
        "engineering": (16 + 4) * 50.0,
    }
    assert dict(cost.items) == pytest.approx(by_hand)
    assert cost.total_usd == pytest.approx(sum(by_hand.values()))
    assert cost.per_exchange_usd(60) == pytest.approx(sum(by_hand.values()) / 1020)
    assert cost.record(60)["delay_days"] == {"ageing": 90.0, "recency": 12.0}


def test_without_extraction_there_is_no_cost_per_exchange() -> None:
    """A pool has a bill and no haul."""
    assert price(replace(USAGE, extraction=0, answered=0, duplicates=0)).per_exchange_usd(1) is None


def test_prices_can_be_changed() -> None:
    """Another market, another bill: only the items that use the price move."""
    dear = {**PRICES, "sms": replace(PRICES["sms"], usd=4.93)}
    old, new = price(USAGE), price(USAGE, dear)
    assert {k for k in old.items if old.items[k] != new.items[k]} == {"verifications"}
    assert new.items["verifications"] == pytest.approx(50 * 4.93)


MOVES = {
    "account": {"accounts"},
    "fresh_account": {"accounts"},
    "old_account": {"imitate_signup"},
    "sms": {"verifications"},
    "card": {"cards"},
    "shell": {"shells"},
    "cloud_tenant": {"cloud_tenants"},
    "residential_gb": {"residential"},
    "hosting_address": {"hosting_addresses"},
    "input_mtok": {
        "extraction_tokens",
        "duplicates",
        "cover_tokens",
        "customers",
        "lost_cache",
        "heartbeats",
    },
    "output_mtok": {"extraction_tokens", "duplicates", "cover_tokens", "customers", "heartbeats"},
    "cached_share": {"extraction_tokens", "duplicates", "lost_cache"},
    "small_input_mtok": {"paraphrase"},
    "small_output_mtok": {"paraphrase"},
    "engineer_h": {"templates", "engineering", "imitate_client"},
    "worker_h": {"people"},
    "resale_share": {"customers"},
    "decoy_user": {"decoy_users"},
    "exit_near": {"imitate_exits"},
    "prompt_leak": {"imitate_template"},
    "payload_leak": {"imitate_payload"},
    "watch": {"imitate_timing"},
}
"""Items that a price enters. An item must not move with a price that is not said to enter it."""


@pytest.mark.parametrize("name", sorted(PRICES))
def test_every_price_enters_the_bill_where_it_is_said_to(name: str) -> None:
    """A tenth more moves its own items and the total, and no other item. A price without effect fails."""
    did = Imitated(exits=3, signups=4, clients=1, prompts=2, payloads=2, watched=2)

    def bill(prices: Mapping[str, Price]) -> dict[str, float]:
        return {**price(USAGE, prices).items, **framing_items(did, prices)}

    plain = bill(PRICES)
    dear = bill({**PRICES, name: replace(PRICES[name], usd=1.1 * PRICES[name].usd)})
    assert {k for k in plain if dear[k] != pytest.approx(plain[k], rel=1e-9)} == MOVES[name]
    assert sum(dear.values()) != pytest.approx(sum(plain.values()), rel=1e-12)


def test_without_a_cache_the_prefix_is_paid_in_full_and_once() -> None:
    """Tokens and what the lost cache adds make the list price of every answered exchange."""
    items = price(replace(USAGE, uncached=1.0)).items
    assert items["extraction_tokens"] + items["duplicates"] + items["lost_cache"] == pytest.approx(
        1000 * 0.021
    )


def test_every_price_names_its_source_and_none_is_free() -> None:
    """An assumption says so; anything else names where it was read."""
    for name, p in PRICES.items():
        assert isinstance(p, Price)
        assert p.usd > 0, name
        assert len(p.source) > 10, name
        assert p.unit, name
    assert any(p.assumed for p in PRICES.values())
    assert not PRICES["sms"].assumed


def test_what_is_paid_once_is_spread_over_the_horizon() -> None:
    """A day's share of a month for accounts, the whole of a day's tokens."""
    items = dict(price(USAGE).items)
    once = sum(v for k, v in items.items() if k in ONE_OFF)
    running = sum(v for k, v in items.items() if k not in ONE_OFF)
    assert over(items, 1) == pytest.approx(once / 30 + running)
    assert over(items, 60) == pytest.approx(once + running)
    assert over(items, 1, 10) == pytest.approx(once / 10 + running)
    assert ONE_OFF < set(items) | set(framing_items(Imitated()))
    assert "hosting_addresses" not in ONE_OFF  # rent


def test_the_cost_of_an_exchange_has_one_definition() -> None:
    """The truth's figure is the bill over the truth's extraction exchanges, and a search's when nobody is flagged."""
    for level in (0, 5, 7, 8):
        spec = CampaignSpec(variant="cot_math", accounts=30, exchanges_per_account=30, level=level)
        world = build_world(scenario(days=2, campaigns=(spec,)), seed=5)
        (row,) = world.campaigns
        rows = [b for _, b in world.events.sealed().batches(100_000)]
        taken = sum(int(b["extraction"].sum()) for b in rows)
        assert row["extraction"] == taken
        assert row["cost_per_exchange_usd"] == pytest.approx(over(row["cost"], 2) / taken, abs=1e-5)
        truth = {"account_id": "a", "campaign_id": row["campaign_id"], "extraction_exchanges": taken}
        got = yield_of(Seen((truth,), {}, (row,)))
        assert per_exchange([got]) == pytest.approx(row["cost_per_exchange_usd"], abs=1e-5)


def test_usage_is_what_the_log_shows() -> None:
    """Answers are paid for, refusals are not; heartbeats are counted as such."""
    spec = CampaignSpec(variant="cot_math", accounts=48, exchanges_per_account=60, level=0)
    world = build_world(scenario(days=2, campaigns=(spec,)), seed=5)
    usage = world.campaigns[0]["usage"]
    rows = [b for _, b in world.events.sealed().batches(100_000)]
    status = np.concatenate([b["status"] for b in rows])
    extraction = np.concatenate([b["extraction"] for b in rows])
    assert usage.answered == int((extraction & (status == 200)).sum()) < usage.extraction
    assert usage.heartbeats > 0
    assert usage.answered + usage.cover + usage.heartbeats == int((status == 200).sum())
    hello = world.streams[int(rows[0]["stream"].max())]
    assert hello.max_tokens == 1000  # the heartbeats' own
    assert HEARTBEAT_TOKENS[0] == pytest.approx(len(hello.system or "") / 3.7, rel=0.2)
    assert HEARTBEAT_TOKENS[1] == pytest.approx(np.exp(hello.out[0] + hello.out[1] ** 2 / 2), abs=0.1)


def test_more_exits_cost_more_rent() -> None:
    """An account in a block of its own rents an address of its own."""
    shared, apart = (_items(residential=0.0, exits_per_block=n)["hosting_addresses"] for n in (16.0, 1.0))
    assert apart > 1.3 * shared


def _items(**dials: float) -> dict[str, float]:
    spec = CampaignSpec(variant="code", accounts=60, exchanges_per_account=30, level=0, dials=dials)
    cost: dict[str, float] = build_world(scenario(days=2, campaigns=(spec,)), seed=5).campaigns[0]["cost"]
    return cost


@pytest.mark.parametrize(
    ("dial", "value", "dearer"),
    [
        ("own_card", 1.0, {"cards"}),
        ("aged", 1.0, {"accounts"}),
        ("own_client", 1.0, {"engineering"}),
        ("paraphrase", 1.0, {"paraphrase", "engineering"}),
        ("templates", 9.0, {"templates"}),
        ("duplicate_share", 0.2, {"duplicates"}),
        ("sticky_s", 0.0, {"engineering"}),
        ("human_hours", 1.0, {"engineering"}),
        ("cloud_share", 0.5, {"cloud_tenants", "engineering"}),
        ("shells", 0.5, {"shells"}),
        ("decoy", 1.0, {"decoy_users", "engineering"}),
        ("natural", 1.0, {"people"}),
        ("padding", 0.8, {"cover_tokens", "engineering"}),
        ("staged", 0.5, {"engineering"}),
    ],
)
def test_every_dial_has_its_price(dial: str, value: float, dearer: set[str]) -> None:
    """Turning it up puts up the items that pay for it."""
    plain, turned = _items(), _items(**{dial: value})
    assert all(turned[item] > plain[item] for item in dearer), {k: (plain[k], turned[k]) for k in dearer}


def test_fresh_contexts_lose_the_cached_prefix() -> None:
    """Agents with long fixed prompts pay for every request that moves."""
    costs = []
    for sticky in (3600.0, 0.0):
        spec = CampaignSpec(
            variant="agentic", accounts=30, exchanges_per_account=30, level=0, dials={"sticky_s": sticky}
        )
        costs.append(
            build_world(scenario(days=2, campaigns=(spec,)), seed=5).campaigns[0]["cost"]["lost_cache"]
        )
    assert costs[0] == 0
    assert costs[1] > 1


def test_recency_is_lost_with_the_pivot_and_time_with_the_cap() -> None:
    """Delay has causes, in days."""
    spec = CampaignSpec(
        variant="code",
        accounts=60,
        exchanges_per_account=30,
        dials={"pivot": 0.25, "daily_cap": 7.5, "shells": 0.1},
    )
    delays = build_world(scenario(days=2, campaigns=(spec,)), seed=5).campaigns[0]["delay_days"]
    assert delays["recency"] == 6.0
    assert delays["ageing"] == 90.0
    assert 1.5 < delays["daily_cap"] < 2.6


def test_climbing_the_ladder_costs_more_per_exchange() -> None:
    """Rung by rung up to shells and decoys; independent people cost wages, an order of magnitude above the bottom."""
    per = []
    for level in range(len(LEVELS)):
        spec = CampaignSpec(variant="code", accounts=100, exchanges_per_account=200, level=level)
        per.append(
            build_world(scenario(days=7, campaigns=(spec,)), seed=5).campaigns[0]["cost_per_exchange_usd"]
        )
    assert per[0] < 0.06
    assert per[:8] == sorted(per[:8])
    assert per[8] > 10 * per[0]


def test_imitation_has_its_price() -> None:
    """Nothing for nothing; each imitation pays for itself."""
    assert sum(framing_items(Imitated()).values()) == 0
    assert framing_items(Imitated(exits=10, signups=20, clients=5, prompts=3, payloads=3, watched=3)) == {
        "imitate_exits": 100.0, "imitate_template": 600.0, "imitate_payload": 1500.0, "imitate_timing": 6000.0,
        "imitate_signup": 400.0, "imitate_client": ENGINEERING_H["imitate_client"] * 50.0,
    }  # fmt: skip


def _framing(**copy: float) -> dict[str, float]:
    spec = CampaignSpec(
        variant="code", kind="framing", victims=2, accounts=8, exchanges_per_account=20, imitation=copy,
        dials={"ban_share": 0.0, "residential": 0.0},
    )  # fmt: skip
    cost: dict[str, float] = build_world(scenario(campaigns=(spec,)), seed=5).campaigns[0]["cost"]
    return cost


def test_imitation_that_falls_on_nobody_costs_nothing() -> None:
    """A share too small for a single account or line is the setting without it, and has its price."""
    plain = _framing()
    tiny = _framing(exits=0.001, template=0.001, client=0.001, signup=0.001)
    assert tiny == plain


def test_what_imitation_replaces_is_not_paid_for_twice() -> None:
    """An exit near the victim is the account's only exit; an old account is not got as a fresh one as well."""
    plain, copied = _framing(), _framing(exits=1.0, signup=1.0)
    assert plain["hosting_addresses"] > 0 and plain["accounts"] > 0
    assert copied["hosting_addresses"] == copied["accounts"] == copied["verifications"] == 0
    assert (copied["imitate_exits"], copied["imitate_signup"]) == (80.0, 160.0)
