"""The law of one score under the null hypothesis, for each family of marks.

Under the null the token was chosen without the key, so its score is a fresh value of the keyed function: an
exponential variable for Gumbel marks, a coin for green lists, a count of coins for tournaments. What follows for
a sum of distinct ones is exact; `log_sf` gives its tail, `log_mgf` what a weighted sum is bounded with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from stillwatch.prove import tails

Floats = NDArray[np.float64]


class Law(Protocol):
    """The distribution of one score under the null."""

    @property
    def mean(self) -> float: ...

    @property
    def variance(self) -> float: ...

    @property
    def lattice(self) -> bool:
        """Scores are whole numbers, so a sum can tie with another."""
        ...

    def log_sf(self, total: float, scored: int) -> float:
        """log P[sum of ``scored`` distinct scores >= total]."""
        ...

    def log_mgf(self, t: Floats) -> Floats:
        """log E exp(t (score - mean)); infinite where it does not exist."""
        ...


@dataclass(frozen=True, slots=True)
class Exponential:
    """-log(1 - u) of a uniform u: Gumbel marks. A sum is Gamma(n, 1).

    >>> round(math.exp(Exponential().log_sf(3.0, 1)), 6)
    0.049787
    """

    mean: float = 1.0
    variance: float = 1.0
    lattice: bool = False

    def log_sf(self, total: float, scored: int) -> float:
        return tails.log_sf_gamma(total, scored)

    def log_mgf(self, t: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(t < 1.0, -t - np.log1p(-np.minimum(t, 1.0)), np.inf)


@dataclass(frozen=True, slots=True)
class Coins:
    """``trials`` independent coins of one probability: green lists (one coin), tournaments (one per layer)."""

    probability: float
    trials: int = 1
    lattice: bool = True

    @property
    def mean(self) -> float:
        return self.trials * self.probability

    @property
    def variance(self) -> float:
        return self.trials * self.probability * (1.0 - self.probability)

    def log_sf(self, total: float, scored: int) -> float:
        return tails.log_sf_binomial(round(total), scored * self.trials, self.probability)

    def log_mgf(self, t: Floats) -> Floats:
        p = self.probability
        one = np.logaddexp(math.log1p(-p), math.log(p) + t) - t * p
        return np.asarray(self.trials * one)


@dataclass(frozen=True, slots=True)
class TwoExponentials:
    """(1 - alpha) X + alpha Y: both keys of a dual-key Gumbel mark, weighted as the engine weighs them."""

    alpha: float
    mean: float = 1.0
    lattice: bool = False

    @property
    def variance(self) -> float:
        return (1.0 - self.alpha) ** 2 + self.alpha**2

    def log_sf(self, total: float, scored: int) -> float:
        return tails.log_sf_two_gammas(total, scored, 1.0 - self.alpha, self.alpha)

    def log_mgf(self, t: Floats) -> Floats:
        one = Exponential()
        return one.log_mgf(t * (1.0 - self.alpha)) + one.log_mgf(t * self.alpha)


def log_chernoff(law: Law, weights: Floats, value: float) -> float:
    """Upper bound on log P[sum of weights * (score - mean) >= value], never above the truth's bound of 0.

    The bound is rigorous for any weights fixed without the key: it holds at every t, and the best t is looked for.

    >>> bound = log_chernoff(Exponential(), np.ones(50), 50.0)
    >>> tails.log_sf_gamma(100.0, 50) < bound < tails.log_sf_gamma(100.0, 50) + 4
    True
    """
    weights = np.asarray(weights, dtype=np.float64)
    if value <= 0.0 or not weights.size:
        return 0.0

    def bound(t: float) -> float:
        return min(1e300, float(law.log_mgf(t * weights).sum()) - t * value)

    first = value / (float((weights**2).sum()) * law.variance)
    grid = first * np.geomspace(1 / 64, 64, 13)
    heights = np.array([bound(float(t)) for t in grid])
    at = int(heights.argmin())
    low, high = float(grid[max(0, at - 1)]), float(grid[min(grid.size - 1, at + 1)])
    refined = float(optimize.minimize_scalar(bound, bounds=(low, high), method="bounded").fun)
    return min(0.0, refined, float(heights[at]))


def chernoff_needed(law: Law, weights: Floats, level: float) -> float:
    """Standard deviations at which `log_chernoff` falls to ``level``; never less than a normal tail takes.

    >>> round(chernoff_needed(Coins(0.5), np.ones(10_000), 1e-6), 2)
    5.26
    >>> round(chernoff_needed(Exponential(), np.ones(100), 1e-6), 2)
    6.22
    """
    weights = np.asarray(weights, dtype=np.float64)
    spread = float(np.sqrt(law.variance * (weights**2).sum()))
    wanted = math.log(level)

    def above(z: float) -> float:
        return log_chernoff(law, weights, z * spread) - wanted

    high = math.sqrt(-2.0 * wanted)
    while above(high) > 0.0:
        high *= 2.0
    return max(float(optimize.brentq(above, 1e-6, high, xtol=1e-3)), float(-special.ndtri(level)))


__all__ = ["Coins", "Exponential", "Law", "TwoExponentials", "chernoff_needed", "log_chernoff"]
