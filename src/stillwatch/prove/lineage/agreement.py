"""Next-token agreement: is the suspect nearer to our model than every unrelated control is?

On the same prompts each model says one token. Where suspect and control differ in whether they agree with ours, a
fair coin would decide which of the two agrees; the exact binomial tail of that (McNemar) is the p-value against one
control. The claim stands against *every* control, so its p-value is the largest of them; several candidate parents
are corrected by Holm.

*Looks alike*: a shared base model, shared public data, a shared teacher. It finds fine-tunes; it was not made for
distillation. Controls decide what it means: at least three, of the suspect's kind, size and date.

References
----------
Nikolic et al., *Model provenance testing for large language models* (NeurIPS 2025), arXiv 2502.00706.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import ConfigError
from stillwatch.prove import alternatives
from stillwatch.prove.power import Effect, detectable
from stillwatch.prove.tails import LN10, holm, log_sf_binomial, standardise
from stillwatch.records.claim import Claim, ClaimVerdict, EvidenceClass, KeyResult, Placebo

Said = NDArray[np.int64]
LEAST_CONTROLS = 3


def log_p_nearer(parent: Said, suspect: Said, control: Said) -> float:
    """log p that the suspect agrees with the parent no more often than the control does.

    >>> ours = np.arange(40)
    >>> round(log_p_nearer(ours, ours, ours + (ours < 20)) / math.log(2), 6)
    -20.0
    """
    near, far = suspect == parent, control == parent
    only_suspect, only_control = int((near & ~far).sum()), int((far & ~near).sum())
    return log_sf_binomial(only_suspect, only_suspect + only_control, 0.5)


def agreement(
    suspect: str,
    parents: Mapping[str, Said],
    said: Said,
    controls: Mapping[str, Said],
    effect: Effect,
    alpha: float = 1e-6,
) -> Claim:
    """Test every candidate parent against every control on the same prompts.

    Args:
        suspect: the suspect's name.
        parents: candidate parents under their names, int64[prompts]: the token each says.
        said: the token that the suspect says, int64[prompts].
        controls: unrelated models, three or more.
        effect: what a fine-tune of a parent would show; one score is one prompt.
        alpha: level after Holm over parents.
    """
    if len(controls) < LEAST_CONTROLS or not parents:
        raise ConfigError(
            f"{len(controls)} controls, {len(parents)} candidate parents",
            hint=f"the pool needs at least {LEAST_CONTROLS} unrelated models, and one candidate parent",
        )
    if any(other.shape != said.shape for other in (*parents.values(), *controls.values())):
        raise ConfigError("answers differ in number", hint="ask every model the same prompts")
    against = {
        parent: {name: log_p_nearer(own, said, other) for name, other in controls.items()}
        for parent, own in parents.items()
    }
    worst = np.array([max(pool.values()) for pool in against.values()])
    adjusted = holm(worst)
    lead = int(worst.argmin())
    keys = tuple(
        KeyResult(
            key_id=parent,
            campaign_id=None,
            scored=int(said.size),
            value=float((said == parents[parent]).mean()),
            standardised=standardise(float(worst[i])),
            log10_p_value=float(worst[i]) / LN10,
            log10_p_adjusted=float(adjusted[i]) / LN10,
            fired=bool(adjusted[i] < math.log(alpha)),
        )
        for i, parent in enumerate(against)
    )
    parent = list(against)[lead]
    return Claim(
        test="agreement",
        evidence=EvidenceClass.COMPARATIVE,
        suspect=suspect,
        verdict=ClaimVerdict.EVIDENCE if any(k.fired for k in keys) else ClaimVerdict.NO_EVIDENCE,
        statistic=f"share of next tokens that equal those of {parent}",
        value=keys[lead].value,
        scored=int(said.size),
        log10_p_value=keys[lead].log10_p_value,
        log10_p_adjusted=float(adjusted.min()) / LN10,
        alpha=alpha,
        seed=0,
        assumptions=(
            "Controls are unrelated to the candidate parents and of the suspect's kind, size and date.",
            "Prompts are distinct and were chosen without looking at any answer.",
        ),
        alternatives=alternatives.COMPARATIVE,
        keys=keys,
        controls=tuple(
            Placebo(f"against {name}", log_p / LN10, standardise(log_p), int(said.size))
            for name, log_p in against[parent].items()
        ),
        power=detectable(effect, int(said.size), alpha, len(parents)),
    )
