"""Isolation forest over nine features of one account: the anomaly detector most teams would try first.

References
----------
Liu, Ting, Zhou: Isolation forest (ICDM 2008); scikit-learn ``IsolationForest``.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.baselines.baseline import Baseline, Result, one_each, result
from stillwatch.lab.baselines.features import account_features, filled
from stillwatch.lab.baselines.frame import LogFrame
from stillwatch.lab.baselines.libraries import library

SEED = 11
LEAST_ACCOUNTS = 2


def run(frame: LogFrame) -> Result:
    """Score: the library's anomaly score, 0 to 1. Flags what the library's own ``contamination="auto"`` calls an
    outlier: above 0.5."""
    forest = library("sklearn.ensemble").IsolationForest(random_state=SEED, contamination="auto")
    size = len(frame.accounts)
    if size < LEAST_ACCOUNTS:
        return result(
            np.zeros(size), (), abstained=np.ones(size, dtype=np.bool_), abstention="too few accounts"
        )
    features = filled(account_features(frame))
    forest.fit(features)
    scores = -np.asarray(forest.score_samples(features), dtype=np.float64)
    return result(scores, one_each(np.asarray(forest.predict(features)) < 0, "isolated early by the forest"))


BASELINE = Baseline(
    id="isolation_forest",
    title="Isolation forest on account features",
    version="1",
    source="Liu, Ting, Zhou (ICDM 2008); scikit-learn IsolationForest",
    needs=("scikit-learn",),
    run=run,
)
