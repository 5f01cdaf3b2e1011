"""Published order among shuffles: exact where the null holds, silent where the order is natural."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import ConfigError
from stillwatch.prove.audit.compared import Compared
from stillwatch.prove.audit.order import canonical_order
from stillwatch.records.audit import AuditVerdict

WHO = Compared("suspect", "reference", "a made-up file in 30 shards of 12 shuffles", seed=3)


def orders(rng: np.random.Generator, pull: float = 0.0) -> np.ndarray:
    """Log-likelihoods of shards whose published order is likelier by ``pull`` standard deviations."""
    out = rng.normal(-500, 20, (30, 1)) + rng.normal(0, 1, (30, 13))
    out[:, 0] += pull
    return out


def test_a_model_that_saw_the_order_is_found() -> None:
    """A pull of one standard deviation over 30 shards."""
    rng = np.random.default_rng(1)
    found = canonical_order(WHO, orders(rng, 1.0), orders(rng))
    assert found.verdict is AuditVerdict.GAP and found.interval.low > 0.5


def test_an_order_that_the_reference_prefers_too_is_not_judged() -> None:
    """It is natural; the suspect's p-value is withheld and the reason stands in the notes."""
    rng = np.random.default_rng(2)
    found = canonical_order(WHO, orders(rng, 1.0), orders(rng, 1.0))
    assert found.verdict is AuditVerdict.NOT_JUDGED and found.p_value == 1.0 and "natural" in found.notes[0]


def test_the_level_holds_over_innocent_models() -> None:
    """Of 500 pairs of innocent models at most 5% lie below 0.05, within four standard errors."""
    rng = np.random.default_rng(4)
    low = sum(canonical_order(WHO, orders(rng), orders(rng)).p_value <= 0.05 for _ in range(500))
    assert low / 500 <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 500)


def test_one_shard_agrees_with_counting() -> None:
    """Twenty shards, each likeliest of four: (1/4)^20."""
    first = np.tile([1.0, 0.0, -1.0, -2.0], (20, 1))
    plain = np.random.default_rng(6).normal(size=(20, 4))
    assert canonical_order(WHO, first, plain).p_value == pytest.approx(0.25**20)


@pytest.mark.parametrize("bad", [np.ones((3, 1)), np.full((3, 4), -np.inf), np.ones(4)])
def test_missing_shuffles_and_likelihoods_are_refused(bad: np.ndarray) -> None:
    """With what to score."""
    with pytest.raises(ConfigError) as caught:
        canonical_order(WHO, bad, bad)
    assert "shuffle" in caught.value.hint
