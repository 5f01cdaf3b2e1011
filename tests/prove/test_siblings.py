"""Siblings: exact under any two models, ties and gaps told, escrow chosen by key."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from stillwatch.errors import ConfigError
from stillwatch.prove.power import Effect
from stillwatch.prove.siblings import Escrow, Replies, escrowed, rank_sum, served_ranks, siblings
from stillwatch.records import ClaimVerdict

EFFECT = Effect(1.0, "assumed in this test")
PROMPTS = tuple(f"p{i}" for i in range(200))


def test_ranks_are_exact_under_the_null() -> None:
    """Over 600 lotteries the p-value is at most alpha as often as it says, ties included."""
    rng = np.random.default_rng(1)
    p_values = [math.exp(rank_sum(np.round(rng.normal(size=(30, 5)), 1), seed).log_p) for seed in range(600)]
    for alpha in (0.5, 0.1, 0.01):
        share = np.mean(np.array(p_values) <= alpha)
        assert share <= alpha + 4 * math.sqrt(alpha / 600)
    assert stats.kstest(p_values, "uniform").statistic < 0.08


def test_all_equal_replies_rank_by_the_coin() -> None:
    """Replies that are the same text cannot be told apart: their ranks are uniform by a seeded coin."""
    ranks, sizes = served_ranks(np.zeros((7_000, 7)), 0, seed=3)
    assert stats.chisquare(np.bincount(ranks, minlength=7)).pvalue > 0.001 and (sizes == 7).all()


def test_repeated_prompts_and_missing_scores_are_dropped_and_told() -> None:
    """A prompt counts once; a row without siblings or without the served reply cannot be ranked."""
    nan = math.nan
    figures = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [nan, 1.0, 2.0], [1.0, nan, nan], [5.0, 1.0, nan]])
    claim = siblings("m", Replies(figures, None, ("a", "a", "b", "c", "d")), 1, EFFECT)
    assert claim.scored == 2
    assert dict(claim.dropped) == {"prompt occurs again": 1, "no score for served reply or siblings": 2}


def test_a_firing_placebo_or_control_makes_the_test_invalid() -> None:
    """When a sibling that nobody saw wins just as surely, the test says nothing."""
    rng = np.random.default_rng(2)
    figures = rng.normal(size=(200, 7))
    figures[:, 0] -= 9.0
    figures[:, 3] -= 8.0
    claim = siblings("m", Replies(figures, None, PROMPTS), 1, EFFECT)
    assert claim.verdict is ClaimVerdict.INVALID and "placebo sibling 3" in claim.notes[0]
    good = rng.normal(size=(200, 7))
    good[:, 0] -= 9.0
    assert siblings("m", Replies(good, None, PROMPTS), 1, EFFECT).verdict is ClaimVerdict.EVIDENCE
    clean = Replies(rng.normal(size=(200, 7)), None, PROMPTS)
    assert (
        siblings("m", Replies(good, None, PROMPTS), 1, EFFECT, [("c", clean)]).verdict
        is ClaimVerdict.EVIDENCE
    )
    assert (
        siblings("m", Replies(good, None, PROMPTS), 1, EFFECT, [("c", Replies(good, None, PROMPTS))]).verdict
        is ClaimVerdict.INVALID
    )


def test_bad_figures_are_refused_with_a_hint() -> None:
    """Shapes that do not fit are answered in words."""
    for wrong in (
        lambda: siblings("m", Replies(np.zeros((3, 2)), None, ("a", "b", "c")), 1, EFFECT),
        lambda: siblings("m", Replies(np.zeros((3, 3)), np.zeros((3, 4)), ("a", "b", "c")), 1, EFFECT),
        lambda: siblings("m", Replies(np.zeros((3, 3)), None, ("a",)), 1, EFFECT),
        lambda: siblings("m", Replies(np.zeros((3, 3)), None, ()), 1, EFFECT),
        lambda: siblings("m", Replies(np.full((3, 3), math.nan), None, ("a", "b", "c")), 1, EFFECT),
        lambda: Escrow(b"short"),
        lambda: Escrow(b"k" * 32, share=2.0),
        lambda: Effect(0.0, "nothing"),
    ):
        with pytest.raises(ConfigError) as told:
            wrong()
        assert told.value.hint


def test_escrow_is_keyed_and_its_seeds_are_independent() -> None:
    """Another key chooses other requests; no two siblings of any request share a seed; the key is in no repr."""
    one, two = Escrow(b"a" * 32, 0.5), Escrow(b"b" * 32, 0.5)
    picks = [(escrowed(one, f"r{i}") is None, escrowed(two, f"r{i}") is None) for i in range(400)]
    assert 50 < sum(a != b for a, b in picks) < 350
    seeds = [s for i in range(300) for s in escrowed(Escrow(b"a" * 32, 1.0), f"r{i}") or ()]
    assert len(set(seeds)) == len(seeds) == 1_800
    assert "aaa" not in repr(one)
