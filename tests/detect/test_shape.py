"""How much of a group's exchanges is extraction: what is not linked is a mixture, resampled by unit."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.detect.shape import _extra


def plain_share(counts: np.ndarray, like: np.ndarray, base: np.ndarray) -> float:
    """Weight of ``like`` in a mixture with ``base``, by expectation-maximisation over one draw."""
    share = 0.1
    for _ in range(60):
        weight = share * like / (share * like + (1.0 - share) * base)
        share = float((counts * weight).sum() / counts.sum())
    return share


@pytest.mark.parametrize("seed", range(8))
def test_draws_together_are_those_one_by_one(seed: int) -> None:
    """Every draw has the bits that it has alone; one with nothing left over has nothing that could be alike."""
    rng = np.random.default_rng(seed)
    like, base = rng.dirichlet(np.full(64, 0.3)), rng.dirichlet(np.ones(64))
    left = rng.poisson(rng.choice([0.1, 3.0, 4000.0], (201, 1)), (201, 64)).astype(float)
    left[rng.random(201) < 0.2] = 0.0
    wanted = [plain_share(row, like, base) * row.sum() if row.any() else 0.0 for row in left]
    assert _extra(left, like, base, mixing=True).tolist() == wanted
    assert not _extra(left, like, base, mixing=False).any()


def test_a_mixture_is_told_apart() -> None:
    """Of a thousand exchanges that are a quarter like the linked stream about a quarter is counted."""
    like, base = np.repeat([1.0, 0.05], 32), np.repeat([0.05, 1.0], 32)
    like, base = like / like.sum(), base / base.sum()
    found = _extra(1000.0 * (0.25 * like + 0.75 * base)[None], like, base, mixing=True)
    assert found[0] == pytest.approx(250.0, rel=0.05)
