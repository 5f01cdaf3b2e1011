"""Shared templates: how many accounts send a prompt that begins with the same eight words, digits masked.

It counts and does not ask how common the wording is among honest people, so every popular product is found.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.baselines.baseline import I64, Baseline, Group, Result, result
from stillwatch.lab.baselines.exact_dedupe import spread
from stillwatch.lab.baselines.frame import LogFrame
from stillwatch.lab.baselines.graph import members

LEAST_ACCOUNTS = 10
"""Accounts that share a template, for each of them to be flagged."""


def run(frame: LogFrame) -> Result:
    """Score: accounts that share the account's most widely shared skeleton. Flags at 10; a group is the accounts whose
    most widely shared skeleton is the same."""
    size = len(frame.accounts)
    code, holders = spread(frame.account, frame.skeleton_key)
    scores, widest = np.zeros(size), np.full(size, -1, dtype=np.int64)
    order: I64 = np.lexsort((code, holders, frame.account))
    last = order[np.searchsorted(frame.account, np.arange(size), side="right") - 1]
    scores[:], widest[:] = holders[last], code[last]
    flagged = scores >= LEAST_ACCOUNTS
    return result(scores, [Group(g, "one template on many accounts") for g in members(widest, flagged, 1)])


BASELINE = Baseline(
    id="shared_template",
    title="Accounts that share a prompt template",
    version="1",
    source="common practice",
    needs=(),
    run=run,
)
