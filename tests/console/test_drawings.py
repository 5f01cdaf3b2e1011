"""Drawings and figures of a campaign."""

from __future__ import annotations

import json
from dataclasses import replace

from stillwatch.console.drawings import account_graph, exchanges
from stillwatch.console.exposure import exposure
from stillwatch.console.next_steps import next_steps
from stillwatch.records import Confidence, Kind
from tests.report.factory import make_result

RESULT = make_result()
CAMPAIGN = max(RESULT.campaigns, key=lambda c: len(c.edges))


def test_the_same_links_give_the_same_graph_in_any_order() -> None:
    """Places do not depend on chance or on the order of the input."""
    one = account_graph(CAMPAIGN, {})
    other = account_graph(replace(CAMPAIGN, edges=tuple(reversed(CAMPAIGN.edges))), {})
    assert one is not None
    assert other is not None
    assert one.data == other.data
    assert one.drawn <= one.sampled <= CAMPAIGN.account_count


def test_the_graph_of_very_many_links_stays_small() -> None:
    """Values and dots are bounded whatever is kept; what is left out is said."""
    edges = tuple((f"a{i}", f"trait{i % 7}", f"v{i % 300}") for i in range(20_000))
    made = account_graph(replace(CAMPAIGN, edges=edges), {})
    assert made is not None
    assert len(made.data["values"]) <= 40
    assert len(made.data["accounts"]) <= 120
    assert made.sampled == 20_000
    assert len(json.dumps(made.data)) < 100_000


def test_no_links_no_graph() -> None:
    """Values that one account alone shows link nothing."""
    assert account_graph(replace(CAMPAIGN, edges=()), {}) is None
    assert account_graph(replace(CAMPAIGN, edges=(("a", "t", "v"), ("b", "t", "w"))), {}) is None


def test_no_exchange_is_lost_between_the_timeline_and_its_drawing() -> None:
    """Columns add up to what the campaign holds, however long it lasted."""
    made = exchanges(CAMPAIGN, ())
    assert made is not None
    assert (
        sum(map(sum, made.data["y"])) == sum(n for _, _, n in CAMPAIGN.model_timeline or ())
        or CAMPAIGN.exchange_count
    )
    assert len(made.data["x"]) <= 401
    assert exchanges(replace(CAMPAIGN, timeline=(), model_timeline=()), ()) is None


def test_money_is_a_range_that_grows_with_its_assumptions() -> None:
    """Low is never above high, and twice the price is twice the figure."""
    one = exposure(CAMPAIGN, (10.0, 75.0), (0.05, 5.0))
    two = exposure(CAMPAIGN, (20.0, 150.0), (0.1, 10.0))
    assert 0 <= one.list_price.low <= one.list_price.high
    assert two.list_price.high == 2 * one.list_price.high
    assert two.avoided.low == 2 * one.avoided.low
    assert one.exchanges_low <= one.exchanges_high <= CAMPAIGN.exchange_count


def test_advice_never_asks_to_act_on_little() -> None:
    """Pools, grants, low confidence and single families are not planned against."""
    sure = replace(CAMPAIGN, kind=Kind.CAMPAIGN, granted=False, confidence=Confidence.HIGH)
    assert any("Plan the takedown" in s for s in next_steps(sure, {"member": 5}, None))
    for weak in (replace(sure, kind=Kind.POOL), replace(sure, granted=True), replace(sure, confidence=Confidence.LOW),
                 replace(sure, bits={})):  # fmt: skip
        assert not any("Plan the takedown" in s for s in next_steps(weak, {"member": 5}, None))
