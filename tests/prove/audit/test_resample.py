"""Intervals cover, p-values are calibrated and never zero; each against something said a second time."""

from __future__ import annotations

import itertools
from math import comb

import numpy as np
import pytest

from stillwatch.errors import ConfigError
from stillwatch.prove.audit.resample import (
    contrasts,
    label_p,
    mcnemar_p,
    mean_interval,
    share_interval,
    sign_flip_p,
)


def test_sign_flips_agree_with_every_arrangement_counted() -> None:
    """Ten contrasts have 1,024 arrangements; the drawn p-value is near the counted one."""
    values = np.array([0.9, 0.4, -0.2, 0.7, 0.1, 0.5, -0.3, 0.8, 0.2, 0.6])
    sums = [abs(np.dot(signs, values)) for signs in itertools.product((-1, 1), repeat=10)]
    exact = np.mean(np.array(sums) >= abs(values.sum()) - 1e-9)
    assert sign_flip_p(values, 7) == pytest.approx(exact, abs=4 * np.sqrt(exact / 9_999))


def test_labels_agree_with_every_arrangement_counted() -> None:
    """Four items with two others each have 81 arrangements."""
    rows = np.random.default_rng(3).random((4, 3))
    rows[:, 0] += 0.4
    gaps = [[row[j] - np.delete(row, j).mean() for j in range(3)] for row in rows]
    sums = [
        abs(sum(gap[j] for gap, j in zip(gaps, js, strict=True)))
        for js in itertools.product(range(3), repeat=4)
    ]
    exact = np.mean(np.array(sums) >= sums[0] - 1e-9)
    assert label_p(rows, 5) == pytest.approx(exact, abs=4 * np.sqrt(exact / 9_999))


@pytest.mark.parametrize("test", ["signs", "labels"])
def test_p_values_keep_their_level_where_the_null_holds(test: str) -> None:
    """At most 5% below 0.05, within four standard errors of 400 worlds."""
    rng, low = np.random.default_rng(11), 0
    for world in range(400):
        rows = (rng.random((40, 3)) < 0.7).astype(float)
        p = sign_flip_p(rows[:, 0] - rows[:, 1], world, 399) if test == "signs" else label_p(rows, world, 399)
        low += p <= 0.05
    assert low / 400 <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize(("gap", "items"), [(0.0, 30), (0.02, 60), (0.3, 30), (0.8, 100)])
def test_intervals_of_paired_differences_cover(gap: float, items: int) -> None:
    """At 95%, at least 93% of 2,000 worlds, for rare and common differences."""
    rng, truth, covered = np.random.default_rng(17), gap, 0
    for _ in range(2_000):
        draws = rng.random(items)
        values = np.where(draws < gap + 0.05, 1.0, np.where(draws > 0.95, -1.0, 0.0))
        found = mean_interval(values)
        covered += found.low <= truth <= found.high
    assert covered / 2_000 >= 0.93


def test_exact_figures_agree_with_sums_of_binomial_terms() -> None:
    """McNemar's p-value by adding terms; the interval's ends leave 2.5% outside."""
    assert mcnemar_p(2, 12) == pytest.approx(2 * sum(comb(14, k) for k in range(3)) / 2**14)
    found = share_interval(7, 40)
    below = sum(comb(40, k) * found.high**k * (1 - found.high) ** (40 - k) for k in range(8))
    above = sum(comb(40, k) * found.low**k * (1 - found.low) ** (40 - k) for k in range(7, 41))
    assert below == pytest.approx(0.025) and above == pytest.approx(0.025)


@pytest.mark.parametrize("bad", [[], [1.0], [1.0, float("nan")], [[1.0, 2.0]]])
def test_what_cannot_be_a_contrast_is_refused(bad: list) -> None:
    """With what to do next."""
    with pytest.raises(ConfigError) as caught:
        contrasts(bad)
    assert "hand in" in caught.value.hint


def test_scores_beyond_their_bound_are_refused() -> None:
    """An interval that rests on a bound does not silently take what lies outside."""
    with pytest.raises(ConfigError):
        mean_interval(np.array([0.0, 3.0]))
