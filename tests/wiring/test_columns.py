"""Columns of a large scan lie in files and say what they said."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stillwatch.wiring.columns import Columns


def test_a_large_column_is_a_file_and_a_small_one_is_not(tmp_path: Path) -> None:
    """Values, types and signs of zero stay; the large array is mapped, and no name is left in the folder."""
    columns = Columns(tmp_path, large=1000)
    large = np.array([0.0, -0.0, np.nan, 1e300] * 100)
    small = np.arange(3)
    columns["large"], columns["small"] = large, small
    assert columns["small"] is small
    got = columns["large"]
    assert type(got) is np.ndarray
    assert isinstance(got.base, np.memmap)
    assert got.tobytes() == large.tobytes()
    assert list(tmp_path.iterdir()) == []


def test_many_columns_do_not_share_a_file(tmp_path: Path) -> None:
    """One column written again, or another beside it, changes no other."""
    columns = Columns(tmp_path, large=1)
    for name in "abca":
        columns[name] = np.full(10, ord(name), np.int64)
    assert {name: int(column[0]) for name, column in columns.items()} == {"a": 97, "b": 98, "c": 99}
