"""ECOD over nine features of one account: how far out in the tails it lies, feature by feature.

References
----------
Li et al.: ECOD: unsupervised outlier detection using empirical cumulative distribution functions (TKDE 2022);
PyOD ``ECOD``.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.baselines.baseline import Baseline, Result, one_each, result
from stillwatch.lab.baselines.features import account_features, filled
from stillwatch.lab.baselines.frame import LogFrame
from stillwatch.lab.baselines.libraries import library

LEAST_ACCOUNTS = 3


def run(frame: LogFrame) -> Result:
    """Score: the library's outlier score, 0 and above. Flags the library's default tenth of all accounts.

    A feature with one value only says nothing (its tail probability is one) and is left out; the skewness of a
    constant is undefined.
    """
    model = library("pyod.models.ecod").ECOD()
    size = len(frame.accounts)
    features = filled(account_features(frame))
    features = features[:, np.ptp(features, axis=0) > 0] if size else features
    if size < LEAST_ACCOUNTS or features.shape[1] == 0:
        return result(
            np.zeros(size),
            (),
            abstained=np.ones(size, dtype=np.bool_),
            abstention="too few different accounts",
        )
    model.fit(features)
    scores = np.asarray(model.decision_scores_, dtype=np.float64)
    return result(scores, one_each(np.asarray(model.labels_) == 1, "in the outermost tenth of accounts"))


BASELINE = Baseline(
    id="ecod",
    title="ECOD on account features",
    version="1",
    source="Li et al. (TKDE 2022); PyOD ECOD",
    needs=("pyod",),
    run=run,
)
