"""Co-action network: pairs of accounts that repeatedly send the same prompt skeleton within a minute.

Edges count joint actions; repeated edges heavier than the median edge remain, and their components are the groups. It
sees queues that deal one template over accounts at once; slow campaigns and varied wording leave no edges, and
popular products do.

References
----------
Giglietto et al.: It takes a village to manipulate the media (2020); CooRTweet 2.1.2, ``detect_groups`` and
``generate_coordinated_network`` (``edge_weight`` 0.5).
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.baselines.baseline import I64, Baseline, Group, Result, result
from stillwatch.lab.baselines.frame import LogFrame
from stillwatch.lab.baselines.graph import components, members

WINDOW_US = 60_000_000
"""Time between two joint actions; CooRTweet's default of 10 s is for social media."""
NEIGHBOURS = 10
"""Later exchanges with the same skeleton that one exchange is paired with: keeps the number of pairs linear."""
PERCENTILE = 0.5
"""Of the weights of all edges, CooRTweet's default; heavier edges remain."""
LEAST_WEIGHT = 2
"""Once is chance."""


def joint_actions(frame: LogFrame) -> tuple[I64, I64, I64]:
    """Edges: smaller account, larger account, number of joint actions."""
    rows = np.flatnonzero(frame.skeleton_key != 0)
    rows = rows[np.lexsort((rows, frame.time_us[rows], frame.skeleton_key[rows]))]
    key, time, who = frame.skeleton_key[rows], frame.time_us[rows], frame.account[rows]
    size = max(len(frame.accounts), 1)
    pairs = []
    for lag in range(1, min(NEIGHBOURS, len(rows) - 1) + 1):
        near = (key[lag:] == key[:-lag]) & (time[lag:] - time[:-lag] <= WINDOW_US) & (who[lag:] != who[:-lag])
        a, b = who[:-lag][near], who[lag:][near]
        pairs.append(np.minimum(a, b) * size + np.maximum(a, b))
    edge, weight = np.unique(np.concatenate(pairs) if pairs else np.zeros(0, np.int64), return_counts=True)
    return edge // size, edge % size, weight.astype(np.int64)


def run(frame: LogFrame) -> Result:
    """Score: the sum of the account's repeated edges. Flags accounts with an edge heavier than the median edge."""
    size = len(frame.accounts)
    left, right, weight = joint_actions(frame)
    if len(weight) == 0:
        return result(np.zeros(size), ())
    heavy = (weight >= LEAST_WEIGHT) & (weight > np.quantile(weight, PERCENTILE))
    repeated = weight >= LEAST_WEIGHT
    both = np.concatenate([left[repeated], right[repeated]])
    scores = np.bincount(both, weights=np.tile(weight[repeated], 2), minlength=size).astype(np.float64)
    labels = components(size, left[heavy], right[heavy])
    flagged = np.zeros(size, dtype=np.bool_)
    flagged[left[heavy]] = flagged[right[heavy]] = True
    reason = "the same skeletons within a minute, again and again"
    return result(scores, [Group(g, reason) for g in members(labels, flagged, 2)])


BASELINE = Baseline(
    id="cooccurrence",
    title="Co-action network of prompt skeletons",
    version="1",
    source="CooRTweet 2.1.2 (Righetti, Balluff); Giglietto et al. (2020)",
    needs=(),
    run=run,
)
