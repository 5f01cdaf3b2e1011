"""Cutting a group by its co-clustering directions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import ArpackNoConvergence

from stillwatch.detect import split

TWO_BLOCKS = csr_matrix(np.kron(np.eye(2), np.ones((6, 5))) + 0.01)


def test_two_blocks_are_told_apart() -> None:
    """The leading direction of two blocks that share nothing separates them."""
    first = np.arange(12) < 6
    sides = split._sides(TWO_BLOCKS)
    assert any(np.array_equal(s, first) or np.array_equal(s, ~first) for s in sides)


def test_no_convergence_leaves_the_group_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decomposition that does not converge gives no cut, and ends no run."""

    def give_up(*_: Any, **__: Any) -> None:
        raise ArpackNoConvergence("no", np.zeros(0), np.zeros(0))

    monkeypatch.setattr(split, "svds", give_up)
    assert split._sides(TWO_BLOCKS) == []
