"""What stands for ordinary traffic: prompts of accounts with tenure, and equally long windows of each account.

No truth is read. An account with tenure was created 90 days before the log begins or earlier and is neither suspended
nor banned. A campaign with aged accounts poisons this reference, as it would a real one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from stillwatch.lab.baselines.baseline import I64, Bools
from stillwatch.lab.baselines.frame import LogFrame

TENURE_US = 90 * 86_400_000_000
PER_ACCOUNT = 20
"""Prompts one account gives to the reference, so that no customer is the reference."""
LEAST_PROMPTS = 200
"""With fewer prompts of tenured accounts the reference is taken from all accounts."""
SIZES = (16, 32, 64, 128)
"""Window lengths; an account is judged on the longest that it fills."""


def has_prompt(frame: LogFrame) -> Bools:
    """Per exchange: it has a prompt that is not white space."""
    text = pc.fill_null(pc.utf8_trim_whitespace(frame.prompt), "")
    return np.asarray(pc.not_equal(text, "").to_numpy(zero_copy_only=False), dtype=np.bool_)


def tenured(frame: LogFrame) -> Bools:
    """Per account: created long ago, in good standing; False where the account table does not say."""
    created = frame.people["created_at"].cast("int64").to_numpy(zero_copy_only=False)
    created = np.asarray(created, dtype=np.float64)
    begin = float(frame.time_us.min()) if len(frame.time_us) else 0.0
    status = frame.people["status"].to_pylist()
    standing = np.array([s not in ("suspended", "banned") for s in status], dtype=np.bool_)
    return np.asarray((created <= begin - TENURE_US) & standing, dtype=np.bool_)


def reference_rows(frame: LogFrame, limit: int) -> I64:
    """At most ``limit`` rows with prompts, at most 20 of one account, drawn without regard to content."""
    rows = frame.sample(PER_ACCOUNT)
    rows = rows[has_prompt(frame)[rows]]
    old = rows[tenured(frame)[frame.account[rows]]]
    if len(old) >= LEAST_PROMPTS:
        rows = old
    return np.sort(rows[np.argsort(frame.draw[rows], kind="stable")[:limit]])


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one length: which accounts, and which rows each gives."""

    accounts: I64
    rows: I64
    """Shape ``(accounts, length)``."""


def account_windows(frame: LogFrame) -> list[Windows]:
    """Each account with 16 prompts or more once, in the windows of the longest length it fills."""
    rows = np.flatnonzero(has_prompt(frame))
    rows = rows[np.lexsort((frame.draw[rows], frame.account[rows]))]
    number = np.bincount(frame.account[rows], minlength=len(frame.accounts))
    first = np.concatenate([[0], np.cumsum(number)])
    found = []
    for i, length in enumerate(SIZES):
        above = SIZES[i + 1] if i + 1 < len(SIZES) else np.inf
        chosen = np.flatnonzero((number >= length) & (number < above))
        if len(chosen):
            found.append(Windows(chosen, rows[first[chosen][:, None] + np.arange(length)]))
    return found
