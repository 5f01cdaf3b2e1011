"""One-token e-process: is the endpoint still the model it is called? Look after every answer, stop when you like.

On each prompt one token is read from the endpoint and one from the reference. If both are the same model, the two
are exchangeable: whatever was learnt from earlier pairs, guessing which is which is a fair bet. The bettor's wealth
is an e-process: the chance that it ever reaches 1 / alpha under the null is at most alpha.

This is *identity of a deployment*, not lineage: it says nothing about training.

*Looks alike*: other sampling settings, another quantisation, a safety filter, a system prompt.

References
----------
Ville's inequality; Waudby-Smith and Ramdas, *Estimating means of bounded random variables by betting* (2023). One-token
probing after *One token is enough*, arXiv 2607.10252; the exchangeable bet is ours.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

STAKES = np.array([0.05, 0.2, 0.6])
"""Shares of the wealth put on each bet; the e-value is their average."""


@dataclass(frozen=True, slots=True)
class Identity:
    """How an endpoint's answers compare with the reference's."""

    pairs: int
    log10_e_value: float
    """Largest so far; above -log10 alpha = another model."""
    rejected_at: int | None
    """After how many pairs it crossed 1 / alpha; None = it did not."""
    alpha: float
    looks_alike: tuple[str, ...] = (
        "other sampling settings", "another quantisation", "a safety filter", "a system prompt",
    )  # fmt: skip


def endpoint_identity(pairs: Iterable[tuple[str, int, int]], alpha: float = 0.01) -> Identity:
    """Bet along (prompt, reference's token, endpoint's token).

    >>> different = [("p", i % 2, 5) for i in range(60)]
    >>> endpoint_identity(different).rejected_at is not None
    True
    >>> endpoint_identity([("p", i % 3, i % 3) for i in range(60)]).log10_e_value
    0.0
    """
    seen: dict[tuple[str, int], list[float]] = defaultdict(lambda: [0.5, 0.5])
    wealth = np.zeros(STAKES.size)
    best, crossed, count = 0.0, None, 0
    for count, (prompt, reference, endpoint) in enumerate(pairs, start=1):
        belief = _odds(seen[prompt, endpoint]) - _odds(seen[prompt, reference])
        outcome = math.tanh(belief)
        wealth += np.log1p(STAKES * outcome)
        now = float(np.logaddexp.reduce(wealth)) - math.log(STAKES.size)
        best = max(best, now)
        if crossed is None and now >= -math.log(alpha):
            crossed = count
        seen[prompt, reference][0] += 1.0
        seen[prompt, endpoint][1] += 1.0
    return Identity(count, best / math.log(10), crossed, alpha)


def _odds(counts: list[float]) -> float:
    """Log odds that a token came from the endpoint."""
    return math.log(counts[1] / counts[0])
