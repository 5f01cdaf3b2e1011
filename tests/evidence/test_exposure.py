"""Exposure: every figure a range with its inputs, or the reason why there is none."""

from __future__ import annotations

import pytest

from stillwatch.errors import ConfigError
from stillwatch.evidence.exposure import Figure, checked_prices, exposure
from stillwatch.records.evidence import Work
from tests.report.factory import make_campaign

CAMPAIGN = make_campaign(
    "C", 4, days=1, exchange_count=1000, output_tokens=2_000_000, extraction_share=0.5, extraction_share_low=0.4,
    extraction_share_high=0.6, models=(("large", 750), ("small", 250)), taken=(("code", 100, 40_000),),
)  # fmt: skip


def by_name(prices: dict, work: tuple[Work, ...] = ()) -> dict[str, Figure]:
    """The figures of the campaign."""
    return {f.name: f for f in exposure(CAMPAIGN, checked_prices(prices), work)}


def values(figure: Figure) -> tuple[float | None, float | None, float | None]:
    """Low, best, high."""
    return figure.low, figure.best, figure.high


def test_what_was_taken_has_the_interval_of_the_share() -> None:
    """Counts times low, best and high share; by capability only what was linked, with no upper end."""
    found = by_name({})
    assert values(found["exchanges in the extraction"]) == pytest.approx((400, 500, 600))
    assert values(found["output_tokens in the extraction"]) == pytest.approx((800_000, 1_000_000, 1_200_000))
    assert values(found["output tokens, code"]) == (40_000, 40_000, None)
    assert found["output tokens, code"].missing


def test_value_by_hand() -> None:
    """1.5 M tokens at 10 and 0.5 M at 2 to 4 dollars: 16 to 17 dollars, times the share."""
    found = by_name(
        {"models": {"large": {"output_usd_per_mtok": 10}, "small": {"output_usd_per_mtok": [2, 4]}}}
    )
    assert values(found["list-price value of output"]) == pytest.approx((16 * 0.4, 16.5 * 0.5, 17 * 0.6))
    assert found["list-price value of output"].missing == ""


def test_without_prices_there_is_no_figure_and_a_reason() -> None:
    """Nor is a missing model's price taken for zero in silence."""
    found = by_name({})
    for name in (
        "list-price value of output",
        "compute spent",
        "cost of the response",
        "avoided development cost",
    ):
        assert values(found[name]) == (None, None, None)
        assert found[name].missing
    partly = by_name({"models": {"large": {"output_usd_per_mtok": 10}}})["list-price value of output"]
    assert values(partly) == pytest.approx((6.0, 7.5, 9.0))
    assert partly.missing == "prices of small"


def test_hours() -> None:
    """A person's own rate wins over the general one, which may be a range; without either there is no figure."""
    work = (Work("a", "x", 10, 100.0), Work("b", "y", 2, None))
    assert values(by_name({"hour_usd": [50, 80]}, work)["cost of the response"]) == (1100, 1130, 1160)
    assert by_name({}, work)["cost of the response"].missing == "a rate per hour"
    assert values(by_name({}, work[:1])["cost of the response"]) == (1000, 1000, 1000)


def test_avoided_development_is_stated_with_its_ground() -> None:
    """A range without a middle: no formula makes one."""
    given = {"avoided_development": {"low_usd": 1, "high_usd": 5, "ground": "our own projects"}}
    found = by_name(given)["avoided development cost"]
    assert values(found) == (1, None, 5)
    assert found.inputs == {"ground": "our own projects"}


@pytest.mark.parametrize(
    "bad",
    [
        {"tokens": 1},
        {"models": {"m": {"price": 1}}},
        {"models": {"m": {"output_usd_per_mtok": -1}}},
        {"models": {"m": {"output_usd_per_mtok": [5, 2]}}},
        {"models": {"m": {"output_usd_per_mtok": float("nan")}}},
        {"hour_usd": "much"},
        {"hour_usd": True},
        {"avoided_development": {"low_usd": 1, "high_usd": 5}},
        {"avoided_development": {"low_usd": 1, "ground": "x"}},
    ],
)
def test_prices_with_a_slip(bad: dict) -> None:
    """Are refused and named."""
    with pytest.raises(ConfigError, match="prices"):
        checked_prices(bad)
