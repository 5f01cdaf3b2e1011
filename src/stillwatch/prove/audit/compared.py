"""Who is compared with whom, and how a contrast is put into a result: the same for every test of an audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove.audit.resample import Floats, mean_interval, sign_flip_p
from stillwatch.prove.tails import holm
from stillwatch.records.audit import AuditPart, AuditResult, AuditVerdict, Interval

ALPHA = 0.01
LEAST_ITEMS = 20


@dataclass(frozen=True, slots=True)
class Compared:
    """Who is compared with whom, on what, and with which seed: the same for every test of an audit."""

    suspect: str
    reference: str
    population: str
    seed: int
    alpha: float = ALPHA

    def __post_init__(self) -> None:
        if not 0.0 < self.alpha < 1.0:
            raise ConfigError(f"a level of {self.alpha}", hint="a level lies between 0 and 1, as 0.01 does")
        if not self.population:
            raise ConfigError(
                "no population named", hint="say which items were asked and where they come from"
            )


@dataclass(frozen=True, slots=True)
class Words:
    """What a test is called, what its figure means, what it rests on and what looks alike."""

    test: str
    statistic: str
    assumptions: tuple[str, ...]
    looks_alike: tuple[str, ...]


def judged(p_value: float, alpha: float, items: int, notes: list[str]) -> AuditVerdict:
    """A verdict by level, unless there are too few items for any."""
    if items < LEAST_ITEMS:
        notes.append(f"{items} items: below {LEAST_ITEMS} nothing is judged")
        return AuditVerdict.NOT_JUDGED
    return AuditVerdict.GAP if p_value < alpha else AuditVerdict.NO_GAP_SEEN


def corrected(results: list[AuditResult]) -> list[AuditResult]:
    """Everything that was tested together, after Holm: each verdict holds at its level for all of them."""
    judgeable = [i for i, one in enumerate(results) if one.verdict is not AuditVerdict.NOT_JUDGED]
    if not judgeable:
        return results
    after = np.exp(holm(np.log([results[i].p_value for i in judgeable])))
    out = list(results)
    for i, p in zip(judgeable, after, strict=True):
        fired = bool(p < out[i].alpha)
        verdict = AuditVerdict.GAP if fired else AuditVerdict.NO_GAP_SEEN
        out[i] = replace(out[i], p_adjusted=min(1.0, float(p)), verdict=verdict)
    return out


def told(
    who: Compared,
    words: Words,
    contrast: Floats,
    p_value: float,
    interval: Interval,
    parts: Sequence[AuditPart] = (),
    notes: Sequence[str] = (),
    dropped: Sequence[tuple[str, int]] = (),
    value: float | None = None,
    unfit: bool = False,
) -> AuditResult:
    """One contrast as a result. ``value`` is the mean contrast unless given; an unfit measure judges nothing."""
    said = list(notes)
    verdict = judged(p_value, who.alpha, int(contrast.size), said)
    return AuditResult(
        test=words.test,
        suspect=who.suspect,
        reference=who.reference,
        verdict=AuditVerdict.NOT_JUDGED if unfit else verdict,
        statistic=words.statistic,
        value=(float(contrast.mean()) if contrast.size else float("nan")) if value is None else value,
        interval=interval,
        p_value=1.0 if unfit else p_value,
        p_adjusted=1.0 if unfit else p_value,
        alpha=who.alpha,
        items=int(contrast.size),
        population=who.population,
        seed=who.seed,
        assumptions=words.assumptions,
        looks_alike=words.looks_alike,
        parts=tuple(parts),
        dropped=tuple(one for one in dropped if one[1]),
        notes=tuple(said),
    )


def paired(
    who: Compared,
    words: Words,
    contrast: Floats,
    parts: Sequence[AuditPart] = (),
    bound: float = 1.0,
    notes: Sequence[str] = (),
    dropped: Sequence[tuple[str, int]] = (),
) -> AuditResult:
    """Suspect minus reference, item by item: either order of the two is as likely in the null."""
    if not contrast.size:
        nothing = Interval(-bound, bound, 0.95, "nothing was scored")
        return told(who, words, contrast, 1.0, nothing, parts, notes, dropped, unfit=True)
    p_value = sign_flip_p(contrast, who.seed)
    return told(who, words, contrast, p_value, mean_interval(contrast, bound), parts, notes, dropped)


def same_items(*columns: Sequence[object] | np.ndarray) -> None:
    """Refuse answers of different number: a comparison is paired or none."""
    if len({len(column) for column in columns}) != 1:
        raise ConfigError("suspect and reference answered different items", hint="ask both the same items")
