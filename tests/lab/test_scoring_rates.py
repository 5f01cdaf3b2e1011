"""Intervals against other implementations and published values."""

from __future__ import annotations

import pytest
from scipy import stats

from stillwatch.lab.scoring import clopper_pearson, poisson_interval, rate_of, upper_bound, wilson

CASES = [(0, 1), (0, 29_956), (1, 10), (5, 10), (10, 10), (3, 100_000), (48_765, 50_000), (1, 2)]


@pytest.mark.parametrize(("hits", "total"), CASES)
def test_wilson_and_clopper_pearson_agree_with_scipy(hits: int, total: int) -> None:
    """The same two-sided intervals as an implementation that shares no code with ours."""
    test = stats.binomtest(hits, total)
    for mine, method in ((wilson, "wilson"), (clopper_pearson, "exact")):
        theirs = test.proportion_ci(0.95, method=method)
        assert mine(hits, total) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize(("hits", "total"), CASES)
def test_the_upper_bound_agrees_with_scipy(hits: int, total: int) -> None:
    """One-sided exact bound."""
    theirs = stats.binomtest(hits, total, alternative="less").proportion_ci(0.95, method="exact")
    assert upper_bound(hits, total) == pytest.approx(theirs.high, abs=1e-9)


def test_published_values() -> None:
    """The rule of three; Newcombe (1998), table I; Garwood's interval for ten events."""
    assert upper_bound(0, 1000) == pytest.approx(3 / 1000, rel=0.01)
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert clopper_pearson(15, 148) == pytest.approx((0.0578, 0.1617), abs=1e-4)
    assert poisson_interval(10) == pytest.approx((4.795, 18.390), abs=1e-3)


def test_no_trials_say_nothing() -> None:
    """No share, and an interval that excludes nothing; impossible counts are refused."""
    rate = rate_of(0, 0)
    assert (rate.share, rate.low, rate.high, rate.upper) == (None, 0.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="3 hits in 2 trials"):
        wilson(3, 2)


def test_the_upper_bound_covers() -> None:
    """At a true rate of 2 % in 200 trials the bound lies below the truth in at most one draw in twenty."""
    missed = sum(stats.binom.pmf(k, 200, 0.02) for k in range(201) if upper_bound(k, 200) < 0.02)
    assert 0 < missed <= 0.05
