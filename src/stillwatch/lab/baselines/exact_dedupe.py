"""Exact duplicates: prompts that more than one account sent, letter for letter.

The cheapest cross-account check there is. It sees best-of-R requests dealt over accounts; a changed number in the
prompt hides it. Classes, benchmarks and public examples send the same prompts too.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.baselines.baseline import I64, U64, Baseline, Group, Result, result
from stillwatch.lab.baselines.frame import LogFrame
from stillwatch.lab.baselines.graph import components, members

LEAST_COMMON = 3
"""Prompts that two accounts have in common, for both to be flagged."""
PUBLIC_ABOVE = 20
"""A prompt of more accounts joins nobody: it is public, and pairs of its senders would be many."""


def spread(account: I64, key: U64) -> tuple[I64, I64]:
    """Per row: a small integer for its key (-1 for key 0), and the number of accounts with that key (0 for key 0).

    >>> spread(np.array([0, 1, 1, 2]), np.array([9, 9, 9, 0], dtype=np.uint64))
    (array([ 0,  0,  0, -1]), array([2, 2, 2, 0]))
    """
    code = np.full(len(key), -1, dtype=np.int64)
    holders = np.zeros(len(key), dtype=np.int64)
    known = key != 0
    if known.any():
        _, inverse = np.unique(key[known], return_inverse=True)
        code[known] = inverse.reshape(-1)
        width = int(account.max()) + 1
        pairs = np.unique(code[known] * width + account[known])
        holders[known] = np.bincount(pairs // width)[code[known]]
    return code, holders


def common_prompts(account: I64, code: I64, holders: I64, size: int) -> tuple[I64, I64, I64]:
    """Edges: smaller account, larger account, distinct prompts both sent, prompts of more than 20 accounts left out."""
    use = (holders >= 2) & (holders <= PUBLIC_ABOVE)
    width = max(size, 1)
    once = np.unique(code[use] * width + account[use])
    key, who = once // width, once % width
    pairs = []
    for lag in range(1, min(PUBLIC_ABOVE, len(once)) + 1):
        same = key[lag:] == key[:-lag]
        pairs.append(who[:-lag][same] * width + who[lag:][same])
    edge, number = np.unique(np.concatenate(pairs) if pairs else np.zeros(0, np.int64), return_counts=True)
    return edge // width, edge % width, number.astype(np.int64)


def run(frame: LogFrame) -> Result:
    """Score: exchanges of the account whose prompt another account sent too. Flags accounts that have at least three
    prompts in common with one other account; groups are the chains of such pairs."""
    size = len(frame.accounts)
    code, holders = spread(frame.account, frame.prompt_key)
    scores = np.bincount(frame.account[holders >= 2], minlength=size).astype(np.float64)
    left, right, number = common_prompts(frame.account, code, holders, size)
    enough = number >= LEAST_COMMON
    labels = components(size, left[enough], right[enough])
    flagged = np.zeros(size, dtype=np.bool_)
    flagged[left[enough]] = flagged[right[enough]] = True
    return result(
        scores, [Group(g, "the same prompts, letter for letter") for g in members(labels, flagged, 2)]
    )


BASELINE = Baseline(
    id="exact_dedupe",
    title="Exact prompt duplicates across accounts",
    version="1",
    source="common practice",
    needs=(),
    run=run,
)
