"""Tail probabilities in log space, exact far beyond what a float can hold, and corrections for many tests.

Everything is a natural logarithm; records carry base 10. A z-score is never turned into a p-value here: counts
have a binomial tail, Gumbel scores a gamma tail, ranks the tail of their own convolution.

References
----------
Holm, *A simple sequentially rejective multiple test procedure* (1979). Lentz, *Generating Bessel functions in
Mie scattering calculations using continued fractions* (1976), for the incomplete gamma function.

Examples
--------
>>> round(log_sf_binomial(900, 1000, 0.25) / LN10, 1)
-414.5
>>> round(log_sf_gamma(3000.0, 1000) / LN10, 1)
-393.7
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

LN10 = math.log(10.0)
_FAR = -600.0
"""Below this, library tails underflow and the series here take over."""


def log_sf_binomial(successes: int, trials: int, probability: float) -> float:
    """log P[Binomial(trials, probability) >= successes].

    >>> log_sf_binomial(0, 10, 0.5), round(math.exp(log_sf_binomial(10, 10, 0.5)) * 1024, 6)
    (0.0, 1.0)
    """
    if successes <= 0:
        return 0.0
    if successes > trials:
        return -math.inf
    near = float(special.bdtrc(successes - 1, trials, probability))
    if near > 0.0 and math.log(near) > _FAR:
        return min(0.0, math.log(near))
    first = (
        math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(trials - successes + 1)
        + successes * math.log(probability) + (trials - successes) * math.log1p(-probability)
    )  # fmt: skip
    odds = probability / (1.0 - probability)
    term = total = 1.0
    for count in range(successes, trials):
        term *= (trials - count) / (count + 1) * odds
        total += term
        if term < total * 1e-17:
            break
    return min(0.0, first + math.log(total))


def log_sf_gamma(score: float, shape: int | float) -> float:
    """log P[Gamma(shape, 1) >= score].

    >>> round(log_sf_gamma(5.0, 1), 12), log_sf_gamma(-1.0, 3)
    (-5.0, 0.0)
    """
    if score <= 0.0 or shape <= 0:
        return 0.0
    near = float(special.gammaincc(shape, score))
    if near > 0.0 and math.log(near) > _FAR:
        return min(0.0, math.log(near))
    tiny = 1e-300
    b = score + 1.0 - shape
    c = 1.0 / tiny
    d = 1.0 / (b if b != 0.0 else tiny)
    h = d
    for i in range(1, 100_000):
        a = -i * (i - shape)
        b += 2.0
        d = a * d + b
        d = tiny if abs(d) < tiny else d
        c = b + a / c
        c = tiny if abs(c) < tiny else c
        d = 1.0 / d
        step = d * c
        h *= step
        if abs(step - 1.0) < 1e-15:
            break
    return min(0.0, -score + shape * math.log(score) - math.lgamma(shape) + math.log(h))


def log_sf_two_gammas(score: float, shape: int, first: float, second: float) -> float:
    """log P[first * X + second * Y >= score] for independent X, Y ~ Gamma(shape, 1).

    The engines' dual-key detectors match two moments instead. Here the convolution is integrated over where X
    can be, in log space, on Gauss-Legendre panels around its largest term.

    >>> a, b, s = 0.9, 0.1, 3.0   # shape 1 has a closed form
    >>> exact = (a * math.exp(-s / a) - b * math.exp(-s / b)) / (a - b)
    >>> abs(log_sf_two_gammas(s, 1, a, b) - math.log(exact)) < 1e-9
    True
    """
    if score <= 0.0 or shape <= 0:
        return 0.0
    if min(first, second) == 0.0 or first == second:
        scale = max(first, second)
        return log_sf_gamma(score / scale, shape * (2 if first == second else 1))
    a, b = max(first, second), min(first, second)
    edge = score / a
    whole = log_sf_gamma(edge, shape)
    nodes, weights = np.polynomial.legendre.leggauss(40)

    def log_terms(x: NDArray[np.float64]) -> NDArray[np.float64]:
        rest = np.array([log_sf_gamma((score - a * v) / b, shape) for v in x])
        return np.asarray((shape - 1) * np.log(x) - x - math.lgamma(shape) + rest)

    grid = np.linspace(edge * 1e-9, edge * (1 - 1e-12), 201)
    height = log_terms(grid)
    peak = float(height.max())
    inside = np.flatnonzero(height > peak - 60.0)
    low, high = grid[max(0, inside[0] - 1)], grid[min(200, inside[-1] + 1)]
    panels = np.linspace(low, high, 13)
    half = np.diff(panels) / 2.0
    x = (panels[:-1] + half)[:, None] + half[:, None] * nodes[None, :]
    mass = log_terms(x.ravel()) + np.log((half[:, None] * weights[None, :]).ravel())
    return min(0.0, float(np.logaddexp(whole, special.logsumexp(mass))))


def log_cdf_rank_sum(total: int, sizes: NDArray[np.int64]) -> float:
    """log P[sum of ranks <= total], rank i uniform on 0..sizes[i]-1, by tilted convolution.

    The distribution is tilted until ``total`` is its mean, convolved by FFT there, and tilted back: the result
    keeps its relative accuracy at 10^-300 as at one half.

    >>> round(math.exp(log_cdf_rank_sum(0, np.array([7] * 10))) * 7**10, 6)
    1.0
    """
    sizes = np.asarray(sizes, dtype=np.int64)
    top = int((sizes - 1).sum())
    if total >= top:
        return 0.0
    if total < 0:
        return -math.inf
    kinds, counts = np.unique(sizes, return_counts=True)

    def cumulants(theta: float) -> tuple[float, float]:
        log_norm = mean = 0.0
        for size, count in zip(kinds.tolist(), counts.tolist(), strict=True):
            odds = np.exp(np.arange(size) * theta)
            whole = float(odds.sum())
            log_norm += count * math.log(whole / size)
            mean += count * float(np.arange(size) @ odds) / whole
        return log_norm, mean

    low, high = -60.0, 0.0
    if cumulants(0.0)[1] > total:
        for _ in range(60):
            middle = (low + high) / 2.0
            low, high = (middle, high) if cumulants(middle)[1] < total else (low, middle)
    theta = high if high < 0.0 else 0.0
    log_norm = cumulants(theta)[0]
    length = top + 1
    spectrum = np.ones(length // 2 + 1, dtype=np.complex128)
    for size, count in zip(kinds.tolist(), counts.tolist(), strict=True):
        odds = np.exp(np.arange(size) * theta)
        spectrum *= np.fft.rfft(odds / odds.sum(), length) ** count
    tilted = np.clip(np.fft.irfft(spectrum, length)[: total + 1], 0.0, None)
    back = np.exp(theta * (total - np.arange(total + 1)))
    return min(0.0, math.log(float((tilted * back).sum())) + log_norm - theta * total)


def holm(log_p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm-adjusted p-values, logarithms in and out: valid whatever the dependence.

    >>> np.round(np.exp(holm(np.log([0.01, 0.04, 0.03]))), 3).tolist()
    [0.03, 0.06, 0.06]
    """
    log_p = np.asarray(log_p, dtype=np.float64)
    order = np.argsort(log_p, kind="stable")
    steps = log_p[order] + np.log(np.arange(log_p.size, 0, -1))
    adjusted = np.empty_like(log_p)
    adjusted[order] = np.minimum(0.0, np.maximum.accumulate(steps))
    return adjusted


def standardise(log_p: float) -> float:
    """The z-score that a normal variable would need for this upper tail: for reading, never for deciding.

    >>> round(standardise(math.log(0.0227501319)), 3)
    2.0
    """
    return -math.inf if log_p > -1e-16 else float(-special.ndtri_exp(log_p))
