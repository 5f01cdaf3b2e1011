"""Drawings and figures of a campaign."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from stillwatch.console.drawings import account_graph, exchanges
from stillwatch.console.exposure import exposure
from stillwatch.console.next_steps import next_steps
from stillwatch.console.plainly import happened, maybe_innocent, often_wrong
from stillwatch.records import Campaign, Confidence, Kind
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

    def said(campaign: Campaign) -> str:
        return " ".join(line for line, _, _ in next_steps(campaign, {"member": 5}, None, may_plan=True))

    assert "Plan the takedown" in said(sure)
    for weak in (replace(sure, kind=Kind.POOL), replace(sure, granted=True), replace(sure, confidence=Confidence.LOW),
                 replace(sure, bits={})):  # fmt: skip
        assert "Plan the takedown" not in said(weak)


def test_what_happened_is_said_without_a_glossary() -> None:
    """Who, how much, when and of what; of a pool that its use is unknown, of a grant that it covers it."""
    c = replace(
        CAMPAIGN, kind=Kind.CAMPAIGN, granted=False, account_count=12, exchange_count=3_000, extraction_share_low=0.5,
        extraction_share_high=0.75, taken=(("math", 10, 1), ("code", 90, 1), ("\x1b[31m", 1, 1), ("prose", 2, 1)),
    )  # fmt: skip
    taken = exposure(c, (10.0, 75.0), (0.05, 5.0))
    said = happened(c, taken)
    assert said.startswith("12 accounts sent 3,000 exchanges between ")
    assert said.replace("\u202f", " ").endswith(
        "50 % to 75 % of that (1,500 to 2,250 exchanges) looks like collecting training data, "
        "above all for code, math and prose."
    )
    assert "what for is not known" in happened(replace(c, kind=Kind.POOL), taken)
    assert "grant covers this use" in happened(replace(c, granted=True), taken)
    assert "\x1b" not in happened(replace(c, taken=(("\x1b[31m", 1, 1),)), taken)


@pytest.mark.parametrize(
    ("rate", "said"), [(0.05, "5 of 100"), (0.012, "2 of 100"), (0.004, "4 of 1,000"), (0.0, "1 of 10,000")]
)
def test_how_often_it_is_wrong_is_rounded_up(rate: float, said: str) -> None:
    """Never fewer than the rate says; where none is stated, nothing is said."""
    assert said in str(often_wrong(replace(CAMPAIGN, kind=Kind.CAMPAIGN, false_discovery_rate=rate)))
    assert often_wrong(replace(CAMPAIGN, kind=Kind.POOL)) is None


def test_who_may_be_innocent_is_what_the_run_allows() -> None:
    """All of them in a false alarm, some strangers otherwise; nothing for a grant, and no rate for a pool."""
    c = replace(CAMPAIGN, kind=Kind.CAMPAIGN, granted=False, false_discovery_rate=0.05)
    sure, faint = [90.0] * 40, [16.0] * 38 + [90.0] * 62
    assert "at most 5 of 100 such campaigns are. If it is real, none of its 40 firm members" in str(
        maybe_innocent(c, sure, 10_000, 5)
    )
    assert "up to 38 of its 100 firm members" in str(maybe_innocent(c, faint, 10_000, 5))
    assert "all of its accounts" in str(maybe_innocent(replace(c, kind=Kind.POOL), sure, 10_000, 5))
    assert maybe_innocent(replace(c, granted=True), sure, 10_000, 5) is None
