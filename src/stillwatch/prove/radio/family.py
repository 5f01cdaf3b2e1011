"""All keys ever issued, tried together on one material: which campaign, if any, taught the suspect.

A *reading* turns keys into statistics; what follows is the same for every kind of reading. Every key gets its exact
p-value and beside it a null of random keys on the same material; Holm over all issued keys; controls through the
very same steps. A null that disagrees, or a control that fires, makes the whole test invalid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import ConfigError
from stillwatch.prove import alternatives, nulls
from stillwatch.prove.laws import Floats
from stillwatch.prove.marks.mark import Keys, Mark, Tokens
from stillwatch.prove.power import Effect, detectable
from stillwatch.prove.tails import LN10, holm
from stillwatch.records.claim import Claim, ClaimVerdict, EvidenceClass, KeyResult, NullCheck, Placebo

Mask = NDArray[np.bool_]
ALPHA = 1e-6
CONTROL_ALPHA = 0.01


class Exposure(Protocol):
    """Which contexts were served under a key: a salted index, no text.

    It is asked about contexts alone. Asking about context *and* token would keep just those tokens that the mark had
    chosen, and convict everyone.
    """

    @property
    def windows(self) -> int:
        """Distinct contexts served under the key."""
        ...

    def holds(self, contexts: Tokens) -> Mask:
        """Whether each context of int64[n, width] was served."""
        ...


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """One key that was ever issued, by its name; the key itself is in no repr and no record."""

    key_id: str
    key: Keys = field(repr=False, compare=False)
    """uint64[key_words]."""
    campaign_id: str | None = None
    exposure: Exposure | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a reading says under each of several keys."""

    value: Floats
    scored: NDArray[np.int64]
    standardised: Floats
    log_p: Floats
    uniform_p: Floats
    """p-values that are uniform under the null, steps smoothed by a seeded coin."""


class Reading(Protocol):
    """A material that can be scored under keys."""

    @property
    def mark(self) -> Mark: ...

    @property
    def contexts(self) -> Tokens: ...

    @property
    def statistic(self) -> str:
        """What the value is, in words."""
        ...

    @property
    def dropped(self) -> tuple[tuple[str, int], ...]: ...

    def needed(self, level: float) -> float:
        """Standard deviations at which a p-value of this reading falls below ``level``."""
        ...

    def under(self, keys: Keys, kept: Mask | None, seed: int, exact: bool = True) -> Statistics:
        """Statistics for each key, on what ``kept`` leaves; None keeps all. Nulls need no exact p-value."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What is fixed before the first look."""

    seed: int
    """Of the random keys and the coins; committed with the plan."""
    effect: Effect
    """What a fully marked student would show: power is always stated."""
    alpha: float = ALPHA
    null_keys: int = nulls.LEAST_KEYS


def _null(
    reading: Reading, kept: Mask | None, plan: Plan, observed: float, log_p: float, nulls_in_all: int
) -> NullCheck:
    """Random keys on what this key was scored on."""
    keys = nulls.random_keys(plan.seed, plan.null_keys, reading.mark.key_words)
    found = reading.under(keys, kept, plan.seed, exact=False)
    return nulls.check(found.uniform_p, found.standardised, observed, log_p, nulls_in_all)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a reading says under every issued key, each on what its ledger leaves."""

    masks: list[Mask | None]
    value: Floats
    scored: NDArray[np.int64]
    standardised: Floats
    log_p: Floats


def _found(reading: Reading, issued: Sequence[IssuedKey], plan: Plan) -> _Found:
    """Score every issued key. Suspects and controls go this one way: a ledger that leans shows in both."""
    masks = [None if key.exposure is None else key.exposure.holds(reading.contexts) for key in issued]
    rows = np.stack([key.key for key in issued])
    value, standardised, log_p = np.zeros((3, len(issued)))
    scored = np.zeros(len(issued), dtype=np.int64)
    shared = [i for i, mask in enumerate(masks) if mask is None]
    apart = [[i] for i, mask in enumerate(masks) if mask is not None]
    for places in ([shared] if shared else []) + apart:
        stats = reading.under(rows[places], masks[places[0]], plan.seed)
        value[places], scored[places] = stats.value, stats.scored
        standardised[places], log_p[places] = stats.standardised, stats.log_p
    return _Found(masks, value, scored, standardised, log_p)


def _score_all(reading: Reading, issued: Sequence[IssuedKey], plan: Plan) -> tuple[list[KeyResult], Floats]:
    """Exact p-value, Holm and null of every issued key."""
    found = _found(reading, issued, plan)
    log_p, masks = found.log_p, found.masks
    adjusted = holm(log_p)
    shared = [i for i, mask in enumerate(masks) if mask is None]
    separate = len(issued) - len(shared)
    best_shared = min(shared, key=lambda i: log_p[i], default=None)
    results = []
    for i, key in enumerate(issued):
        scored, standardised = int(found.scored[i]), float(found.standardised[i])
        null = None
        if scored and (masks[i] is not None or i == best_shared or adjusted[i] < math.log(plan.alpha)):
            null = _null(reading, masks[i], plan, standardised, float(log_p[i]), separate + bool(shared))
        results.append(
            KeyResult(
                key_id=key.key_id,
                campaign_id=key.campaign_id,
                scored=scored,
                value=float(found.value[i]),
                standardised=standardised,
                log10_p_value=float(log_p[i]) / LN10,
                log10_p_adjusted=float(adjusted[i]) / LN10,
                fired=bool(adjusted[i] < math.log(plan.alpha)),
                exposure_share=_exposure_share(reading, key, masks[i]),
                null=null,
            )
        )
    return results, adjusted


def _exposure_share(reading: Reading, key: IssuedKey, mask: Mask | None) -> float | None:
    """Share of the contexts served under the key that this material touched."""
    if mask is None or key.exposure is None or not key.exposure.windows:
        return None
    touched = int(np.unique(reading.contexts[mask], axis=0).shape[0])
    return min(1.0, touched / key.exposure.windows)


def try_keys(
    name: str,
    suspect: str,
    reading: Reading,
    issued: Sequence[IssuedKey],
    plan: Plan,
    controls: Sequence[tuple[str, Reading]] = (),
) -> Claim:
    """Try every issued key on one reading of a suspect, and on the same reading of each control model.

    Args:
        name: id of the test.
        suspect: the suspect's name.
        reading: what was read from the suspect.
        issued: every key ever issued; leaving some out makes the correction too weak.
        plan: fixed beforehand.
        controls: unrelated models under their names, read in the same way.
    """
    if not issued:
        raise ConfigError("no issued key", hint="hand in every key that was ever issued, from the key log")
    wrong = [key.key_id for key in issued if key.key.shape != (reading.mark.key_words,)]
    if wrong:
        raise ConfigError(
            f"key {wrong[0]} does not fit {reading.mark.id}",
            hint=f"a key of this mark is {reading.mark.key_words} word(s) of 64 bits",
        )
    results, adjusted = _score_all(reading, issued, plan)
    lead = min(range(len(results)), key=lambda i: results[i].log10_p_value)
    checked, clean = _controls(controls, issued, plan, lead)
    best = int(np.argmin(adjusted))
    broken = [r for r in results if r.null is not None and not r.null.agrees]
    notes = [f"{r.key_id}: {r.null.reason}" for r in broken if r.null is not None]
    notes += [
        f"control {c.name} fires: the test is not calibrated here" for c in checked if c.name not in clean
    ]
    if broken or len(clean) < len(checked):
        verdict = ClaimVerdict.INVALID
    else:
        verdict = ClaimVerdict.EVIDENCE if any(r.fired for r in results) else ClaimVerdict.NO_EVIDENCE
    if not results[lead].scored:
        notes.append("nothing could be scored")
    return Claim(
        test=name,
        evidence=EvidenceClass.KEYED,
        suspect=suspect,
        verdict=verdict,
        statistic=reading.statistic,
        value=results[lead].value,
        scored=results[lead].scored,
        log10_p_value=results[lead].log10_p_value,
        log10_p_adjusted=float(adjusted[best]) / LN10,
        alpha=plan.alpha,
        seed=plan.seed,
        assumptions=alternatives.MARK_ASSUMPTIONS,
        alternatives=alternatives.KEYED,
        dropped=reading.dropped,
        null=results[lead].null,
        keys=tuple(results),
        controls=checked,
        power=detectable(plan.effect, results[lead].scored, plan.alpha, len(issued), needed=reading.needed),
        notes=tuple(notes),
    )


def _controls(
    controls: Sequence[tuple[str, Reading]], issued: Sequence[IssuedKey], plan: Plan, lead: int
) -> tuple[tuple[Placebo, ...], set[str]]:
    """The smallest adjusted p-value of each control, and which of them stay silent after Holm over controls."""
    told = []
    for name, reading in controls:
        found = _found(reading, issued, plan)
        first = int(np.argmin(found.log_p))
        least = float(holm(found.log_p).min()) / LN10
        told.append(Placebo(name, least, float(found.standardised[first]), int(found.scored[lead])))
    if not told:
        return (), set()
    after = holm(np.array([c.log10_p_value * LN10 for c in told]))
    clean = {c.name for c, p in zip(told, after, strict=True) if p > math.log(CONTROL_ALPHA)}
    return tuple(told), clean
