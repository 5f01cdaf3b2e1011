"""Nine features of one account's behaviour, as an anomaly detector would be given them today.

None looks at another account. A feature that cannot be computed is NaN and takes the median of the accounts where
it can; a feature that can be computed nowhere is 0 for everybody.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.baselines.baseline import F64, I64
from stillwatch.lab.baselines.frame import LogFrame
from stillwatch.lab.baselines.rate_limit import busiest

FEATURES = (
    "requests",
    "busiest_hour",
    "active_hours",
    "hour_entropy",
    "gap_cv",
    "addresses",
    "input_tokens",
    "output_tokens",
    "template_reuse",
)
"""Names of the columns: log(1+exchanges); log(1+most in an hour); share of the log's hours with an exchange; entropy of
the hour of day (bits); log(1+coefficient of variation of the gaps), from three gaps; log(1+distinct addresses); mean
log(1+tokens) in and out; share of exchanges that repeat one of the account's own skeletons."""
_HOUR_US = 3_600_000_000


def account_features(frame: LogFrame) -> F64:
    """Shape ``(accounts, 9)``; NaN where an account gives no value."""
    counts = frame.counts()
    hour = frame.time_us // _HOUR_US
    hours = int(hour.max() - hour.min()) + 1 if len(hour) else 1
    columns = [
        np.log1p(counts),
        np.log1p(busiest(frame, _HOUR_US)),
        _distinct(frame, hour - (hour.min() if len(hour) else 0)) / hours,
        _entropy(frame, hour % 24, 24),
        _gap_cv(frame),
        _addresses(frame),
        _mean(frame, np.log1p(np.maximum(frame.numbers("input_tokens"), 0.0))),
        _mean(frame, np.log1p(np.maximum(frame.numbers("output_tokens"), 0.0))),
        _reuse(frame),
    ]
    return np.column_stack(columns)


def filled(features: F64) -> F64:
    """Missing values replaced by the median of their column, or by 0.

    >>> filled(np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])).tolist()
    [[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]
    """
    out = features.copy()
    for j in range(out.shape[1]):
        known = ~np.isnan(out[:, j])
        out[~known, j] = np.median(out[known, j]) if known.any() else 0.0
    return out


def _distinct(frame: LogFrame, value: I64) -> F64:
    """Distinct values of 0 and above per account."""
    known = value >= 0
    width = int(value.max()) + 1 if len(value) else 1
    pairs = np.unique(frame.account[known] * max(width, 1) + value[known])
    return np.bincount(pairs // max(width, 1), minlength=len(frame.accounts)).astype(np.float64)


def _addresses(frame: LogFrame) -> F64:
    distinct = _distinct(frame, frame.codes("client_ip"))
    return np.where(distinct > 0, np.log1p(distinct), np.nan)


def _entropy(frame: LogFrame, value: I64, width: int) -> F64:
    table = np.bincount(frame.account * width + value, minlength=len(frame.accounts) * width)
    share = table.reshape(-1, width) / np.maximum(frame.counts(), 1)[:, None]
    bits: F64 = -np.sum(share * np.log2(np.where(share > 0, share, 1.0)), axis=1)
    return bits


def _mean(frame: LogFrame, value: F64) -> F64:
    known = ~np.isnan(value)
    size = len(frame.accounts)
    number = np.bincount(frame.account[known], minlength=size)
    total = np.bincount(frame.account[known], weights=value[known], minlength=size)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _gap_cv(frame: LogFrame) -> F64:
    same = frame.account[1:] == frame.account[:-1]
    gap = np.diff(frame.time_us)[same] / 1e6
    owner = frame.account[1:][same]
    size = len(frame.accounts)
    number = np.bincount(owner, minlength=size)
    mean = np.bincount(owner, weights=gap, minlength=size) / np.maximum(number, 1)
    square = np.bincount(owner, weights=(gap - mean[owner]) ** 2, minlength=size) / np.maximum(number, 1)
    usable = (number >= 3) & (mean > 0)
    return np.where(usable, np.log1p(np.sqrt(square) / np.where(mean > 0, mean, 1.0)), np.nan)


def _reuse(frame: LogFrame) -> F64:
    known = frame.skeleton_key != 0
    _, code = np.unique(frame.skeleton_key[known], return_inverse=True)
    value = np.full(len(known), -1, dtype=np.int64)
    value[known] = code.reshape(-1)
    number = np.bincount(frame.account[known], minlength=len(frame.accounts))
    return np.where(number > 0, 1.0 - _distinct(frame, value) / np.maximum(number, 1), np.nan)
