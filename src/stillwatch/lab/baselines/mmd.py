"""Maximum mean discrepancy between two sets of vectors, calibrated on benign against benign.

The unbiased estimate with the mean of four Gaussian kernels, of widths 0.5, 1, 2 and 4 times the median distance
between reference vectors. Where the paper averages twenty references drawn from the pool, the whole pool is used:
that is the mean over all draws, without their noise.

References
----------
Gretton et al.: A kernel two-sample test (JMLR 2012), lemma 6.
Liu, Guo, Dong: An embarrassingly simple detector for model extraction attacks in large language model API traffic,
arXiv 2606.05725 (window 1,500, 1,000 null draws, 95th percentile, 80 % of benign queries as pool).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

PERCENTILE = 95.0
"""Of the null scores: the paper's threshold."""
NULL_DRAWS = 1_000
BANDWIDTH_SAMPLE = 2_000
SHORT = 256
"""Windows up to this length are cut out of the Gram matrix; longer ones are counted into matrix products."""
_BLOCK = 512
"""Rows of one kernel block: small enough for a processor cache."""


@dataclass(frozen=True, slots=True)
class Null:
    """Scores of pairs of disjoint benign windows of one length."""

    mean: float
    deviation: float
    threshold: float


def squared_distances(x: F32, y: F32) -> F32:
    """Shape ``(len(x), len(y))``, never negative."""
    out: F32 = x @ y.T
    out *= np.float32(-2.0)
    out += np.sum(x * x, axis=1)[:, None]
    out += np.sum(y * y, axis=1)[None, :]
    return np.maximum(out, np.float32(0.0), out=out)


def bandwidth(pool: F32) -> float:
    """Median distance between different vectors of the pool's first 2,000; 1 if all are equal."""
    distances = squared_distances(pool[:BANDWIDTH_SAMPLE], pool[:BANDWIDTH_SAMPLE])
    upper = distances[np.triu_indices(len(distances), 1)]
    positive = upper[upper > 1e-9]
    return float(np.sqrt(np.median(positive))) if len(positive) else 1.0


def kernel(x: F32, y: F32, sigma: float) -> F32:
    """Mean of the four Gaussian kernels. The wider ones' exponentials are roots of the narrower ones'."""
    power = squared_distances(x, y)
    power *= np.float32(-1.0 / (2.0 * (4.0 * sigma) ** 2))
    np.exp(power, out=power)
    total = power.copy()
    for _ in range(3):
        power *= power
        power *= power
        total += power
    total *= np.float32(0.25)
    return total


def within(gram: F32) -> float:
    """Mean of a Gram matrix off its diagonal."""
    n = len(gram)
    return float((np.sum(gram, dtype=np.float64) - np.trace(gram, dtype=np.float64)) / (n * (n - 1)))


def mmd2(x: F32, y: F32, sigma: float) -> float:
    """Unbiased squared discrepancy of two sets of at least two vectors each; may be slightly negative."""
    cross = float(np.mean(kernel(x, y, sigma), dtype=np.float64))
    return within(kernel(x, x, sigma)) + within(kernel(y, y, sigma)) - 2.0 * cross


@dataclass(frozen=True, slots=True)
class Pool:
    """The benign vectors that windows are compared with."""

    vectors: F32
    sigma: float
    """The median distance, from which the four widths come."""
    gram: F32
    inside: float
    """Mean of ``gram`` off its diagonal."""

    @classmethod
    def of(cls, vectors: F32) -> Pool:
        """A pool of at least two vectors."""
        sigma = bandwidth(vectors)
        gram = kernel(vectors, vectors, sigma)
        return cls(vectors, sigma, gram, within(gram))

    def nearness(self, points: F32) -> F64:
        """Mean kernel of each point with the pool."""
        out = np.empty(len(points), dtype=np.float64)
        for first in range(0, len(points), _BLOCK):
            block = points[first : first + _BLOCK]
            out[first : first + len(block)] = np.mean(kernel(block, self.vectors, self.sigma), axis=1)
        return out

    def discrepancy(self, window: F32) -> float:
        """Squared discrepancy of a window from the whole pool: `mmd2` of the two."""
        inside = within(kernel(window, window, self.sigma))
        return inside + self.inside - 2.0 * float(np.mean(self.nearness(window)))

    def null(self, length: int, seed: int, draws: int = NULL_DRAWS) -> Null:
        """Scores of ``draws`` pairs of disjoint windows of the pool; windows overlap where the pool is too small."""
        rng = np.random.default_rng([seed, length])
        n = len(self.vectors)
        if n >= 2 * length:
            both = [rng.choice(n, 2 * length, replace=False) for _ in range(draws)]
        else:
            both = [rng.choice(n, 2 * length) for _ in range(draws)]
        pairs = np.array(both, dtype=np.int64)
        first, second = pairs[:, :length], pairs[:, length:]
        scores = self._inside(first) + self._inside(second) - 2.0 * self._between(first, second) / length**2
        deviation = float(np.std(scores))
        return Null(float(np.mean(scores)), deviation or 1.0, float(np.percentile(scores, PERCENTILE)))

    def _inside(self, rows: I64) -> F64:
        """`within` of each window, given as rows of the pool."""
        length = rows.shape[1]
        own = np.diag(self.gram).astype(np.float64)[rows].sum(axis=1)
        return np.asarray((self._between(rows, rows) - own) / (length * (length - 1)))

    def _between(self, left: I64, right: I64) -> F64:
        """Sum of the kernel over all pairs of each two windows; by matrix products where windows are long."""
        if left.shape[1] <= SHORT:
            cells = (self.gram[np.ix_(a, b)] for a, b in zip(left, right, strict=True))
            return np.array([float(np.sum(c, dtype=np.float64)) for c in cells])
        n = len(self.vectors)
        times = [
            np.array([np.bincount(w, minlength=n) for w in side], dtype=np.float64) for side in (left, right)
        ]
        return np.asarray(np.sum((times[0] @ self.gram.astype(np.float64)) * times[1], axis=1))
