"""How work is dealt out: the ceiling, honest crowds that must not look like a dispatcher, and dispatchers that must."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from stillwatch.detect.families import assign_families
from stillwatch.detect.queue import (
    MAX_BET,
    MAX_REPEATS,
    Spread,
    exact_repeat_log10_e,
    log10_ceiling,
    multiplicities,
    succession_log10_e,
)
from tests.detect.making import START, traffic_of


def spread_of(sent: np.ndarray) -> Spread:
    """The spread of bool[payloads, units], in plain Python."""
    sets = [np.flatnonzero(row).tolist() for row in sent if row.any()]
    met: Counter[tuple[int, int, int]] = Counter()
    for one in sets:
        met.update((len(one), i, k) for i in one for k in one)
    turns = {}
    for m, i in {key[:2] for key in met}:
        n = [v for key, v in met.items() if key[:2] == (m, i)]
        turns[m, i] = sum(n) ** 2 / sum(v * v for v in n)
    found = Counter(
        (
            len(one),
            int(np.mean([turns[len(one), i] for i in one]) + 1e-9) if 2 <= len(one) <= MAX_BET else len(one),
        )
        for one in sets
    )
    keys = np.array(sorted(found))
    counts = np.array([found[key] for key in sorted(found)])
    return Spread(
        keys[:, 0], keys[:, 1], counts, len({u for one in sets for u in one}), np.arange(len(keys)) % 2 > 0
    )


def by_kind(spread: Spread) -> dict[tuple[int, int], int]:
    """Payloads by multiplicity and mixing, both halves together."""
    out: dict[tuple[int, int], int] = defaultdict(int)
    for m, mixing, n in zip(spread.multiplicity, spread.mixing, spread.payloads, strict=True):
        out[int(m), int(mixing)] += int(n)
    return dict(out)


def decades(sent: np.ndarray) -> float:
    """log10 e-value of bool[payloads, units]."""
    return spread_of(sent).log10_e()


def together(*parts: np.ndarray) -> np.ndarray:
    """Groups of units side by side, each with payloads of its own."""
    out = np.zeros((sum(p.shape[0] for p in parts), sum(p.shape[1] for p in parts)), np.bool_)
    i = j = 0
    for p in parts:
        out[i : i + p.shape[0], j : j + p.shape[1]] = p
        i, j = i + p.shape[0], j + p.shape[1]
    return out


def dealt(rng: np.random.Generator, units: int, payloads: int, repeats: int) -> np.ndarray:
    """A dispatcher: every payload to exactly so many units, drawn afresh."""
    out = np.zeros((payloads, units), np.bool_)
    for row in out:
        row[rng.choice(units, repeats, replace=False)] = True
    return out


@pytest.mark.parametrize("units", [3, 5, 20, 33, 64, 65, 100, 1000, 60_000])
def test_the_ceiling_is_the_largest_probability(units: int) -> None:
    """Against a search over every popularity, for each count that can be bet on and its neighbours."""
    got = log10_ceiling(units)

    def negative(logit: float, m: int) -> float:
        p = 1.0 / (1.0 + np.exp(-logit))
        return -float(stats.binom.logpmf(m, units, p) - np.log(-np.expm1(units * np.log1p(-p))))

    assert got.shape == (MAX_REPEATS + 1,)
    assert got[1] == 0.0
    for m in range(2, min(units, MAX_REPEATS)):
        centre = float(np.log(m / units / (1 - m / units)))
        best = optimize.minimize_scalar(
            negative, bounds=(centre - 8, centre + 8), args=(m,), method="bounded", options={"xatol": 1e-10}
        )
        assert got[m] == pytest.approx(-best.fun / np.log(10.0), abs=1e-6), m
    if units <= MAX_REPEATS:
        assert got[units] == 0.0
    else:
        assert got[MAX_REPEATS] == 0.0, "that many or more can be certain"


def test_no_popularity_beats_the_alternative() -> None:
    """The expectation of one payload's factor is at most 1 for every popularity, whichever R is bet on; exactly."""
    for units in (4, 20, 60, 200):
        ceiling = log10_ceiling(units)
        m = np.arange(1, units + 1)
        capped = np.minimum(m, MAX_REPEATS)
        high = min(units, MAX_REPEATS)
        for r in range(2, min(high, 32) + 1):
            alternative = np.where(capped == r, 0.8, 0.2 / (high - 1))
            for p in np.concatenate([np.logspace(-5, -0.5, 40), [r / units, 0.5, 0.9, 0.97, 0.999]]):
                pmf = stats.binom.pmf(m, units, min(p, 0.9999)) / -np.expm1(units * np.log1p(-min(p, 0.9999)))
                assert float((pmf * alternative / 10.0 ** ceiling[capped]).sum()) <= 1.0 + 1e-9, (units, r, p)


def test_independent_crowds_win_nothing() -> None:
    """Mixed popularity, 2,000 crowds just large enough to be judged: mean at most 1, hardly ever 100."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(2000):
        units = int(rng.integers(4, 40))
        popularity = rng.choice([0.02, 2.0 / units, 4.0 / units, 0.5], 22)
        counts = rng.binomial(units, popularity)
        m, times = np.unique(counts[counts > 0], return_counts=True)
        found.append(exact_repeat_log10_e(m, times, units)[0])
    e = 10.0 ** np.array(found)
    assert e.mean() <= 1.0 + 3.0 * e.std() / np.sqrt(len(e))
    assert (e >= 100).mean() <= 0.01


@pytest.mark.parametrize(
    "units, payloads, repeats",
    [(100, 500, 4), (30, 200, 4), (12, 200, 4), (8, 200, 2), (100, 300, 2), (300, 400, 8)],
)
def test_a_dispatcher_is_seen(units: int, payloads: int, repeats: int) -> None:
    """Every payload sent exactly R times by accounts that take turns, and R is named."""
    found = spread_of(dealt(np.random.default_rng(1), units, payloads, repeats))
    assert found.log10_e() > 10.0
    assert exact_repeat_log10_e(found.multiplicity, found.payloads, found.units, found.mixing)[1] == repeats


HONEST: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "a benchmark that twenty run and ten others do not": lambda r: together(
        np.ones((500, 20), bool), np.eye(10, dtype=bool)
    ),
    "a benchmark that nearly every one of twenty finishes": lambda r: together(
        r.random((500, 20)) < 0.97, np.eye(30, dtype=bool)
    ),
    "three heavy customers with one test set": lambda r: together(
        np.ones((500, 3), bool), np.eye(30, dtype=bool)
    ),
    "everyone does the homework": lambda r: np.ones((30, 60), bool),
    "everyone asks things of his own": lambda r: np.eye(200, dtype=bool),
    "a long tail of popularity": lambda r: r.random((800, 60)) < r.beta(0.3, 10, 800)[:, None],
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_crowds_are_no_dispatcher(name: str) -> None:
    """Customers who reach every payload equally often because they are the same customers show nothing."""
    assert decades(HONEST[name](np.random.default_rng(2))) <= 1.0


@pytest.mark.parametrize("size, teams", [(2, 40), (3, 10), (5, 3)])
def test_teams_do_not_take_turns(size: int, teams: int) -> None:
    """Accounts that always send together, pair by pair or test set by test set, are no dispatcher's pool."""
    found = spread_of(np.kron(np.eye(teams, dtype=bool), np.ones((50, size), dtype=bool)))
    assert exact_repeat_log10_e(found.multiplicity, found.payloads, found.units)[0] > 20.0
    assert found.log10_e() < 0.0


def test_a_pool_in_rotation_is_seen() -> None:
    """A dispatcher that goes round a pool of eight, four at a time, uses few sets of accounts and is seen."""
    sent = np.zeros((60, 8), np.bool_)
    for q in range(60):
        sent[q, [(q * 3 + r) % 8 for r in range(4)]] = True
    assert decades(sent) > 6.0


def test_taking_turns_only_lowers_the_value() -> None:
    """Whatever the crowd, asking who takes turns with whom never adds evidence."""
    rng = np.random.default_rng(4)
    for _ in range(60):
        sent = rng.random((int(rng.integers(20, 80)), int(rng.integers(4, 30)))) < rng.random() ** 2
        if not sent.any():
            continue
        s = spread_of(sent)
        assert s.log10_e() <= exact_repeat_log10_e(s.multiplicity, s.payloads, s.units)[0] + 1e-9


def test_too_little_says_nothing() -> None:
    """Under twenty payloads, or under three units, there is no value."""
    assert exact_repeat_log10_e(np.array([4]), np.array([19]), 50) == (0.0, 0)
    assert exact_repeat_log10_e(np.array([2]), np.array([500]), 2) == (0.0, 0)


def test_spreads_from_the_table_are_the_plain_ones() -> None:
    """The SQL against plain Python: repeats of one unit do not count, keys do not mix."""
    rng = np.random.default_rng(5)
    sent = {1: rng.random((40, 9)) < 0.3, -7: dealt(rng, 9, 25, 3)}
    rows: list[dict[str, Any]] = []
    for key, table in sent.items():
        for payload, unit in np.argwhere(table):
            rows += [
                {
                    "account_id": f"u{unit}",
                    "exchange_id": f"{key}.{payload}.{unit}.{i}",
                    "turn": int(payload),
                    "n": key,
                }
                for i in range(int(rng.integers(1, 4)))
            ]
    traffic = traffic_of([rows[i] for i in rng.permutation(len(rows))])
    got = multiplicities(traffic, traffic.table().select("unit", key="n", payload="turn"))
    assert sorted(got) == [-7, 1]
    for key, table in sent.items():
        wanted = spread_of(table)
        assert by_kind(got[key]) == by_kind(wanted)
        assert set(got[key].odd.tolist()) == {False, True}
        assert got[key].units == wanted.units


def arrivals(days: dict[str, float], bans: dict[str, float]) -> Any:
    """Traffic over sixty days in which each account first appears on its day and some are banned on theirs."""
    rows = [
        {"account_id": a, "exchange_id": a, "started_at": START + timedelta(days=d)} for a, d in days.items()
    ]
    rows.append({"account_id": "late", "exchange_id": "late", "started_at": START + timedelta(days=60)})
    accounts = [
        {
            "account_id": a,
            "status": "banned" if a in bans else "active",
            "status_changed_at": START + timedelta(days=bans[a]) if a in bans else None,
        }
        for a in days
    ]
    return traffic_of(rows, accounts)


def test_replacements_after_each_ban_are_seen() -> None:
    """Sixteen bans, each followed within hours by a new account."""
    days = {f"old{i}": 0.0 for i in range(16)} | {f"new{i}": 2.1 + 3 * i for i in range(16)}
    traffic = arrivals(days, {f"old{i}": 2.0 + 3 * i for i in range(16)})
    log10, after, before = succession_log10_e(traffic, np.arange(traffic.n_units))
    assert (after, before) == (16, 0)
    assert log10 > 2.5


def test_a_class_that_joins_after_one_ban_is_one_event() -> None:
    """Thirty accounts that appear on the afternoon after a single ban are no thirty replacements."""
    days = {"old": 0.0} | {f"pupil{i}": 10.1 + i / 100 for i in range(30)}
    traffic = arrivals(days, {"old": 10.0})
    log10, after, before = succession_log10_e(traffic, np.arange(traffic.n_units))
    assert (after, before) == (6, 0)
    assert log10 < 1.0


def test_appearances_before_a_ban_speak_against_succession() -> None:
    """New accounts that are banned soon after they appear are what enforcement looks like."""
    days = {f"new{i}": 2.0 + 3 * i for i in range(12)}
    traffic = arrivals(days, {f"new{i}": 2.3 + 3 * i for i in range(12)})
    log10, after, before = succession_log10_e(traffic, np.arange(traffic.n_units))
    assert after == 0 and before >= 11
    assert log10 < 0.0


def test_no_ban_no_evidence() -> None:
    """Without a ban inside the window there is nothing to judge."""
    traffic = arrivals({"a": 3.0, "b": 4.0}, {})
    assert succession_log10_e(traffic, np.arange(traffic.n_units)) == (0.0, 0, 0)
    traffic = arrivals({"a": 3.0, "b": 4.0}, {"a": 0.2})
    assert succession_log10_e(traffic, np.arange(traffic.n_units)) == (0.0, 0, 0)


def test_families_feed_the_queue() -> None:
    """From prompts to spread: one template, thirty questions, each sent by three of ten accounts."""
    rng = np.random.default_rng(6)
    sent = dealt(rng, 10, 30, 3)
    ask = (
        "Answer the question below with care and in full.\nWhat did person {} say that day in town about {}?"
    )
    rows = [
        {"account_id": f"u{u}", "exchange_id": f"{q}.{u}", "prompt": ask.format(q, q * 7)}
        for q, u in np.argwhere(sent)
    ]
    traffic = traffic_of(rows)
    assign_families(traffic)
    t = traffic.table()
    got = multiplicities(traffic, t.filter(t.family != 0).select("unit", "payload", key="family"))
    assert len(got) == 1
    found = next(iter(got.values()))
    assert set(found.multiplicity.tolist()) == {3}
    assert found.payloads.sum() == 30
    assert found.units == 10
