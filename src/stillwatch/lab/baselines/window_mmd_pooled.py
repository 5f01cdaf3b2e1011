"""Window MMD over pooled traffic: the paper's own setting, windows of 1,500 consecutive exchanges of everybody.

A flagged window accuses traffic and names nobody. To make it comparable, an account is scored by the test's own
witness function at its prompts: how much nearer they lie to the window than to the reference. This attribution is ours;
the paper has none.

References
----------
As in `stillwatch.lab.baselines.mmd`; witness function: Gretton et al. (JMLR 2012), section 2.3.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.baselines.baseline import I64, Baseline, Result, one_each, result
from stillwatch.lab.baselines.frame import LogFrame
from stillwatch.lab.baselines.mmd import F64, PERCENTILE, Null, Pool, kernel, within
from stillwatch.lab.baselines.ngrams import embed
from stillwatch.lab.baselines.reference import has_prompt, reference_rows
from stillwatch.lab.baselines.window_mmd import LEAST_POOL, SEED

WINDOW = 1_500
"""Exchanges, as in the paper; a shorter log is one window."""
LEAST_WINDOW = 64
LIMIT = 150_000
"""Exchanges that are read: a draw without regard to content, at most a hundred windows."""
POOL = 3_000
"""Reference prompts: two disjoint windows."""
NULL_DRAWS = 200
"""The paper draws 1,000; at this length 200 cost seconds instead of minutes."""


def pooled_rows(frame: LogFrame) -> I64:
    """Rows with prompts in time order, thinned to `LIMIT`, cut to whole windows: shape ``(windows, length)``."""
    rows = np.flatnonzero(has_prompt(frame))
    rows = rows[np.argsort(frame.draw[rows], kind="stable")[:LIMIT]]
    rows = rows[np.lexsort((frame.draw[rows], frame.time_us[rows]))]
    length = min(WINDOW, len(rows))
    if length < LEAST_WINDOW:
        return np.zeros((0, LEAST_WINDOW), dtype=np.int64)
    number = len(rows) // length
    return rows[: number * length].reshape(number, length)


def _one_window(frame: LogFrame, rows: I64, pool: Pool, null: Null) -> tuple[F64, F64]:
    """Per exchange of a window: the witness, and whether it is beyond the reference; zeros in a window that passes."""
    points = embed(frame.prompt.take(rows))
    gram = kernel(points, points, pool.sigma)
    near = pool.nearness(points)
    if within(gram) + pool.inside - 2.0 * float(np.mean(near)) <= null.threshold:
        return np.zeros(len(rows)), np.zeros(len(rows))
    own = (np.sum(gram, axis=1, dtype=np.float64) - np.diag(gram)) / (len(rows) - 1)
    cross = np.mean(kernel(pool.vectors, points, pool.sigma), axis=1, dtype=np.float64)
    usual = cross - np.mean(pool.gram, axis=1, dtype=np.float64)
    witness = own - near
    return witness, (witness > np.percentile(usual, PERCENTILE)).astype(np.float64)


def run(frame: LogFrame) -> Result:
    """Score: the mean witness of the account's exchanges, 0 in windows that pass. Flags accounts with most of their
    exchanges beyond the 95th percentile of the reference in flagged windows."""
    size = len(frame.accounts)
    total, beyond, seen = np.zeros(size), np.zeros(size), np.zeros(size)
    reference = reference_rows(frame, POOL)
    windows = pooled_rows(frame)
    if len(reference) >= LEAST_POOL and len(windows):
        pool = Pool.of(embed(frame.prompt.take(reference)))
        null = pool.null(windows.shape[1], SEED, NULL_DRAWS)
        for rows in windows:
            witness, far = _one_window(frame, rows, pool, null)
            who = frame.account[rows]
            total += np.bincount(who, weights=witness, minlength=size)
            beyond += np.bincount(who, weights=far, minlength=size)
            seen += np.bincount(who, minlength=size)
    scores = total / np.maximum(seen, 1)
    flagged = (seen > 0) & (beyond > seen / 2)
    return result(
        scores,
        one_each(flagged, "prompts pull a flagged window away from the reference"),
        abstained=seen == 0,
        abstention="no exchange in a whole window",
    )


BASELINE = Baseline(
    id="window_mmd_pooled",
    title="Window MMD over pooled traffic",
    version="1",
    source="arXiv 2606.05725 (LabRAI/mmd-llm-mea-detection); attribution by the witness function is ours",
    needs=(),
    run=run,
)
