"""Tails against whole-number and closed-form truths, near and far."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.prove.laws import Coins, Exponential, TwoExponentials, log_chernoff
from stillwatch.prove.tails import (
    holm,
    log_cdf_rank_sum,
    log_sf_binomial,
    log_sf_gamma,
    log_sf_two_gammas,
    standardise,
)


def log_of(value: Fraction) -> float:
    """Logarithm of a fraction too small for a float."""
    return math.log(value.numerator) - math.log(value.denominator)


@pytest.mark.parametrize(
    ("hits", "trials", "quarter"), [(3, 10, 1), (700, 1000, 1), (1000, 1000, 1), (990, 1000, 2)]
)
def test_binomial_tail_equals_whole_number_sums(hits: int, trials: int, quarter: int) -> None:
    """Exact to eleven digits, also at 10^-300."""
    total = sum(
        math.comb(trials, k) * quarter**k * (4 - quarter) ** (trials - k) for k in range(hits, trials + 1)
    )
    truth = log_of(Fraction(total, 4**trials))
    assert log_sf_binomial(hits, trials, quarter / 4) == pytest.approx(truth, rel=1e-11)


@pytest.mark.parametrize(("score", "shape"), [(3, 2), (50, 100), (400, 100), (3000, 1000), (9000, 1000)])
def test_gamma_tail_equals_the_poisson_sum(score: int, shape: int) -> None:
    """P[Gamma(n) >= x] = P[Poisson(x) < n], summed in whole numbers."""
    poisson = sum((Fraction(score**k, math.factorial(k)) for k in range(shape)), Fraction(0))
    assert log_sf_gamma(score, shape) == pytest.approx(log_of(poisson) - score, rel=1e-10, abs=1e-12)


def test_two_gammas_equal_a_simulation_and_the_limits() -> None:
    """The convolution agrees with drawn sums where they can be drawn and with one gamma at the edges."""
    rng = np.random.default_rng(3)
    drawn = 0.9 * rng.gamma(40, size=400_000) + 0.1 * rng.gamma(40, size=400_000)
    for score in (40.0, 50.0, 58.0):
        share = (drawn >= score).mean()
        error = math.sqrt(share * (1 - share) / drawn.size)
        assert abs(math.exp(log_sf_two_gammas(score, 40, 0.9, 0.1)) - share) < 5 * error
    assert log_sf_two_gammas(70.0, 40, 1.0, 0.0) == log_sf_gamma(70.0, 40)
    assert log_sf_two_gammas(70.0, 40, 0.5, 0.5) == log_sf_gamma(140.0, 80)
    far = log_sf_two_gammas(2_000.0, 400, 0.9, 0.1)
    bound = log_chernoff(TwoExponentials(0.1), np.ones(400), 1_600.0)
    assert bound - 6.0 < far <= bound


@given(st.lists(st.integers(2, 6), min_size=1, max_size=7), st.data())
@settings(max_examples=60, deadline=None)
def test_rank_sum_equals_counting(sizes: list[int], data: st.DataObject) -> None:
    """The tilted convolution equals the count of outcomes."""
    total = data.draw(st.integers(0, sum(sizes) - len(sizes)))
    ways = {0: 1}
    for size in sizes:
        step: dict[int, int] = {}
        for at, count in ways.items():
            for rank in range(size):
                step[at + rank] = step.get(at + rank, 0) + count
        ways = step
    truth = sum(count for at, count in ways.items() if at <= total) / math.prod(sizes)
    assert log_cdf_rank_sum(total, np.array(sizes)) == pytest.approx(math.log(truth), rel=1e-9, abs=1e-12)


def test_rank_sum_keeps_its_digits_far_out() -> None:
    """Every served reply first among seven, 400 times over: exactly 7^-400."""
    assert log_cdf_rank_sum(0, np.full(400, 7)) == pytest.approx(-400 * math.log(7), rel=1e-12)
    near = log_cdf_rank_sum(1, np.full(400, 7))
    assert near == pytest.approx(-400 * math.log(7) + math.log(401), rel=1e-12)


def test_holm_is_never_below_the_p_value_and_keeps_order() -> None:
    """Adjusted values rise with the raw ones and the smallest is multiplied by the number of tests."""
    raw = np.log(np.array([1e-9, 0.5, 0.01, 0.01]))
    adjusted = holm(raw)
    assert adjusted[0] == pytest.approx(math.log(4e-9)) and (adjusted >= raw).all()
    assert adjusted[1] <= 0.0 and adjusted[2] == adjusted[3]


@pytest.mark.parametrize("law", [Exponential(), Coins(0.25), Coins(0.5, 30), TwoExponentials(0.1)])
def test_chernoff_bounds_the_exact_tail(law: Exponential | Coins | TwoExponentials) -> None:
    """With equal weights the exact tail is known; the bound lies above it and not far."""
    n = 300
    for sigma in (1.0, 4.0, 8.0):
        total = round(n * law.mean + sigma * math.sqrt(n * law.variance))
        exact = law.log_sf(total, n)
        bound = log_chernoff(law, np.ones(n), total - n * law.mean)
        assert exact <= bound <= exact + 5.0
    assert log_chernoff(law, np.ones(n), -1.0) == 0.0


def test_standardise_is_the_normal_quantile() -> None:
    """One half is zero and ten to the minus three hundred still has a value."""
    assert standardise(math.log(0.5)) == pytest.approx(0.0, abs=1e-12)
    assert 37.0 < standardise(-300 * math.log(10)) < 37.2
