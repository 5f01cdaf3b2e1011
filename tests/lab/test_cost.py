"""Costs add up by hand, follow the dials that cause them, and say where their prices come from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stillwatch.lab import build_world
from stillwatch.lab.attackers import LEVELS
from stillwatch.lab.attackers.imitation import Imitation
from stillwatch.lab.cost import ENGINEERING_H, ONE_OFF, PRICES, Usage, framing_items, over, price
from stillwatch.lab.cost_prices import Price
from stillwatch.lab.scenario import CampaignSpec
from tests.lab.conftest import scenario

USAGE = Usage(
    accounts=100, aged_accounts=40, cards=30, verifications=50, cloud_tenants=2, shells=3, decoy_users=4,
    hosting_exits=10, residential_share=0.5, days=60.0, extraction=1000, cover=500, customers=300,
    input_tokens=2000.0, output_tokens=1000.0, prefix_tokens=1000.0, uncached=0.5, paraphrased=200, duplicates=50,
    templates=2, worked=40, engineering=("paraphrase", "staged"), delays={"ageing": 90.0, "recency": 12.0},
)  # fmt: skip


def test_a_bill_worked_out_by_hand() -> None:
    """One exchange costs 2,000 x 3 + 1,000 x 15 dollars per million tokens = 0.021."""
    cost = price(USAGE)
    by_hand = {
        "accounts": 60 * 0.25 + 40 * 2.0,
        "verifications": 50 * 0.25,
        "cards": 30 * 2.0,
        "cloud_tenants": 20.0,
        "shells": 150.0,
        "decoy_users": 20.0,
        "hosting_exits": 10 * 2.5 * 2,
        "residential": 1500 * 3000 * 6 / 1e9 * 0.5 * 5.0,
        "extraction_tokens": 950 * 0.021,
        "duplicates": 50 * 0.021,
        "cover_tokens": 500 * 0.021,
        "customers": -300 * 0.021,
        "lost_cache": 1000 * 1000 * 0.5 * 0.9 * 3.0 / 1e6,
        "paraphrase": 200 * 120 * 0.13 / 1e6,
        "templates": 2 * 50.0,
        "people": 40 / 20 * 5.0,
        "engineering": (16 + 4) * 50.0,
    }
    assert dict(cost.items) == pytest.approx(by_hand)
    assert cost.total_usd == pytest.approx(sum(by_hand.values()))
    assert cost.per_exchange_usd == pytest.approx(sum(by_hand.values()) / 1000)
    assert cost.delay == 90.0


def test_without_extraction_there_is_no_cost_per_exchange() -> None:
    """A pool has a bill and no haul."""
    assert price(replace(USAGE, extraction=0, duplicates=0)).per_exchange_usd is None


def test_prices_can_be_changed() -> None:
    """Another market, another bill: only the items that use the price move."""
    dear = {**PRICES, "sms": replace(PRICES["sms"], usd=4.93)}
    old, new = price(USAGE), price(USAGE, dear)
    assert {k for k in old.items if old.items[k] != new.items[k]} == {"verifications"}
    assert new.items["verifications"] == pytest.approx(50 * 4.93)


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
    assert over(items, 1, 30) == pytest.approx(once / 30 + running)
    assert over(items, 60, 30) == pytest.approx(once + running)
    assert ONE_OFF < set(items)


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
    assert sum(framing_items(Imitation(), 20, 3).values()) == 0
    items = framing_items(
        Imitation(exits=0.5, template=1.0, payload=0.1, timing=0.1, signup=1.0, client=1.0), 20, 3
    )
    assert items == {
        "imitate_exits": 100.0, "imitate_template": 600.0, "imitate_payload": 1500.0, "imitate_timing": 6000.0,
        "imitate_signup": 400.0, "imitate_client": ENGINEERING_H["imitate_client"] * 50.0,
    }  # fmt: skip
