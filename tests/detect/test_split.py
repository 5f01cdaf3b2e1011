"""Cutting a group by its co-clustering directions."""

from __future__ import annotations

from types import SimpleNamespace
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


def test_events_that_fall_anywhere_tie_no_two_sides() -> None:
    """Two sides that make up most of everybody have many events across by chance, and these are no evidence."""
    rng = np.random.default_rng(8)
    a, b = np.arange(100), np.arange(100, 600)
    found = []
    for _ in range(300):
        ends = rng.integers(0, 1000, (2, 1000)).astype(np.int32)
        pairs = SimpleNamespace(giver=ends[0], taker=ends[1], rate=1e-6, exposure=np.ones(1000))
        around: Any = SimpleNamespace(traffic=SimpleNamespace(n_units=1000), pairs=[pairs], kappa=1.0)
        found.append(split._pairs_across(a, b, around))
    assert (np.array(found) >= 2.0).mean() <= 0.02
    tied = SimpleNamespace(
        giver=rng.integers(0, 100, 50), taker=rng.integers(100, 600, 50), rate=1e-6, exposure=np.ones(1000)
    )
    around = SimpleNamespace(traffic=SimpleNamespace(n_units=1000), pairs=[tied], kappa=1.0)
    assert split._pairs_across(a, b, around) > 3.0
