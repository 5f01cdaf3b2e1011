"""Tokens of several columns as one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stillwatch.detect.trait import Tokens
from stillwatch.detect.traits._extract import shared_keys


@pytest.mark.parametrize("seed", range(20))
def test_a_value_of_several_columns_is_one_with_its_largest_count(seed: int) -> None:
    """Sorted by unit and value, whatever the lists hold, none included."""
    rng = np.random.default_rng(seed)
    columns = tuple("abcd"[: 1 + seed % 4])
    wanted: dict[tuple[int, int], int] = {}
    cache: dict[str, Any] = {}
    for column in columns:
        size = int(rng.integers(0, 40))
        rows = {
            (int(u), int(v)) for u, v in zip(rng.integers(0, 6, size), rng.integers(-4, 5, size), strict=True)
        }
        counts = {row: int(rng.integers(1, 9)) for row in sorted(rows)}
        cache[f"shared {column}"] = Tokens(
            np.array([unit for unit, _ in counts], np.int32),
            np.array([value for _, value in counts], np.int64),
            np.array(list(counts.values()), np.int64),
        )
        for row, count in counts.items():
            wanted[row] = max(wanted.get(row, 0), count)
    traffic: Any = SimpleNamespace(cache=cache)
    got = shared_keys(traffic, columns)
    assert got.unit.dtype == np.int32 and not cache
    rows_got = zip(got.unit.tolist(), got.value.tolist(), got.count.tolist(), strict=True)
    assert list(rows_got) == [(*row, wanted[row]) for row in sorted(wanted)]
