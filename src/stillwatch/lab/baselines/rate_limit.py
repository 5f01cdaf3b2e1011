"""Rate limit: the most exchanges an account sends within an hour and within a day.

What every gateway has. It sees loud accounts; a campaign that spreads its load over more accounts passes below it,
and a batch customer does not.

References
----------
Elastic detection rule (pull request 6256, 2026): 500 calls of a principal to one model within 60 minutes.
honeypotllm 0.1.3, ``requests_per_day_threshold``: 5,000.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.baselines.baseline import I64, Baseline, Result, one_each, result
from stillwatch.lab.baselines.frame import LogFrame

PER_HOUR = 500
PER_DAY = 5_000
_HOUR_US = 3_600_000_000


def busiest(frame: LogFrame, span_us: int) -> I64:
    """Per account: the most exchanges in any half-open interval of this length that ends at an exchange."""
    most = np.zeros(len(frame.accounts), dtype=np.int64)
    starts = frame.starts()
    for a in range(len(frame.accounts)):
        times = frame.time_us[starts[a] : starts[a + 1]]
        first = np.searchsorted(times, times - span_us, side="right")
        most[a] = int((np.arange(1, len(times) + 1) - first).max())
    return most


def run(frame: LogFrame) -> Result:
    """Score: the larger of the two rates as a multiple of its limit. Flags at 1 or above."""
    scores = np.maximum(busiest(frame, _HOUR_US) / PER_HOUR, busiest(frame, 24 * _HOUR_US) / PER_DAY)
    reason = f"{PER_HOUR} exchanges in an hour or {PER_DAY} in a day, or more"
    return result(scores, one_each(scores >= 1.0, reason))


BASELINE = Baseline(
    id="rate_limit",
    title="Rate limit per account",
    version="1",
    source="Elastic detection rule #6256 (500 an hour); honeypotllm 0.1.3 (5,000 a day)",
    needs=(),
    run=run,
)
