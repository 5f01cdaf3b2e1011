"""Shared values counted in arrays say what one expression over the rows says."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.detect import marks
from stillwatch.detect.families import counted_apart, shared
from stillwatch.detect.marks import by_unit, shared_marks
from tests.detect.making import traffic_of

Row = tuple[int, int]


def plainly(rows: list[Row]) -> tuple[list[tuple[int, int, int]], dict[int, int]]:
    """(unit, value, count) of shared values by unit and value, and the units of each value."""
    times = Counter((u, v) for u, v in rows if v)
    of: dict[int, set[int]] = {}
    for u, v in times:
        of.setdefault(v, set()).add(u)
    seen = Counter(v for _, v in rows)
    good = {v: len(who) for v, who in of.items() if len(who) > 1 and seen[v] > 2}
    return sorted((u, v, n) for (u, v), n in times.items() if v in good), good


def compared(rows: list[Row], n_units: int) -> None:
    """Hold what the arrays say beside `plainly`."""
    unit, value = np.array(rows, np.int64).reshape(-1, 2).T
    got = shared_marks(value.copy(), *by_unit(unit.astype(np.int32), n_units))
    expected, support = plainly(rows)
    assert list(zip(got.unit.tolist(), got.value.tolist(), got.count.tolist(), strict=True)) == expected
    assert dict(zip(got.values.tolist(), got.units.tolist(), strict=True)) == support
    assert len(got.values) == len(support)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from([0, 1, 2, 65, 2**62, -(2**63), -5])), max_size=60
    )
)
def test_any_rows(rows: list[Row]) -> None:
    """Whoever shows what, in whatever order, with values of one slot and of either sign."""
    compared(rows, 7)


@pytest.mark.parametrize("part", [4, 1 << 13])
def test_an_account_with_more_values_than_a_table_begins_with(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables grow with one account's values; values are dealt into many parts; the same is counted."""
    monkeypatch.setattr(marks, "PART", part)
    rng = np.random.default_rng(5)
    pool = rng.integers(-(2**63), 2**63 - 1, 3000)
    unit = np.concatenate([np.zeros(6000, int), rng.integers(0, 40, 4000)])
    compared(list(zip(unit.tolist(), rng.choice(pool, 10_000).tolist(), strict=True)), 40)


def test_both_ways_of_counting_agree() -> None:
    """What is counted in arrays, and what an expression counts where the rows are, are the same tokens."""
    rows = [
        {"account_id": f"a{i % 5}", "prompt": f"Grade the answer below.\n{i % 3} is my answer to it"}
        for i in range(40)
    ]
    traffic = traffic_of([{**row, "exchange_id": f"e{i}"} for i, row in enumerate(rows)])
    for column in ("head", "tail", "full", "longest"):
        one, other = shared(traffic, column), counted_apart(traffic, column)
        assert len(one.unit) or column == "longest"
        for a, b in ((one.unit, other.unit), (one.value, other.value), (one.count, other.count)):
            assert a.dtype == b.dtype
            assert np.array_equal(a, b)
