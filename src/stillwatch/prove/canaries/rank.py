"""Which option does the suspect prefer? Exact, for any number of options and accounts, black box or not.

Under the null the suspect knows nothing of our draw, so the served option's rank among all options, by whatever
score the suspect gives them, is uniform. Ranks of several accounts add up to an exact tail; the e-value allows
looking after every account.

*Looks alike*: an option that everybody prefers is no danger: it is as likely to be drawn as any other. A draw that
became known is: reveal it only after the test.

References
----------
Vovk and Wang, *E-values: calibration, combination and applications* (2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove import alternatives
from stillwatch.prove.canaries.draw import Draw, check
from stillwatch.prove.laws import Floats
from stillwatch.prove.power import Effect, detectable
from stillwatch.prove.siblings.rank import rank_sum, served_ranks
from stillwatch.prove.tails import LN10
from stillwatch.records.claim import Claim, ClaimVerdict, EvidenceClass

DECAY = 0.5
"""Each rank pays this much of the one before; the e-value is 1 on average whatever it is."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A revealed draw, its commitment, and the suspect's score of every option; higher = preferred."""

    drawn: Draw
    commitment: str
    scores: Floats
    """float64[options]."""


def log_e_value(rank: int, options: int) -> float:
    """log e-value of one rank (0 = most preferred): what was paid, over what a uniform rank pays on average.

    >>> mean = sum(math.exp(log_e_value(r, 20)) for r in range(20)) / 20
    >>> round(mean, 12), round(math.exp(log_e_value(0, 20)), 2)
    (1.0, 10.0)
    """
    pays = DECAY ** np.arange(options)
    return math.log(float(pays[rank] / pays.mean()))


def canaries(
    suspect: str, kind: str, scored: Sequence[Scored], seed: int, effect: Effect, alpha: float = 1e-6
) -> Claim:
    """Test the served options of any number of accounts; a draw that was not committed to is refused."""
    if not scored:
        raise ConfigError("no canary was scored", hint="score every option of each draw with the suspect")
    for one in scored:
        check(one.commitment, one.drawn)
        if len(one.scores) != len(one.drawn.options) or not np.isfinite(one.scores).all():
            raise ConfigError(
                f"canary {one.drawn.canary_id}: {len(one.scores)} usable scores for {len(one.drawn.options)} options",
                hint="score every option, with a finite number",
            )
    drawn = {(one.drawn.canary_id, one.drawn.account) for one in scored}
    if len(drawn) != len(scored) or len({one.commitment for one in scored}) != len(scored):
        raise ConfigError(
            "a draw was handed in twice, and would count twice",
            hint="hand in each canary of each account once; several answers of a suspect make one score",
        )
    widest = max(len(one.scores) for one in scored)
    rows = np.full((len(scored), widest), np.nan)
    for i, one in enumerate(scored):
        others = np.delete(one.scores, one.drawn.index)
        rows[i, : len(one.scores)] = -np.concatenate([[one.scores[one.drawn.index]], others])
    found = rank_sum(rows, seed)
    ranks, sizes = served_ranks(rows, 0, seed)
    log_e = sum(log_e_value(int(r), int(n)) for r, n in zip(ranks, sizes, strict=True))
    fired = found.log_p < math.log(alpha)
    return Claim(
        test=f"canary-{kind}",
        evidence=EvidenceClass.KEYED,
        suspect=suspect,
        verdict=ClaimVerdict.EVIDENCE if fired else ClaimVerdict.NO_EVIDENCE,
        statistic="sum of the served options' ranks",
        value=float(found.total),
        scored=found.prompts,
        log10_p_value=found.log_p / LN10,
        log10_p_adjusted=found.log_p / LN10,
        alpha=alpha,
        seed=seed,
        assumptions=(
            "Options were drawn uniformly, committed before they were served, and revealed only afterwards.",
            "Options were served to flagged accounts only, one draw for each account.",
        ),
        alternatives=alternatives.KEYED,
        power=detectable(effect, found.prompts, alpha),
        notes=(f"log10 e-value {log_e / LN10:.2f}",),
    )
