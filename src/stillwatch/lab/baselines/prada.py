"""PRADA on text: are an account's smallest distances between queries normally distributed?

Each query's distance to the nearest earlier member of a growing set is noted; the set takes a query that is farther
away than the mean less one standard deviation of its members' distances. Distances beyond three deviations are dropped,
and the Shapiro-Wilk statistic W of more than a hundred of them is compared with a threshold.

Adaptation: hashed n-gram vectors for pixels, one class instead of the model's predicted classes, at most 300 prompts of
an account in time order. Text is rarely normal, so honest accounts fall below the threshold too: published
re-runs on text find as many honest as attacking accounts.

References
----------
Juuti, Szyller, Marchal, Asokan: PRADA: protecting against DNN model stealing attacks, arXiv 1805.02628, section 5;
reference code SSGAalto/prada-protecting-against-dnn-model-stealing-attacks (threshold 0.9, more than 100 distances).
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from scipy.stats import shapiro

from stillwatch.lab.baselines.baseline import F64, Baseline, Result, one_each, result
from stillwatch.lab.baselines.frame import LogFrame
from stillwatch.lab.baselines.mmd import F32
from stillwatch.lab.baselines.ngrams import embed
from stillwatch.lab.baselines.reference import has_prompt

THRESHOLD = 0.9
"""W below it is an attack."""
LEAST_DISTANCES = 101
PROMPTS = 300
"""Of one account, drawn without regard to content."""
OUTLIER_DEVIATIONS = 3.0


def nearest_distances(vectors: F32) -> F64:
    """Distance of each query after the first to the growing set before it: shape ``(len(vectors) - 1,)``."""
    n = len(vectors)
    squares = np.sum(vectors * vectors, axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2.0 * (vectors @ vectors.T), 0.0))
    out = np.empty(max(n - 1, 0))
    inside = np.zeros(n, dtype=np.bool_)
    inside[:1] = True
    number, total, squared, threshold = 1, 0.0, 0.0, 0.0
    for i in range(1, n):
        nearest = float(distance[i, :i][inside[:i]].min())
        out[i - 1] = nearest
        if nearest > threshold:
            inside[i] = True
            number, total, squared = number + 1, total + nearest, squared + nearest**2
            mean = total / number
            threshold = max(threshold, mean - sqrt(max(squared / number - mean**2, 0.0)))
    return out


def shapiro_w(distances: F64) -> float | None:
    """W without the outliers, 0 to 1; None if 100 distances or fewer remain; 1 if all are equal.

    >>> shapiro_w(np.arange(100.0)) is None
    True
    """
    spread = OUTLIER_DEVIATIONS * np.std(distances)
    kept = distances[np.abs(distances - np.mean(distances)) <= spread] if len(distances) else distances
    if len(kept) < LEAST_DISTANCES:
        return None
    if np.ptp(kept) < 1e-9:
        return 1.0
    return float(shapiro(kept).statistic)


def run(frame: LogFrame) -> Result:
    """Score: 1 - W, 0 where not judged. Flags W below 0.9."""
    size = len(frame.accounts)
    scores, judged = np.zeros(size), np.zeros(size, dtype=np.bool_)
    rows = frame.sample(PROMPTS)
    rows = rows[has_prompt(frame)[rows]]
    bounds = np.searchsorted(frame.account[rows], np.arange(size + 1))
    for a in np.flatnonzero(np.diff(bounds) > LEAST_DISTANCES):
        texts = frame.prompt.take(rows[bounds[a] : bounds[a + 1]])
        w = shapiro_w(nearest_distances(embed(texts)))
        if w is not None:
            scores[a], judged[a] = 1.0 - w, True
    flagged = judged & (scores > 1.0 - THRESHOLD)
    return result(
        scores,
        one_each(flagged, "smallest distances between prompts are not normally distributed"),
        abstained=~judged,
        abstention="100 distances between prompts or fewer",
    )


BASELINE = Baseline(
    id="prada",
    title="PRADA on text",
    version="1",
    source="arXiv 1805.02628; SSGAalto reference code",
    needs=(),
    run=run,
)
