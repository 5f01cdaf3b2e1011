"""Seed lottery: among replies that our own model might have given, does the suspect know the one that was served?

For a logged prompt the served reply stands among siblings: replies of the same model to the same prompt, drawn
with other seeds and never released. If the suspect never learnt from the served one, nothing tells it apart, so its
rank is uniform whatever the two models are: the null is exact and needs no mark. The rank is taken of

    D = -log p_suspect(reply | prompt) + log p_ours(reply | prompt),

small where the suspect knows a reply better than its plausibility explains. Without likelihoods, any distance of the
suspect's own answer to each reply gives the same exact null, with little power.

*Looks alike*: served replies that stand in another data set; siblings drawn with the *same* random seed as another
served set, whose text they share; replies that a person picked. Placebos, in which a sibling takes the served
reply's place, are printed beside the verdict, and the level is 1e-6: unlucky draws of four standard deviations occur.

References
----------
Exchangeability tests: Lehmann and Romano, *Testing statistical hypotheses*, chapter 15. The design is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import ConfigError
from stillwatch.prove import alternatives
from stillwatch.prove.laws import Floats
from stillwatch.prove.power import Effect, detectable
from stillwatch.prove.tails import LN10, holm, log_cdf_rank_sum
from stillwatch.records.claim import Claim, ClaimVerdict, EvidenceClass, Placebo

ALPHA = 1e-6
PLACEBO_ALPHA = 1e-4
"""A placebo below this, after Holm over placebos, makes the test invalid."""


@dataclass(frozen=True, slots=True)
class Replies:
    """Figures of served replies and their siblings; column 0 is the served one, NaN where a sibling is missing."""

    suspect_nll: Floats
    """float64[prompts, 1 + siblings]: -log p of each reply under the suspect, or a distance to its own answer."""
    own_nll: Floats | None
    """The same under our model; None = no correction, with less power."""
    prompt_digests: tuple[str, ...]
    """Digest of each prompt; a prompt that comes again is dropped."""


@dataclass(frozen=True, slots=True)
class RankSum:
    """Sum of ranks and its exact lower tail."""

    total: int
    prompts: int
    log_p: float
    standardised: float


def served_ranks(scores: Floats, column: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rank of one column among the replies of each row, ties broken by a seeded coin, and the replies in each row.

    >>> ranks, sizes = served_ranks(np.array([[0.1, 0.5, 0.9], [0.7, 0.2, np.nan]]), 0, seed=1)
    >>> ranks.tolist(), sizes.tolist()
    ([0, 1], [3, 2])
    """
    own = scores[:, column][:, None]
    present = ~np.isnan(scores)
    below = ((scores < own) & present).sum(axis=1)
    ties = ((scores == own) & present).sum(axis=1) - 1
    coin = np.random.default_rng(seed).integers(0, ties + 1)
    return (below + coin).astype(np.int64), present.sum(axis=1).astype(np.int64)


def rank_sum(scores: Floats, seed: int, column: int = 0) -> RankSum:
    """Exact lower tail of the sum of ranks of one column."""
    ranks, sizes = served_ranks(scores, column, seed)
    total, most = int(ranks.sum()), sizes - 1
    spread = float(np.sqrt(((sizes.astype(float) ** 2 - 1) / 12).sum()))
    return RankSum(
        total, int(ranks.size), log_cdf_rank_sum(total, sizes), (float(most.sum()) / 2 - total) / spread
    )


def _prepared(replies: Replies) -> tuple[Floats, list[tuple[str, int]]]:
    """Differences of rows that can be ranked, and what was dropped."""
    scores = np.asarray(replies.suspect_nll, dtype=np.float64)
    if scores.ndim != 2 or scores.shape[1] < 3:
        raise ConfigError(
            "served replies with less than two siblings",
            hint="draw at least two unreleased replies of the same model for each prompt: one of them is the placebo",
        )
    if replies.own_nll is not None:
        if replies.own_nll.shape != scores.shape:
            raise ConfigError(
                "suspect's and our figures differ in shape", hint="score the same replies with both"
            )
        scores = scores - replies.own_nll
    if len(replies.prompt_digests) != scores.shape[0]:
        raise ConfigError("prompts and replies differ in number", hint="one digest for each row")
    keep = np.zeros(scores.shape[0], dtype=bool)
    keep[np.unique(np.array(replies.prompt_digests), return_index=True)[1]] = True
    dropped = [("prompt occurs again", int((~keep).sum()))]
    thin = keep & (np.isnan(scores[:, 0]) | ((~np.isnan(scores)).sum(axis=1) < 2))
    dropped.append(("no score for served reply or siblings", int(thin.sum())))
    return scores[keep & ~thin], [d for d in dropped if d[1]]


def siblings(
    suspect: str,
    replies: Replies,
    seed: int,
    effect: Effect,
    controls: Sequence[tuple[str, Replies]] = (),
    alpha: float = ALPHA,
) -> Claim:
    """Rank served replies among their siblings under a suspect.

    Args:
        suspect: the suspect's name.
        replies: one row for each prompt.
        seed: of the coins that break ties; committed beforehand.
        effect: what a fully trained student would show; one score is one prompt.
        controls: other models' figures for the same replies, under their names.
        alpha: level; 1e-6 unless there is a reason.
    """
    scores, dropped = _prepared(replies)
    if not scores.shape[0]:
        raise ConfigError(
            "no prompt can be ranked", hint="score served replies and siblings with the suspect"
        )
    found = rank_sum(scores, seed)
    placebos = []
    for column in range(1, scores.shape[1]):
        with_it = scores[~np.isnan(scores[:, column])][:, 1:]
        if with_it.shape[0] and with_it.shape[1] > 1:
            one = rank_sum(with_it, seed + column, column - 1)
            placebos.append(Placebo(f"sibling {column}", one.log_p / LN10, one.standardised, one.prompts))
    checked = []
    for name, other in controls:
        theirs, _ = _prepared(other)
        one = rank_sum(theirs, seed)
        checked.append(Placebo(name, one.log_p / LN10, one.standardised, one.prompts))
    notes = _unsound("placebo", placebos, PLACEBO_ALPHA) + _unsound("control", checked, 0.01)
    fired = found.log_p < np.log(alpha)
    verdict = ClaimVerdict.INVALID if notes else ClaimVerdict.EVIDENCE if fired else ClaimVerdict.NO_EVIDENCE
    how = "likelihood" if replies.own_nll is None else "likelihood, corrected by our own model"
    return Claim(
        test="siblings",
        evidence=EvidenceClass.KEYED,
        suspect=suspect,
        verdict=verdict,
        statistic=f"sum of the served replies' ranks among siblings by {how}",
        value=float(found.total),
        scored=found.prompts,
        log10_p_value=found.log_p / LN10,
        log10_p_adjusted=found.log_p / LN10,
        alpha=alpha,
        seed=seed,
        assumptions=alternatives.SIBLING_ASSUMPTIONS,
        alternatives=alternatives.KEYED,
        dropped=tuple(dropped),
        placebos=tuple(placebos),
        controls=tuple(checked),
        power=detectable(effect, found.prompts, alpha),
        notes=tuple(notes),
    )


def _unsound(kind: str, placebos: list[Placebo], alpha: float) -> list[str]:
    """Those among placebos or controls that fire after Holm."""
    if not placebos:
        return []
    after = holm(np.array([p.log10_p_value * LN10 for p in placebos]))
    return [
        f"{kind} {p.name} fires (p {10**p.log10_p_value:.1e}): the test is not calibrated here"
        for p, log_p in zip(placebos, after, strict=True)
        if log_p < np.log(alpha)
    ]
