"""How many extractors stand above the honest accounts in a detector's order of suspicion.

The threshold is chosen on the honest accounts of the same world: as low as the false positive rate allows. With
``k`` false positives allowed, accounts strictly above the (k+1)-th highest honest account are flagged. Ties are
thereby taken against the detector: nobody tied with a honest account that must not be flagged is flagged. A
threshold that is an order statistic has a known error of its own: the true false positive rate lies below
``upper`` with 95 % confidence (it follows a Beta(k+1, n-k) distribution), whatever the scores mean.

A rate of 1e-4 needs 10,000 honest accounts before even one of them may be flagged. With fewer, the figure is not
extrapolated: it says that it cannot be measured.

References
----------
McClish: Analyzing a portion of the ROC curve (1989), for the partial area. David, Nagaraja: Order Statistics,
2.3, for the distribution of the rate above one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stillwatch.lab.scoring.rates import rate_of, upper_bound
from stillwatch.lab.scoring.run import Scores
from stillwatch.lab.scoring.truth import Flags

RATES = (1e-3, 1e-4, 1e-5)
"""False positive rates at which recall is reported."""
PARTIAL = 1e-3
"""Largest false positive rate of the partial area."""
RESAMPLES = 400


def recall_at(rate: float, scores: Scores, positive: Flags, honest: Flags) -> dict[str, Any]:
    """Recall at a false positive rate, or the reason why it cannot be measured.

    Args
    ----
    rate: false positive rate, in (0, 1).
    scores: float[accounts], higher is more suspicious; may be infinite, not NaN.
    positive, honest: bool[accounts]; accounts in neither count neither way.

    Returns
    -------
    ``measured``; when True, ``recall`` (a `Rate`), ``false_positives`` (a `Rate`) and ``threshold`` (flagged means
    strictly above; None for minus infinity); when False, ``why``.
    """
    n = int(honest.sum())
    if not positive.any():
        return {"rate": rate, "measured": False, "why": "this world has no extractors"}
    allowed = int(n * rate + 1e-9)
    if allowed < 1:
        need = round(1 / rate)
        return {
            "rate": rate, "measured": False,
            "why": f"{n:,} honest accounts are too few: {rate:g} of them is less than one; {need:,} are needed",
        }  # fmt: skip
    threshold = _threshold(scores[honest], allowed)
    found, wrong = int((scores[positive] > threshold).sum()), int((scores[honest] > threshold).sum())
    return {
        "rate": rate,
        "measured": True,
        "recall": rate_of(found, int(positive.sum())).row(),
        "false_positives": rate_of(wrong, n).row(),
        "rate_upper": upper_bound(allowed, n),
        "threshold": float(threshold) if np.isfinite(threshold) else None,
    }


def partial_area(scores: Scores, positive: Flags, honest: Flags, limit: float = PARTIAL) -> float | None:
    """Mean recall over false positive rates from 0 to ``limit``: 1 is perfect, ``limit`` / 2 is chance.

    Ties go against the detector. None when there are no extractors or fewer than 1 / ``limit`` honest accounts.

    >>> import numpy as np
    >>> honest = np.arange(1000) < 998
    >>> partial_area(np.where(honest, 0.0, 1.0), ~honest, honest, 0.01)
    1.0
    """
    n = int(honest.sum())
    if not positive.any() or n * limit < 1 - 1e-9:
        return None
    ones = np.ones(n)
    return _area(scores[positive], np.ones(int(positive.sum())), scores[honest], ones, limit)


def partial_area_interval(
    scores: Scores, positive: Flags, honest: Flags, clusters: Sequence[str | None], limit: float = PARTIAL,
    seed: int = 0,
) -> tuple[float, float] | None:  # fmt: skip
    """95 % percentile interval of `partial_area`: campaigns drawn again whole, honest accounts one by one.

    Accounts of one campaign stand or fall together, so that drawing them one by one would promise too much. None
    below two campaigns, since one says nothing about others, and None when every draw gives the same: drawing again
    what was never seen to vary is no evidence that it cannot.
    """
    if partial_area(scores, positive, honest, limit) is None:
        return None
    names = [c for c, p in zip(clusters, positive.tolist(), strict=True) if p]
    distinct = sorted({str(c) for c in names})
    if len(distinct) < 2:
        return None
    code = np.array([distinct.index(str(c)) for c in names])
    rng = np.random.default_rng([seed, len(names)])
    found, tail = scores[positive], _tail(scores[honest], limit)
    n = int(honest.sum())
    areas = []
    for _ in range(RESAMPLES):
        drawn = np.bincount(rng.integers(0, len(distinct), len(distinct)), minlength=len(distinct))
        weight = drawn[code].astype(np.float64)
        if weight.sum() == 0:
            continue
        areas.append(_area(found, weight, tail, rng.poisson(1.0, len(tail)).astype(np.float64), limit, n))
    low, high = np.quantile(areas, [0.025, 0.975])
    return (float(low), float(high)) if high > low else None


def ranking(scores: Scores, positive: Flags, honest: Flags, clusters: Sequence[str | None]) -> dict[str, Any]:
    """Recall at every rate of `RATES`, and the partial area with its interval."""
    area = partial_area(scores, positive, honest)
    interval = partial_area_interval(scores, positive, honest, clusters)
    return {
        "recall_at": [recall_at(rate, scores, positive, honest) for rate in RATES],
        "partial_auc": {
            "up_to": PARTIAL,
            "value": area,
            "low": interval[0] if interval else None,
            "high": interval[1] if interval else None,
        },
    }


def _threshold(honest: Scores, allowed: int) -> float:
    if allowed >= len(honest):
        return float(-np.inf)
    return float(np.partition(honest, len(honest) - allowed - 1)[len(honest) - allowed - 1])


def _tail(honest: Scores, limit: float) -> Scores:
    """The honest accounts that can matter below ``limit`` in any likely resample."""
    keep = int(len(honest) * limit)
    keep = min(len(honest), 4 * keep + 40)
    return np.sort(honest)[len(honest) - keep :]


def _area(
    found: Scores, found_weight: Scores, honest: Scores, weight: Scores, limit: float, n: int | None = None
) -> float:
    """Area under the stepwise curve; each honest account is one step of 1/n, and its ties are lost with it."""
    total = float(n if n is not None else len(honest))
    order = np.argsort(-honest, kind="stable")
    steps = np.cumsum(weight[order]) / total
    starts = np.concatenate([[0.0], steps])
    widths = np.diff(np.minimum(np.concatenate([starts, [max(limit, float(starts[-1]))]]), limit))
    levels = np.concatenate([honest[order], [-np.inf]])
    ranked = np.argsort(found, kind="stable")
    below = np.concatenate([[0.0], np.cumsum(found_weight[ranked])])
    above = below[-1] - below[np.searchsorted(found[ranked], levels, side="right")]
    above[-1] = below[-1]
    return float(np.dot(widths, above / below[-1]) / limit)


__all__ = ["PARTIAL", "RATES", "partial_area", "partial_area_interval", "ranking", "recall_at"]
