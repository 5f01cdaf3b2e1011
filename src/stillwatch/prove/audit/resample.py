"""Intervals and p-values of paired contrasts: one number for each item, independent between items.

Intervals never have width zero: two imagined items, half of each at either bound, are added before the mean and
its spread are taken (Agresti and Min, for any bounded contrast). p-values flip or permute what the null holds
exchangeable, and count the observed arrangement among the drawn ones, so that they are never zero.

References
----------
Agresti and Min, *Effects and non-effects of paired identical observations in comparing proportions with binary
matched-pairs data*, Statistics in Medicine 2004. Phipson and Smyth, *Permutation p-values should never be zero*, 2010.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from stillwatch.errors import ConfigError
from stillwatch.records.audit import AuditPart, Interval

Floats = NDArray[np.float64]
LEVEL = 0.95
DRAWS = 9_999
CHUNK = 500
SLACK = 1e-9
"""Sums in another order differ in their last bits; such arrangements count as reached."""


def contrasts(values: object, least: int = 2) -> Floats:
    """One finite number for each item, or an error that says what to do."""
    out = np.asarray(values, dtype=np.float64)
    if out.ndim != 1 or out.size < least or not np.isfinite(out).all():
        raise ConfigError(
            f"{out.shape} contrasts, or some that are not finite",
            hint=f"hand in one finite number for each item, of {least} items or more",
        )
    return out


def mean_interval(values: Floats, bound: float = 1.0, level: float = LEVEL) -> Interval:
    """Interval of a mean of contrasts within ``-bound`` and ``bound``.

    >>> one = mean_interval(np.zeros(50))
    >>> round(one.low, 3), round(one.high, 3)
    (-0.039, 0.039)
    """
    centre, error = _moments(values, bound)
    reach = float(special.stdtrit(values.size + 1, 0.5 + level / 2)) * error
    method = "Student's t with two imagined items at the bounds"
    return Interval(max(-bound, centre - reach), min(bound, centre + reach), level, method)


def mean_draws(values: Floats, rng: np.random.Generator, draws: int = DRAWS, bound: float = 1.0) -> Floats:
    """Draws of where the mean may lie, for carrying its error into a further figure."""
    centre, error = _moments(values, bound)
    return centre + error * rng.standard_t(values.size + 1, draws)


def _moments(values: Floats, bound: float) -> tuple[float, float]:
    if float(np.abs(values).max()) > bound + SLACK:
        raise ConfigError(f"a contrast beyond {bound}", hint="scores lie between 0 and 1")
    size = values.size + 2
    centre = float(values.sum()) / size
    spread = (float((values**2).sum()) + bound**2) / size - centre**2
    return centre, math.sqrt(spread / size)


def share_interval(hits: int, of: int, level: float = LEVEL) -> Interval:
    """Exact interval of a share (Clopper and Pearson); the whole range when there is nothing.

    >>> round(share_interval(0, 100).high, 4)
    0.0362
    """
    if of == 0:
        return Interval(0.0, 1.0, level, "nothing was counted")
    found = stats.binomtest(hits, of).proportion_ci(level, method="exact")
    return Interval(float(found.low), float(found.high), level, "Clopper-Pearson")


def share(name: str, hits: NDArray[np.bool_]) -> AuditPart:
    """A share with its interval, as a part of a result."""
    count, of = int(hits.sum()), int(hits.size)
    return AuditPart(name, count / of if of else float("nan"), share_interval(count, of), of)


def mean_part(name: str, values: Floats) -> AuditPart:
    """A mean of scores between 0 and 1, as a part of a result."""
    around = mean_interval(2.0 * values - 1.0)
    low, high = (around.low + 1) / 2, (around.high + 1) / 2
    return AuditPart(
        name, float(values.mean()), Interval(low, high, around.level, around.method), int(values.size)
    )


def sign_flip_p(values: Floats, seed: int, draws: int = DRAWS) -> float:
    """Two-sided p-value of a mean of zero, each contrast being as likely of either sign.

    >>> sign_flip_p(np.zeros(30), 1)
    1.0
    """
    rng, seen, reached = np.random.default_rng(seed), abs(float(values.sum())), 0
    for start in range(0, draws, CHUNK):
        signs = rng.integers(0, 2, (min(CHUNK, draws - start), values.size)) * 2 - 1
        reached += int((np.abs(signs @ values) >= seen - SLACK).sum())
    return (1 + reached) / (1 + draws)


def label_p(values: Floats, seed: int, draws: int = DRAWS) -> float:
    """Two-sided p-value of the first column's place among each row's columns, all being exchangeable in the null.

    Args:
        values: float64[items, 1 + others].
    """
    others = values.shape[1] - 1
    from_rest = values - (values.sum(axis=1, keepdims=True) - values) / others
    rng, seen, reached = np.random.default_rng(seed), abs(float(from_rest[:, 0].sum())), 0
    rows = np.arange(values.shape[0])
    for start in range(0, draws, CHUNK):
        columns = rng.integers(0, others + 1, (min(CHUNK, draws - start), values.shape[0]))
        reached += int((np.abs(from_rest[rows, columns].sum(axis=1)) >= seen - SLACK).sum())
    return (1 + reached) / (1 + draws)


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value of paired yes-or-no answers that differ.

    >>> mcnemar_p(0, 10) * 2**9
    1.0
    """
    either = only_first + only_second
    return float(stats.binomtest(only_first, either).pvalue) if either else 1.0
