"""Heavy hitters cost no more than others: nothing is ever laid beside everything."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.bench_skew import Counting, run
from stillwatch.detect.queue import turns_taken
from stillwatch.detect.tables import smallest
from stillwatch.detect.traits.failover import handed_over
from stillwatch.store import open_backend


def engine() -> Counting:
    """The embedded engine, counting."""
    return Counting(open_backend(1, "1GB", None))


@pytest.fixture(scope="module")
def sizes() -> list[dict[str, Any]]:
    """The same heavy traffic, once and four times as large."""
    return [run(engine(), accounts, giant) for accounts, giant in ((1_000, 8_000), (4_000, 32_000))]


def test_every_intermediate_grows_with_the_traffic(sizes: list[dict[str, Any]]) -> None:
    """Four times the accounts, and a giant four times as large, are four times the rows in the largest step."""
    small, large = sizes
    assert small["failed"] == large["failed"] == []
    assert large["rows"] == 4 * small["rows"]
    assert small["largest_intermediate"] > small["rows"] / 2
    assert large["largest_intermediate"] <= 4.2 * small["largest_intermediate"]
    assert large["largest_intermediate"] <= 8 * large["rows"]


def test_the_count_would_notice(sizes: list[dict[str, Any]]) -> None:
    """A join of everybody with everybody who shares an address is seen as what it is."""
    rows = []
    for n in (100, 400):
        counting = engine()
        counting.append("t", pa.table({"net": np.full(n, 7), "unit": np.arange(n)}))
        t = counting.table("t")
        pairs = t.join(t.view(), "net")
        counting.arrow(pairs.filter(pairs.unit <= pairs.unit_right).agg(n=pairs.unit_right.sum()))
        rows.append(max(counting.steps))
    assert rows[1] > 15 * rows[0]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(-40, 40)), max_size=60, unique=True),
    st.integers(1, 5),
    st.sampled_from([2, 8, 64]),
)
def test_dealing_a_ranking_out_changes_nothing(rows: list[tuple[int, int]], most: int, salts: int) -> None:
    """The smallest values of each group are the same whether the group lay in one place or in many."""
    counting = engine()
    counting.append("t", pa.table({"g": pa.array([g for g, _ in rows], pa.int64()),
                                   "v": pa.array([v for _, v in rows], pa.int64())}))  # fmt: skip
    wanted = {(g, v) for g in range(3) for v in sorted(v for k, v in rows if k == g)[:most]}
    for n in (1, salts):
        got = counting.arrow(smallest(counting.table("t"), ["g"], "v", most, n))
        assert {(r["g"], r["v"]) for r in got.to_pylist()} == wanted


EVENTS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 12), st.booleans()), max_size=40
)


@settings(max_examples=40, deadline=None)
@given(EVENTS)
def test_handing_over_is_what_pairing_would_find(events: list[tuple[int, int, int, bool]]) -> None:
    """The newest refusal before a request says as much as all of them: the same pairs, the same first times."""
    within = 4
    wanted: dict[tuple[int, int, int], int] = {}
    for payload, giver, refused_at, failed in events:
        for other, taker, at, also in events:
            if failed and not also and payload == other and giver != taker and 0 < at - refused_at <= within:
                place = (payload, giver, taker)
                wanted[place] = min(at, wanted.get(place, at))
    counting = engine()
    names = ("payload", "unit", "ts", "failed")
    types = (pa.int64(), pa.int32(), pa.int64(), pa.bool_())
    counting.append(
        "t",
        pa.table(
            {
                n: pa.array([e[i] for e in events], t)
                for i, (n, t) in enumerate(zip(names, types, strict=True))
            }
        ),
    )
    got = counting.arrow(handed_over(counting.table("t"), within))
    assert sorted((r["giver"], r["taker"], r["ts"]) for r in got.to_pylist()) == sorted(
        (giver, taker, ts) for (_, giver, taker), ts in wanted.items()
    )


def _turns(times: list[int]) -> Fraction:
    return Fraction(sum(times) ** 2, sum(n * n for n in times))


def test_the_mean_of_turns_is_that_of_fractions() -> None:
    """Counting in whole parts gives what exact fractions give, rounded down, for every payload."""
    rng = np.random.default_rng(3)
    sent = {(int(k), int(u), int(p)) for k, u, p in zip(
        rng.integers(0, 2, 900), rng.integers(0, 12, 900), rng.integers(-90, 90, 900), strict=True
    )}  # fmt: skip
    by: dict[tuple[int, int], list[int]] = {}
    for k, u, p in sent:
        by.setdefault((k, p), []).append(u)
    pairs: dict[tuple[int, int, int], dict[int, int]] = {}
    for (k, _), units in by.items():
        if len(units) > 1:
            for a in units:
                for b in units:
                    row = pairs.setdefault((k, len(units), a), {})
                    row[b] = row.get(b, 0) + 1
    wanted = []
    for (k, p), units in by.items():
        m = len(units)
        total = Fraction(0)
        for u in units:
            turns = pairs.get((k, m, u))
            total += Fraction(m) if turns is None else _turns(list(turns.values()))
        wanted.append((k, m, p & 1, floor(total / m)))
    counting = engine()
    rows = [(k, u, p, len(by[k, p])) for k, u, p in sorted(sent)]
    names = ("key", "unit", "payload", "m")
    counting.append(
        "t", pa.table({n: pa.array([r[i] for r in rows], pa.int64()) for i, n in enumerate(names)})
    )
    for salts in (1, 8):
        got = counting.arrow(turns_taken(counting.table("t"), salts))
        found = [(r["key"], r["m"], r["odd"], r["mixing"]) for r in got.to_pylist()]
        assert sorted(found) == sorted(wanted)
