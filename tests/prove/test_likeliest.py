"""Readings that were kept as a model's likeliest tokens: as good as whole distributions, and as safe."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from stillwatch.errors import ConfigError
from stillwatch.prove.nulls import random_keys
from stillwatch.prove.radio import Positions, from_likeliest, reading_positions, top_candidates, weighted
from tests.prove import toy

Array = np.ndarray[Any, Any]
KEPT = 20


def likeliest(log_p: Array, count: int) -> tuple[Array, Array]:
    """Tokens and log-probabilities, likeliest first."""
    best = np.argsort(-log_p, axis=1, kind="stable")[:, :count]
    return best, np.take_along_axis(log_p, best, axis=1)


def read(share: float) -> tuple[Positions, Array, Array]:
    """A student and our own model along new marked texts."""
    at = reading_positions(toy.marked(toy.GUMBEL, 60, 91).tolist(), 2)
    student = toy.student(toy.GUMBEL, share) if share else toy.train(toy.base_text(), toy.plain(1_000, 40))
    return at, student.log_p(at.contexts), toy.teacher().log_p(at.contexts)


def test_with_every_token_kept_nothing_changes() -> None:
    """The same candidates and the same values as from whole distributions."""
    _, p, q = read(0.5)
    whole, kept = top_candidates(p, q), from_likeliest(*likeliest(p, p.shape[1]), *likeliest(q, q.shape[1]))
    order, other = np.argsort(whole.candidates, axis=1), np.argsort(kept.candidates, axis=1)
    for name in ("candidates", "log_p", "log_q"):
        ours, theirs = getattr(whole, name), getattr(kept, name)
        assert np.allclose(np.take_along_axis(ours, order, 1), np.take_along_axis(theirs, other, 1)), name


def test_twenty_tokens_see_nearly_as_much() -> None:
    """The statistic under the true key loses less than a tenth; no candidate stands twice."""
    at, p, q = read(0.5)
    whole, kept = top_candidates(p, q), from_likeliest(*likeliest(p, KEPT), *likeliest(q, KEPT))
    assert all(np.unique(row).size == row.size for row in kept.candidates)
    z = [
        weighted(toy.GUMBEL, at.contexts, d.candidates, d.log_p, d.log_q)
        .under(toy.KEYS[:1], None, 1)
        .value[0]
        for d in (whole, kept)
    ]
    assert z[1] > 0.9 * z[0] > 9


@pytest.mark.parametrize("kept", [3, KEPT])
def test_an_innocent_stays_where_chance_puts_it(kept: int) -> None:
    """However few tokens are kept: 400 random keys are uniform, and the true key is one of them."""
    at, p, q = read(0.0)
    found = from_likeliest(*likeliest(p, kept), *likeliest(q, kept))
    reading = weighted(toy.GUMBEL, at.contexts, found.candidates, found.log_p, found.log_q)
    null = reading.under(random_keys(12, 400), None, 1, exact=False)
    assert stats.kstest(null.uniform_p, "uniform").pvalue > 0.001 and 0.9 < null.value.std(ddof=1) < 1.1
    assert abs(reading.under(toy.KEYS[:1], None, 1).value[0]) < 4


def test_readings_at_other_positions_are_not_joined() -> None:
    """Both models have to be read at the same places."""
    _, p, q = read(0.0)
    with pytest.raises(ConfigError, match="positions of a model"):
        from_likeliest(*likeliest(p, 5), *likeliest(q[:-1], 5))


def test_a_token_that_is_none_of_ours_weighs_nothing() -> None:
    """It is no candidate, whoever names it; the others keep what they weigh."""
    tokens, log_p = np.array([[4, -1, 7]]), np.log([[0.5, 0.3, 0.1]])
    ours, log_q = np.array([[-1, 7, 9]]), np.log([[0.4, 0.3, 0.2]])
    both = from_likeliest(tokens, log_p, ours, log_q, 3)
    assert both.candidates.tolist() == [[4, 7, 9]]
    assert both.log_q is not None and np.exp(both.log_q).round(2).tolist() == [[0.2, 0.3, 0.2]]
    lacking = from_likeliest(tokens[:, :2], log_p[:, :2], tokens[:, :2], log_p[:, :2], 2)
    assert lacking.candidates.tolist() == [[4, -1]]
    read = weighted(toy.GUMBEL, np.array([[1, 2]]), both.candidates, both.log_p, both.log_q)
    less = weighted(toy.GUMBEL, np.array([[1, 2]]), lacking.candidates, lacking.log_p, lacking.log_q)
    assert read.tokens.tolist() == [4, 7, 9] and less.tokens.tolist() == [4]
    assert less.contexts.tolist() == [[1, 2]] and less.weights.shape == (1,)
