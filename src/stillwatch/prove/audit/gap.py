"""Does the suspect do better on a published benchmark than on held-out twins of it, beyond what a reference does?

A twin has the form of a published item and other content, and has never been published (`stillwatch.prove.audit.twins`
makes them). The difference in differences

    (suspect on published - suspect on twins) - (reference on published - reference on twins)

takes out that twins may be harder. Each item with its twins is one contrast, so items decide the interval.

*Looks alike*: a benchmark that leaked into public training text; training on the same form of question; a reference at
the top of the scale, which has no room to fall; a reference that was itself tuned to the benchmark.

References
----------
Zhang et al., *A careful examination of large language model performance on grade school arithmetic* (GSM1k), 2024.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove.audit.resample import Floats, label_p, mean_interval, mean_part
from stillwatch.prove.tails import holm
from stillwatch.records.audit import AuditPart, AuditResult, AuditVerdict

ALPHA = 0.01
LEAST_ITEMS = 20
ROOM = 0.95


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


def benchmark_gap(who: Compared, suspect: Floats, reference: Floats) -> AuditResult:
    """Difference in differences over published items and their twins.

    Args:
        who: names, population, seed and level.
        suspect: scores of the suspect, 0..1, float64[items, 1 + twins]; the first column is the published item.
        reference: scores of the reference on the same items.
    """
    ours, theirs = _scores(suspect), _scores(reference)
    if ours.shape != theirs.shape:
        raise ConfigError("suspect and reference answered different items", hint="ask both the same items")
    contrast = _drop(ours) - _drop(theirs)
    parts, notes = [*_parts(who.suspect, ours), *_parts(who.reference, theirs)], list[str]()
    if theirs[:, 0].mean() > ROOM or theirs[:, 1:].mean() > ROOM:
        notes.append(
            f"{who.reference} is near the top of the scale: it has no room to differ; take harder items"
        )
    p_value = label_p(ours - theirs, who.seed)
    return AuditResult(
        test="benchmark-gap",
        suspect=who.suspect,
        reference=who.reference,
        verdict=judged(p_value, who.alpha, contrast.size, notes),
        statistic="advantage on published items over their twins, beyond the reference's",
        value=float(contrast.mean()),
        interval=mean_interval(contrast, bound=2.0),
        p_value=p_value,
        p_adjusted=p_value,
        alpha=who.alpha,
        items=int(contrast.size),
        population=who.population,
        seed=who.seed,
        assumptions=(
            "Twins have never been published, and were made without looking at any answer.",
            "If the suspect has seen neither, published items and twins differ alike for both models.",
        ),
        looks_alike=(
            "The benchmark leaked into public text that the suspect was trained on.",
            "The suspect was trained on much of the same form of question.",
            "Harder twins make no gap only if they cost both models alike; a reference of other strength can make one.",
            "The reference was itself tuned to the benchmark, or is at the top of the scale.",
        ),
        parts=tuple(parts),
        notes=tuple(notes),
    )


def _drop(scores: Floats) -> Floats:
    return np.asarray(scores[:, 0] - scores[:, 1:].mean(axis=1))


def _parts(name: str, scores: Floats) -> list[AuditPart]:
    return [
        mean_part(f"{name} on published items", scores[:, 0]),
        mean_part(f"{name} on twins", scores[:, 1:].mean(axis=1)),
    ]


def _scores(scores: Floats) -> Floats:
    out = np.asarray(scores, dtype=np.float64)
    if out.ndim != 2 or out.shape[1] < 2 or not out.size:
        raise ConfigError("published items without twins", hint="score each item and at least one twin of it")
    if not ((out >= 0.0) & (out <= 1.0)).all():
        raise ConfigError("a score outside 0 to 1, or missing", hint="drop items that a model did not answer")
    return out
