"""The estimate of innocent accounts covers the truth when its assumptions hold, and counts what it cannot rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.protect.estimate import Innocent, TouchedGroup, estimate, strangers


@pytest.mark.parametrize("rate", [0.0, 0.003, 0.02, 0.2])
def test_the_interval_covers_drawn_truths(rate: float) -> None:
    """Groups that are wrong at the stated rate, and strangers who join by chance: at least 95 % of truths inside."""
    draw = np.random.default_rng(11)
    accounts, inside, mean = 5_000, 0, []
    for _ in range(400):
        groups, truth = [], 0
        for size in (5, 12, 40, 97, 30):
            wrong = draw.random() < rate
            weights = draw.uniform(12.0, 40.0, size)
            others = 0 if wrong else int(draw.binomial(accounts, 2.0**-14))
            groups.append(TouchedGroup(rate, (*weights.tolist(), *[14.0] * others)))
            truth += size if wrong else others
        found = estimate(groups, 0, accounts=accounts, groups=5)
        inside += found.low <= truth <= found.high
        mean.append(truth - found.expected - found.strangers)
    assert inside >= 380
    assert np.mean(mean) < 0.0, "expected and strangers together are an upper bound"


def test_what_has_no_rate_widens_the_interval_by_all_of_it() -> None:
    """Thirty accounts of a pool may be thirty honest people."""
    assert estimate([], 30, accounts=1_000, groups=1) == Innocent(0, 0.0, 0, 0, 30, 30)


def test_without_a_stated_rate_everybody_may_be_innocent() -> None:
    """A rate of one is no comfort."""
    found = estimate([TouchedGroup(1.0, (40.0,) * 10)], 0, accounts=100, groups=1)
    assert found == Innocent(10, 10.0, 0, 10, 10, 0)


@given(st.lists(st.floats(0, 60), max_size=50), st.integers(0, 10**6))
def test_strangers_are_between_none_and_all(bits: list[float], accounts: int) -> None:
    """And fewer when weights rise."""
    found = strangers(bits, accounts, 3)
    assert 0 <= found <= len(bits)
    assert strangers([b + 5.0 for b in bits], accounts, 3) <= found


@given(
    st.lists(st.tuples(st.floats(0, 1), st.lists(st.floats(0, 60), max_size=20)), max_size=6),
    st.integers(0, 50),
)
def test_the_interval_is_an_interval(groups: list[tuple[float, list[float]]], unrated: int) -> None:
    """Inside the number of touched accounts, with the unrated in its upper end."""
    found = estimate([TouchedGroup(r, tuple(b)) for r, b in groups], unrated, accounts=10_000, groups=6)
    touched = sum(len(b) for _, b in groups) + unrated
    assert 0 <= found.low <= found.high <= touched
    assert found.high >= unrated
    assert 0.0 <= found.expected <= found.rated + 1e-9
