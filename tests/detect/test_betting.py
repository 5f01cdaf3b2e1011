"""Are the e-values e-values? Means and tails by simulation, and a check that the checks can fail."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from scipy import stats

from stillwatch.detect.betting import (
    Telling,
    bet_hubs,
    bh_adjusted,
    binomial_log10_e,
    e_bh,
    events_log10_e,
    log10_mean,
    poisson_log10_e,
    tilted_log10_e,
)

HUBS = 4000


def bets(codes: np.ndarray, q: np.ndarray, kappa: float) -> np.ndarray:
    """log10 e of hubs given as codes[hubs, members, values], bet on with reference frequencies ``q`` alone."""
    hubs, members, width = codes.shape
    n = hubs * members
    got, shown = bet_hubs(
        np.arange(hubs + 1, dtype=np.int64) * members,
        np.arange(n, dtype=np.int32),
        np.zeros(n, np.int64),
        Telling.of(codes.reshape(n, width).astype(np.int32), np.zeros(len(q), np.int64)),
        np.zeros(len(q)),
        np.zeros(len(q), np.int64),
        np.zeros(8),
        q,
        1e-12,
        False,
        kappa,
        np.ones(hubs, np.bool_),
        np.zeros(hubs, np.bool_),
    )
    assert (shown[0] == members).all()
    return np.asarray(got[0])


def draw(rng: np.random.Generator, p: np.ndarray, hubs: int, members: int, width: int = 1) -> np.ndarray:
    """Independent draws: each member shows ``width`` values, with replacement between the places."""
    return rng.choice(len(p), size=(hubs, members, width), p=p / p.sum())


def excess(log10: np.ndarray) -> float:
    """Standard errors by which the mean e-value is above 1."""
    e = 10.0**log10
    return float((e.mean() - 1.0) / (e.std() / np.sqrt(len(e)) + 1e-12))


ZIPF = 1.0 / np.arange(1, 401)
ZIPF = ZIPF / ZIPF.sum()
FLAT = np.full(50, 1 / 50)
HEAVY = np.array([0.9, 0.05] + [0.0005] * 100)
HEAVY = HEAVY / HEAVY.sum()


@pytest.mark.parametrize("members", [5, 30, 120])
@pytest.mark.parametrize("q", [ZIPF, FLAT, HEAVY], ids=["zipf", "flat", "heavy"])
def test_independent_units_win_nothing(q: np.ndarray, members: int) -> None:
    """Units that draw from the reference itself: mean at most 1 even with kappa 1, and hardly ever 100."""
    codes = draw(np.random.default_rng(members), q, HUBS, members)
    for kappa in (1.0, 3.0):
        log10 = bets(codes, q, kappa)
        assert excess(log10) <= 3.0
        assert (log10 >= 2.0).mean() <= 0.01


@pytest.mark.parametrize("width", [1, 3])
def test_kappa_covers_a_population_that_leans(width: int) -> None:
    """Each hub favours other values, three times as often as the reference: still at most 1 with kappa 3."""
    rng = np.random.default_rng(11)
    rows = []
    for _ in range(40):
        up = rng.random(len(ZIPF)) < 0.15
        lean = np.where(up, 3.0 * ZIPF, ZIPF * max((1 - 3.0 * ZIPF[up].sum()) / ZIPF[~up].sum(), 0.0))
        lean = np.minimum(lean / lean.sum(), 3.0 * ZIPF)
        spare = 1.0 - lean.sum()
        lean[0] += spare
        assert (lean <= 3.0 * ZIPF + 1e-12).all() and abs(lean.sum() - 1.0) < 1e-9
        rows.append(draw(rng, lean, HUBS // 40, 40, width))
    log10 = bets(np.concatenate(rows), ZIPF, 3.0)
    assert excess(log10) <= 3.0
    assert (log10 >= 2.0).mean() <= 0.01


def test_values_of_one_unit_may_depend_on_each_other() -> None:
    """A unit that shows k values wins the average of its k bets: fair at kappa 1 however its values are tied."""
    rng = np.random.default_rng(5)
    first = draw(rng, FLAT, HUBS, 40)
    same = np.repeat(first, 4, axis=2)
    neighbour = (first + np.arange(4)) % len(FLAT)
    for codes in (same, neighbour):
        log10 = bets(codes, FLAT, 1.0)
        assert excess(log10) <= 3.0
        assert (log10 >= 2.0).mean() <= 0.01


def test_understated_frequencies_are_found_out() -> None:
    """The test of the tests: with kappa 1 and a reference of q/1.43 the same checks fail."""
    ten = np.full(10, 0.1)
    codes = draw(np.random.default_rng(30), ten, HUBS, 30)
    assert excess(bets(codes, ten, 1.0)) <= 3.0
    assert excess(bets(codes, ten / 1.43, 1.0)) > 6.0
    long = bets(draw(np.random.default_rng(31), FLAT, 500, 400), FLAT / 1.43, 1.0)
    assert (long >= 2.0).mean() > 0.01


def outcomes(p: np.ndarray, members: int) -> tuple[np.ndarray, np.ndarray]:
    """Every hub of so many members with one value each, and its probability under independent draws from p."""
    codes = np.array(list(product(range(len(p)), repeat=members)))
    return codes[:, :, None], p[codes].prod(1)


def test_the_expectation_is_exact() -> None:
    """Over all 4^6 hubs: 1 when the reference is the truth, less where kappa has room, more where it is understated."""
    p = np.array([0.55, 0.3, 0.1, 0.05])
    codes, weight = outcomes(p, 6)

    def mean(q: np.ndarray, kappa: float) -> float:
        return float((weight * 10.0 ** bets(codes, q, kappa)).sum())

    assert mean(p, 1.0) == pytest.approx(1.0)
    assert mean(p / 1.5, 1.5) == pytest.approx(1.0)
    assert mean(np.array([0.55, 0.1, 0.1, 0.05]), 3.0) < 1.0
    assert mean(p, 3.0) < 1.0
    assert mean(p / 1.43, 1.0) > 1.05


def outside(
    rng: np.random.Generator, p: np.ndarray, units: int, members: int, hubs: int, kappa: float
) -> np.ndarray:
    """log10 e of hubs that take their frequencies from the other units of the traffic, each in a traffic of its own."""
    out = np.zeros(hubs)
    codes = np.full((units, 1), -1, np.int32)
    for h in range(hubs):
        codes[:, 0] = rng.choice(len(p), units, p=p)
        total = np.bincount(codes[:, 0], minlength=len(p)).astype(float)
        present = np.zeros(8)
        present[0] = units
        out[h] = bet_hubs(
            np.array([0, members]),
            np.arange(members, dtype=np.int32),
            np.zeros(units, np.int64),
            Telling.of(codes, np.zeros(len(p), np.int64)),
            total,
            np.zeros(len(p), np.int64),
            present,
            np.zeros(len(p)),
            1e-9,
            True,
            kappa,
            np.ones(1, np.bool_),
            np.zeros(1, np.bool_),
        )[0][0, 0]
    return out


def test_frequencies_from_the_traffic_itself() -> None:
    """Where the reference knows nothing, the other units are the reference; rare values do not break it at kappa 3."""
    log10 = outside(np.random.default_rng(13), ZIPF, 600, 40, 2000, 3.0)
    assert excess(log10) <= 3.0
    assert (log10 >= 2.0).mean() <= 0.01


def test_a_shared_rare_value_grows_with_the_hub() -> None:
    """A tenth of the members share a value that one in a thousand shows: evidence rises with size."""
    rng = np.random.default_rng(2)
    medians = []
    for members in (20, 60, 200, 600):
        codes = draw(rng, ZIPF, 60, members)
        codes = np.where(rng.random(codes.shape) < 0.1, len(ZIPF), codes)
        medians.append(float(np.median(bets(codes, np.append(ZIPF, 1e-3), 3.0))))
    assert medians[0] < medians[1] < medians[2] < medians[3]
    assert medians[2] > 4.0
    assert medians[3] > 10.0


def test_pairs_are_no_controller() -> None:
    """A hub in which a third of the units are pairs with a rare value each has no common controller."""
    rng = np.random.default_rng(12)
    rare = np.full(20_000, 1 / 20_000)
    codes = draw(rng, rare, 40, 100)
    codes[:, 1:34:2] = codes[:, 0:33:2]
    assert float(np.median(bets(codes[:, rng.permutation(100)], rare, 3.0))) < 3.0


def test_the_order_of_joining_is_not_evidence() -> None:
    """Under the null the mean holds for any fixed order, forwards and backwards."""
    codes = draw(np.random.default_rng(3), ZIPF, HUBS, 50)
    assert excess(bets(codes[:, ::-1], ZIPF, 1.0)) <= 3.0


def test_the_mean_in_logarithms() -> None:
    """log10_mean is the mean, also where the numbers themselves would overflow."""
    parts = np.random.default_rng(0).uniform(-5, 5, (4, 7))
    assert np.allclose(log10_mean(parts), np.log10((10.0**parts).mean(0)))
    assert np.allclose(log10_mean(parts, axis=1), np.log10((10.0**parts).mean(1)))
    assert np.allclose(log10_mean(np.array([5000.0, 5000.0, -9000.0])), 5000.0 + np.log10(2 / 3))


@pytest.mark.parametrize("mean", [1e-4, 0.01, 0.3, 2.0])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_events_at_the_stated_rate_win_nothing(mean: float, share: float) -> None:
    """Poisson counts whose mean is at most the stated one: exact expectation at most 1."""
    count = np.arange(0, 4000)
    weight = stats.poisson.pmf(count, share * mean)
    log10 = poisson_log10_e(count.astype(float), np.full(len(count), mean))
    expected = float(
        np.exp(np.log(10.0) * log10[weight > 0] + stats.poisson.logpmf(count[weight > 0], share * mean)).sum()
    )
    assert expected <= 1.0 + 1e-6
    drawn = np.random.default_rng(1).poisson(share * mean, 20_000).astype(float)
    assert excess(poisson_log10_e(drawn, np.full(len(drawn), mean))) <= 3.0


def test_more_events_are_more_evidence() -> None:
    """The value rises with the count and falls with the mean; twice the rate would be found out."""
    counts = np.arange(8.0)
    assert (np.diff(poisson_log10_e(counts, np.full(8, 0.01))) > 0).all()
    assert (np.diff(poisson_log10_e(np.full(5, 2.0), np.logspace(-4, 0, 5))) < 0).all()
    count = np.arange(0, 2000)
    honest = poisson_log10_e(count.astype(float), np.full(len(count), 1e-3))
    assert float((10.0 ** (honest + stats.poisson.logpmf(count, 4e-3) / np.log(10.0))).sum()) > 1.0


@pytest.mark.parametrize("trials", [1, 7, 400])
@pytest.mark.parametrize("null", [1e-4, 0.1, 0.5, 0.9])
def test_shares_at_the_null_odds_win_nothing(trials: int, null: float) -> None:
    """Exact expectation over the binomial: 1 at the null share, no more below it, more above it."""
    k = np.arange(trials + 1)
    won = np.log(10.0) * tilted_log10_e(
        k.astype(float), np.full(len(k), float(trials)), np.full(len(k), null)
    )

    def expected(share: float) -> float:
        return float(np.exp(stats.binom.logpmf(k, trials, share) + won).sum())

    assert expected(null) == pytest.approx(1.0)
    assert expected(0.7 * null) < 1.0 < expected(1.05 * null)


def events(inside: Any, touching: Any, honest: float, mixed: float, share: float, kappa: float) -> np.ndarray:
    """log10 e of as many sets as ``inside`` has, all alike otherwise."""
    count = np.atleast_1d(np.asarray(inside, float))
    touched = np.broadcast_to(np.asarray(touching, float), count.shape)
    rate, all_, held = (np.full(len(count), v) for v in (honest, mixed, share))
    return events_log10_e(count, touched, rate, all_, held, kappa)


def test_a_network_that_is_half_of_the_traffic_does_not_hide_in_it() -> None:
    """Its own events, and those of a second network, do not make its events look like chance; scattered ones do."""
    assert events(4751, 4774, 0.1, 0.25 * 4774, 0.5, 3.0)[0] > 100.0
    assert events(468, 468, 0.1, 0.09 * 1355, 0.3, 3.0)[0] > 100.0
    scattered = np.random.default_rng(5).binomial(900, 0.5 / 1.5, 20_000)
    assert excess(events(scattered, 900.0, 0.1, 300.0, 0.5, 1.0)) <= 3.0
    assert (events(scattered, 900.0, 0.1, 300.0, 0.5, 0.5) > 3.0).mean() > 0.9


def test_a_small_part_of_a_campaign_is_seen_although_most_of_its_events_leave_it() -> None:
    """Ten accounts of a campaign of fifty in a thousand: a fifth of their events stay among themselves."""
    assert events(12, 60, 0.01, 0.01**2 * 150, 0.01, 3.0)[0] > 6.0


def test_events_at_the_honest_rate_win_nothing_wherever_they_fall() -> None:
    """All events inside one small hub, as many as its exposure explains: no evidence."""
    count = np.random.default_rng(6).poisson(4.0, 20_000)
    assert excess(events(count, count, 4.0, 0.001, 0.001, 1.0)) <= 3.0


@pytest.mark.parametrize("trials", [1, 7, 40])
@pytest.mark.parametrize("null", [0.1, 0.5, 0.6])
def test_successes_at_the_null_rate_win_nothing(trials: int, null: float) -> None:
    """Exact expectation over the binomial: 1 at the null, less below it, more above it."""
    k = np.arange(trials + 1)
    e = 10.0 ** np.array([binomial_log10_e(int(s), trials, null) for s in k])
    assert float((stats.binom.pmf(k, trials, null) * e).sum()) == pytest.approx(1.0)
    assert float((stats.binom.pmf(k, trials, 0.7 * null) * e).sum()) < 1.0
    assert float((stats.binom.pmf(k, trials, min(1.3 * null, 1.0)) * e).sum()) > 1.0


def brute_e_bh(e: np.ndarray, alpha: float) -> set[int]:
    """The largest set whose every member reaches m / (alpha * size), by trying all sets."""
    m = len(e)
    best: set[int] = set()
    for size in range(m + 1):
        for chosen in combinations(range(m), size):
            if all(e[i] >= m / (alpha * size) for i in chosen):
                best = set(chosen)
    return best


def test_e_bh_is_the_largest_consistent_set() -> None:
    """Against every subset, on 60 random lists of up to nine."""
    rng = np.random.default_rng(4)
    for _ in range(60):
        m = int(rng.integers(1, 10))
        log10 = np.round(rng.uniform(-1.0, 3.0, m), 3)
        alpha = float(rng.choice([0.05, 0.2, 0.5]))
        assert set(np.flatnonzero(e_bh(log10, alpha)).tolist()) == brute_e_bh(10.0**log10, alpha)


def test_e_bh_at_the_edges() -> None:
    """No hypothesis, impossible values, exact thresholds and numbers no float holds."""
    assert e_bh(np.zeros(0), 0.1).tolist() == []
    assert e_bh(np.array([-np.inf, 1e6]), 1e-4).tolist() == [False, True]
    assert e_bh(np.array([np.nan, 9.0]), 1e-4).tolist() == [False, True]
    assert e_bh(np.array([1.0]), 0.1).tolist() == [True]


def test_e_bh_keeps_the_rate_under_dependence() -> None:
    """All-null e-values that are copies of one another are rejected no more often than alpha."""
    rng = np.random.default_rng(6)
    alpha, rejected = 0.1, 0
    for _ in range(2000):
        log10 = np.full(20, np.log10(1 / alpha) if rng.random() < alpha else -3.0)
        rejected += bool(e_bh(log10, alpha).any())
    assert rejected / 2000 <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / 2000)


def test_adjusted_p_values_are_those_of_scipy() -> None:
    """Benjamini-Hochberg, ties included."""
    rng = np.random.default_rng(9)
    for m in (1, 2, 7, 200):
        p = np.round(rng.random(m) ** 2, 2)
        assert np.allclose(bh_adjusted(p), stats.false_discovery_control(p, method="bh"))
    assert bh_adjusted(np.zeros(0)).tolist() == []
