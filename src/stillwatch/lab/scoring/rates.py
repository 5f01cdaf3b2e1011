"""Shares and counts with their intervals. A rate without an interval is not reported anywhere in the laboratory.

References
----------
Wilson: Probable inference, the law of succession, and statistical inference (1927).
Clopper, Pearson: The use of confidence or fiducial limits illustrated in the case of the binomial (1934).
Garwood: Fiducial limits for the Poisson distribution (1936).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

from scipy.special import ndtri
from scipy.stats import beta, chi2


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of independent trials and where it may truly lie."""

    hits: int
    total: int
    share: float | None
    """None when nothing was tried."""
    low: float
    high: float
    """Two-sided Wilson interval at 95 %."""
    upper: float
    """One-sided Clopper-Pearson bound at 95 %: the figure to quote when ``hits`` is zero or nearly so."""

    def row(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "hits": self.hits, "total": self.total, "share": self.share, "low": self.low, "high": self.high,
            "upper": self.upper,
        }  # fmt: skip


def rate_of(hits: int, total: int) -> Rate:
    """`Rate` of ``hits`` in ``total``; with no trials the share is None and the interval is [0, 1].

    >>> rate_of(0, 1000).share, round(rate_of(0, 1000).upper, 4)
    (0.0, 0.003)
    """
    low, high = wilson(hits, total)
    return Rate(hits, total, hits / total if total else None, low, high, upper_bound(hits, total))


def wilson(hits: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided Wilson score interval of a share; [0, 1] when there were no trials.

    Args
    ----
    hits, total: counts, ``0 <= hits <= total``.
    confidence: in (0, 1).

    Raises
    ------
    ValueError: more hits than trials, or fewer than none.

    >>> tuple(round(x, 4) for x in wilson(8, 10))
    (0.4902, 0.9433)
    """
    _counts(hits, total)
    if total == 0:
        return 0.0, 1.0
    z = float(ndtri(0.5 + confidence / 2))
    share, slack = hits / total, z * z / total
    middle = (share + slack / 2) / (1 + slack)
    half = z / (1 + slack) * sqrt(share * (1 - share) / total + slack / (4 * total))
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    return low, 1.0 if hits == total else min(1.0, middle + half)


def clopper_pearson(hits: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided exact interval of a share; [0, 1] when there were no trials.

    >>> tuple(round(x, 4) for x in clopper_pearson(0, 10))
    (0.0, 0.3085)
    """
    _counts(hits, total)
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, total - hits + 1))
    high = 1.0 if hits == total else float(beta.ppf(1 - tail, hits + 1, total - hits))
    return low, high


def upper_bound(hits: int, total: int, confidence: float = 0.95) -> float:
    """One-sided Clopper-Pearson upper bound of a share; 1 when there were no trials.

    >>> round(upper_bound(0, 29_956), 6)
    0.0001
    """
    _counts(hits, total)
    return 1.0 if hits == total else float(beta.ppf(confidence, hits + 1, total - hits))


def poisson_interval(count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval (Garwood) of a Poisson mean.

    >>> tuple(round(x, 3) for x in poisson_interval(0))
    (0.0, 3.689)
    """
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else float(chi2.ppf(tail, 2 * count) / 2)
    return low, float(chi2.ppf(1 - tail, 2 * count + 2) / 2)


def _counts(hits: int, total: int) -> None:
    if not 0 <= hits <= total:
        raise ValueError(f"{hits} hits in {total} trials")
