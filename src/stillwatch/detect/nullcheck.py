"""The null, checked on the user's own data: shuffle which unit shows what, and count what is "found".

Values are permuted between units within each channel and the ends of events are drawn anew, so every real
link is gone while the frequencies stay. The mean e-value should be at most 1, one hub in a hundred at most
should reach 100, and a run should discover nothing more often than the stated rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats

from stillwatch.detect.baseline import Baseline
from stillwatch.detect.betting import e_bh
from stillwatch.detect.controller import test_hubs
from stillwatch.detect.run import Detection, Options, missing_fields
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import QueueTrait


def check_null(
    traffic: Traffic, detection: Detection, baseline: Baseline, options: Options, runs: int,
    tick: Callable[[float], None] = lambda _: None,
) -> dict[str, Any]:  # fmt: skip
    """Test the real hubs on shuffled channels ``runs`` times.

    Returns the mean e-value, the share of (hub, channel) e-values at 100 or more, both also by channel, the
    share of runs with any discovery with its 95% Clopper-Pearson upper bound, and the stated rate.
    """
    rng = np.random.default_rng(options.seed)
    found = 0
    per_channel: dict[str, tuple[float, int, int]] = {}
    total, high, n = 0.0, 0, 0
    for _ in range(runs):
        shuffled = {}
        for name, matrix in detection.matrices.items():
            if not matrix.trait.bets:
                continue
            order = rng.permutation(traffic.n_units)
            shuffled[name] = replace(matrix, codes=np.ascontiguousarray(matrix.codes[order]))
        pairs = [
            replace(
                p,
                giver=rng.integers(0, traffic.n_units, len(p.giver)).astype(np.int32),
                taker=rng.integers(0, traffic.n_units, len(p.taker)).astype(np.int32),
            )
            for p in detection.pairs
        ]
        queues = [
            (t, t.shuffled(traffic, detection.hubs, rng))
            for t in detection.traits
            if isinstance(t, QueueTrait) and t.shuffled and not missing_fields(t, traffic.present)
        ]
        tests = test_hubs(
            traffic, detection.hubs, shuffled, pairs, queues, baseline,
            kappa=options.kappa, alpha=options.alpha_controller, use_traffic=detection.use_traffic,
        )  # fmt: skip
        seen = ~np.isnan(tests.log10)
        values = np.where(seen, 10.0 ** np.minimum(np.nan_to_num(tests.log10), 300.0), 0.0)
        total += float(values.sum())
        high += int((values >= 100.0).sum())
        n += int(seen.sum())
        for c, channel in enumerate(tests.channels):
            s, h, k = per_channel.get(channel, (0.0, 0, 0))
            per_channel[channel] = (
                s + float(values[:, c].sum()), h + int((values[:, c] >= 100.0).sum()), k + int(seen[:, c].sum())
            )  # fmt: skip
        found += bool((e_bh(tests.select, options.alpha_controller) & tests.sourced).any())
        tick(1.0)
    return {
        "runs": runs,
        "hubs": len(detection.hubs),
        "mean_e_value": round(total / n, 4) if n else None,
        "share_at_100": round(high / n, 6) if n else None,
        "runs_with_discovery": found,
        "upper_95": round(float(stats.beta.ppf(0.95, found + 1, runs - found)), 4) if found < runs else 1.0,
        "stated_rate": options.alpha_controller,
        "by_channel": {
            channel: {"mean_e_value": round(s / k, 4), "share_at_100": round(h / k, 6)}
            for channel, (s, h, k) in sorted(per_channel.items())
            if k
        },
        "seed": options.seed,
    }
