"""Recall at fixed false positive rates: thresholds, ties, what cannot be measured, the partial area."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.lab.scoring.ranking import partial_area, partial_area_interval, ranking, recall_at
from tests.lab.judging import a_run


def _split(honest: list[float], found: list[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores = np.array([*found, *honest], np.float64)
    positive = np.arange(len(scores)) < len(found)
    return scores, positive, ~positive


def test_the_threshold_lets_through_what_the_rate_allows() -> None:
    """10 honest accounts at a rate of 0.2: two may stand above; the third from the top is the bar."""
    scores, positive, honest = _split(list(range(10)), [7.0, 7.5, 8.5, 20.0])
    result = recall_at(0.2, scores, positive, honest)
    assert (result["recall"]["hits"], result["false_positives"]["hits"]) == (3, 2)
    assert result["threshold"] == 7.0


def test_ties_go_against_the_detector() -> None:
    """Whoever is tied with an honest account that must not be flagged is not flagged."""
    scores, positive, honest = _split([1.0] * 5 + [5.0] * 5, [5.0, 5.0, 6.0])
    result = recall_at(0.2, scores, positive, honest)
    assert (result["recall"]["hits"], result["false_positives"]["hits"]) == (1, 0)


def test_too_few_honest_accounts_are_said_and_not_extrapolated() -> None:
    """A perfect ranking of 999 honest accounts says nothing about one in a thousand; one more account does."""
    for n, measured in ((999, False), (1000, True)):
        scores, positive, honest = _split([0.0] * n, [1.0] * 5)
        result = recall_at(1e-3, scores, positive, honest)
        assert result["measured"] is measured
        assert (partial_area(scores, positive, honest) is not None) is measured
        if not measured:
            assert "recall" not in result
            assert "too few" in result["why"]


def test_a_world_without_extractors_has_no_recall() -> None:
    """Not zero, and not one."""
    scores, positive, honest = _split([0.0] * 2000, [])
    assert recall_at(1e-3, scores, positive, honest)["measured"] is False
    assert partial_area(scores, positive, honest) is None


def test_the_bound_of_the_rate_covers() -> None:
    """A threshold that is an order statistic has a true rate below ``rate_upper`` in 95 % of draws."""
    rng = np.random.default_rng(11)
    missed = 0
    for _ in range(400):
        honest_scores = rng.random(500)
        scores, positive, honest = _split(honest_scores.tolist(), [0.5])
        result = recall_at(0.01, scores, positive, honest)
        missed += 1 - result["threshold"] > result["rate_upper"]  # uniform scores: the true rate above a bar
    assert missed / 400 == pytest.approx(0.05, abs=0.03)


def test_the_partial_area_by_hand() -> None:
    """Ten honest accounts, area up to 0.2: above the first bar stands one of four, above the second three."""
    scores, positive, honest = _split(list(range(10)), [7.5, 8.5, 8.6, 20.0])
    assert partial_area(scores, positive, honest, 0.2) == pytest.approx((0.1 * 0.25 + 0.1 * 0.75) / 0.2)
    assert partial_area(scores, positive, honest, 0.1) == pytest.approx(0.25)


def test_chance_has_half_the_limit() -> None:
    """Random scores: mean recall below a rate of 0.1 is about 0.05."""
    rng = np.random.default_rng(11)
    scores, positive, honest = _split(rng.random(20_000).tolist(), rng.random(20_000).tolist())
    assert partial_area(scores, positive, honest, 0.1) == pytest.approx(0.05, abs=0.01)


def test_the_interval_of_the_area_knows_campaigns() -> None:
    """One campaign found and one missed: the interval is as wide as the question is open; one alone has none."""
    scores, positive, honest = _split([0.0] * 1000, [1.0] * 50 + [-1.0] * 50)
    names = ["a"] * 50 + ["b"] * 50 + [None] * 1000
    interval = partial_area_interval(scores, positive, honest, names)
    assert interval is not None
    assert interval[0] < 0.05
    assert interval[1] > 0.95
    assert partial_area_interval(scores, positive, honest, ["a"] * 100 + [None] * 1000) is None
    scores, positive, honest = _split([0.0] * 1000, [1.0] * 100)
    assert partial_area_interval(scores, positive, honest, names) is None, (
        "nothing varied, so nothing is known"
    )


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False), st.lists(st.integers(0, 6), min_size=30, max_size=60))
def test_the_order_of_rows_does_not_matter(random: object, values: list[int]) -> None:
    """Figures belong to accounts, not to rows; and any strictly rising change of scores changes nothing."""
    scores = np.array(values, np.float64)
    positive = np.arange(len(values)) % 3 == 0
    order = np.array(sorted(range(len(values)), key=lambda _: random.random()))  # type: ignore[attr-defined]
    plain = [recall_at(r, scores, positive, ~positive) for r in (0.05, 0.1, 0.3)]
    moved = [recall_at(r, scores[order], positive[order], ~positive[order]) for r in (0.05, 0.1, 0.3)]
    assert plain == moved
    bent = [recall_at(r, np.exp(scores), positive, ~positive) for r in (0.05, 0.1, 0.3)]
    assert [b.get("recall") for b in bent] == [p.get("recall") for p in plain]
    area = partial_area(scores, positive, ~positive, 0.3)
    assert area == pytest.approx(partial_area(scores[order], positive[order], ~positive[order], 0.3))


def test_flagging_everybody_ranks_nobody() -> None:
    """Equal scores have no recall at any small rate."""
    scores, positive, honest = _split([1.0] * 1000, [1.0] * 10)
    found = ranking(scores, positive, honest, ["a"] * 10 + [None] * 1000)
    assert found["recall_at"][0]["recall"]["hits"] == 0
    assert found["partial_auc"]["value"] == 0.0


def test_without_scores_tier_ranks_before_weight() -> None:
    """member > associated > watch > none; weight breaks ties; an account without weight stands below."""
    run = a_run(
        {"g": ["a", "b", "c", "d", "e"]},
        tiers={"c": "associated", "d": "watch"},
        bits={"a": 3.0, "b": 30.0, "c": 99.0, "d": 1.0},
    )
    order = run.ranking(["nobody", "d", "c", "e", "a", "b"])
    assert list(order) == sorted(order)
    assert len(set(order)) == 6


def test_scores_win_over_tiers() -> None:
    """And an account that was not scored stands below all that were."""
    run = a_run({"g": ["a"]}, scores={"a": -5.0, "b": -9.0})
    assert list(run.ranking(["a", "b", "c"])) == [-5.0, -9.0, -np.inf]
