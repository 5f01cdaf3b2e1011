"""Window MMD, one account at a time: are this account's prompts distributed like those of ordinary accounts?

Differences from the paper: hashed n-grams stand for the sentence encoder; a window is one account's 16 to 128 prompts,
not 1,500 (the median account of a world sends fewer than a hundred); each length has its own null. Real customers
differ from the pooled traffic as a rule, so the published threshold flags most of the busy ones.

References
----------
As in `stillwatch.lab.baselines.mmd`.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.baselines.baseline import Baseline, Result, one_each, result
from stillwatch.lab.baselines.frame import LogFrame
from stillwatch.lab.baselines.mmd import F64, Pool, kernel, within
from stillwatch.lab.baselines.ngrams import embed
from stillwatch.lab.baselines.reference import SIZES, Windows, account_windows, reference_rows

SEED = 11
POOL = 2_000
"""Reference prompts."""
LEAST_POOL = 32
"""With a smaller reference nobody is judged."""
_BATCH = 256


def window_scores(frame: LogFrame, windows: Windows, pool: Pool) -> F64:
    """Squared discrepancy of each window from the pool."""
    out = np.empty(len(windows.accounts))
    length = windows.rows.shape[1]
    for first in range(0, len(out), _BATCH):
        rows = windows.rows[first : first + _BATCH]
        points = embed(frame.prompt.take(rows.ravel()))
        near = pool.nearness(points).reshape(len(rows), length).mean(axis=1)
        parts = np.split(points, len(rows))
        inside = [within(kernel(part, part, pool.sigma)) for part in parts]
        out[first : first + len(rows)] = np.array(inside) + pool.inside - 2.0 * near
    return out


def run(frame: LogFrame) -> Result:
    """Score: the discrepancy in standard deviations of the benign null of the same length. Flags above the 95th
    percentile of that null."""
    size = len(frame.accounts)
    scores, flagged, judged = np.zeros(size), np.zeros(size, dtype=np.bool_), np.zeros(size, dtype=np.bool_)
    reference = reference_rows(frame, POOL)
    if len(reference) >= LEAST_POOL:
        pool = Pool.of(embed(frame.prompt.take(reference)))
        for windows in account_windows(frame):
            null = pool.null(windows.rows.shape[1], SEED)
            found = window_scores(frame, windows, pool)
            scores[windows.accounts] = (found - null.mean) / null.deviation
            flagged[windows.accounts] = found > null.threshold
            judged[windows.accounts] = True
    return result(
        scores,
        one_each(flagged, "prompts distributed unlike those of accounts with tenure"),
        abstained=~judged,
        abstention=f"fewer than {SIZES[0]} prompts",
    )


BASELINE = Baseline(
    id="window_mmd",
    title="Window MMD per account",
    version="1",
    source="arXiv 2606.05725 (LabRAI/mmd-llm-mea-detection)",
    needs=(),
    run=run,
)
