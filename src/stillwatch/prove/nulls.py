"""Random keys: what a test says when nobody can have been served under the key.

The exact p-value assumes a perfect keyed function and distinct inputs. Both are checked on the very material of
the test: hundreds of keys that were never issued are tried on it. If their p-values are not uniform, or more of
them reach the observed statistic than its p-value allows, the test is *invalid* and says nothing.

Keys come from BLAKE2b in counter mode, 64 full bits each. Consecutive whole numbers are not keys: engines' mixers
are not cryptographic, and neighbouring keys made nulls too wide or too narrow.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
from scipy import special, stats

from stillwatch.errors import ConfigError
from stillwatch.prove.laws import Floats
from stillwatch.prove.marks.mark import Keys
from stillwatch.records.claim import NullCheck

LEAST_KEYS = 400
DISAGREES = 1e-4
"""Chance at most of calling a sound test invalid, for each of the two checks."""


def random_keys(seed: int, count: int, words: int = 1) -> Keys:
    """Keys that were never issued, uint64[count, words].

    >>> random_keys(7, 3).shape, bool((random_keys(7, 3) == random_keys(7, 3)).all())
    ((3, 1), True)
    """
    out = np.empty(count * words, dtype=np.uint64)
    person = seed.to_bytes(16, "little", signed=True)
    for i in range(out.size):
        digest = hashlib.blake2b(i.to_bytes(8, "little"), digest_size=8, person=person).digest()
        out[i] = int.from_bytes(digest, "little")
    return out.reshape(count, words)


def randomised_p(log_at_least: Floats, log_above: Floats, seed: int) -> Floats:
    """p-values that are exactly uniform under the null although the statistic has steps."""
    coin = np.random.default_rng(seed).random(log_at_least.size)
    at_least, above = np.exp(log_at_least), np.exp(log_above)
    return np.asarray(above + coin * (at_least - above))


def check(p_values: Floats, standardised: Floats, observed: float, log_p: float, nulls: int = 1) -> NullCheck:
    """Hold a null against what the exact p-value claims of it.

    Args:
        p_values: exact p-value of each random key, made uniform where the statistic has steps.
        standardised: their statistics in standard deviations.
        observed: the statistic of the key under test, in the same unit.
        log_p: its exact p-value, natural logarithm.
        nulls: how many nulls are checked in one test; each gets its part of `DISAGREES`.
    """
    keys = int(p_values.size)
    if keys < LEAST_KEYS:
        raise ConfigError(f"{keys} random keys", hint=f"a null needs at least {LEAST_KEYS}")
    ks = float(stats.kstest(p_values, "uniform").pvalue)
    reached = int((standardised >= observed - 1e-12).sum())
    too_many = float(special.bdtrc(reached - 1, keys, math.exp(min(0.0, log_p)))) if reached else 1.0
    reasons = []
    if ks < DISAGREES / nulls:
        reasons.append(f"p-values of random keys are not uniform (Kolmogorov-Smirnov p {ks:.1e})")
    if too_many < DISAGREES / nulls:
        reasons.append(f"{reached} of {keys} random keys reach the statistic, more than its p-value allows")
    return NullCheck(
        keys=keys,
        mean=float(standardised.mean()),
        sd=float(standardised.std(ddof=1)),
        ks_p_value=ks,
        reached=reached,
        monte_carlo_p=(1 + reached) / (1 + keys),
        agrees=not reasons,
        reason="; ".join(reasons),
        standardised=tuple(float(v) for v in np.sort(standardised)),
    )
