"""Similar pairs within an account: the idea of SEAT, with hashed n-grams for its trained encoder.

An account that varies one query many times has many near pairs. So has everybody who works through records with one
instruction.

References
----------
Zhang, Chen, Wagner: SEAT: similarity encoder by adversarial training for detecting model extraction attack queries
(AISec 2021). Text adaptation after LabRAI/mmd-llm-mea-detection: a pair is similar above the 99th percentile of benign
pairs, an account is flagged above the 95th percentile of benign windows.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.baselines.baseline import F64, Baseline, Result, one_each, result
from stillwatch.lab.baselines.frame import LogFrame
from stillwatch.lab.baselines.mmd import F32
from stillwatch.lab.baselines.ngrams import embed
from stillwatch.lab.baselines.reference import SIZES, Windows, account_windows, reference_rows

SEED = 11
POOL = 2_000
LEAST_POOL = 32
PAIR_PERCENTILE = 99.0
WINDOW_PERCENTILE = 95.0
NULL_DRAWS = 1_000
_BATCH = 256


def similar_share(vectors: F32, threshold: float) -> float:
    """Share of the pairs of unit vectors with a cosine of the threshold or more.

    >>> similar_share(np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32), 0.9)
    0.3333333333333333
    """
    return _share(vectors @ vectors.T, threshold)


def _share(cosine: F32, threshold: float) -> float:
    n = len(cosine)
    upper = np.triu_indices(n, 1)
    return float(np.mean(cosine[upper] >= np.float32(threshold)))


def _shares(frame: LogFrame, windows: Windows, threshold: float) -> F64:
    out = []
    for first in range(0, len(windows.accounts), _BATCH):
        rows = windows.rows[first : first + _BATCH]
        points = embed(frame.prompt.take(rows.ravel()))
        out += [similar_share(part, threshold) for part in np.split(points, len(rows))]
    return np.array(out)


def run(frame: LogFrame) -> Result:
    """Score: the share of similar pairs among up to 128 prompts of the account. Flags above the 95th percentile of
    equally long windows of the reference."""
    size = len(frame.accounts)
    scores, flagged, judged = np.zeros(size), np.zeros(size, dtype=np.bool_), np.zeros(size, dtype=np.bool_)
    reference = reference_rows(frame, POOL)
    if len(reference) >= LEAST_POOL:
        pool = embed(frame.prompt.take(reference))
        cosine = pool @ pool.T
        threshold = float(np.percentile(cosine[np.triu_indices(len(pool), 1)], PAIR_PERCENTILE))
        for windows in account_windows(frame):
            length = windows.rows.shape[1]
            rng = np.random.default_rng([SEED, length])
            null = np.empty(NULL_DRAWS)
            for i in range(NULL_DRAWS):
                drawn = np.asarray(rng.choice(len(pool), length, replace=len(pool) < length), dtype=np.int64)
                null[i] = _share(cosine[np.ix_(drawn, drawn)], threshold)
            limit = float(np.percentile(null, WINDOW_PERCENTILE))
            found = _shares(frame, windows, threshold)
            scores[windows.accounts] = found
            flagged[windows.accounts] = found > limit
            judged[windows.accounts] = True
    return result(
        scores,
        one_each(flagged, "more near pairs of prompts than accounts with tenure have"),
        abstained=~judged,
        abstention=f"fewer than {SIZES[0]} prompts",
    )


BASELINE = Baseline(
    id="seat",
    title="Similar pairs within an account (SEAT-like)",
    version="1",
    source="Zhang, Chen, Wagner (AISec 2021), text adaptation of arXiv 2606.05725",
    needs=(),
    run=run,
)
