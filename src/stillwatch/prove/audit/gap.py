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

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove.audit.compared import Compared, Words, told
from stillwatch.prove.audit.resample import Floats, label_p, mean_interval, mean_part
from stillwatch.records.audit import AuditPart, AuditResult

WORDS = Words(
    "benchmark-gap",
    "advantage on published items over their twins, beyond the reference's",
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
)

ROOM = 0.95


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
    return told(
        who,
        WORDS,
        contrast,
        label_p(ours - theirs, who.seed),
        mean_interval(contrast, bound=2.0),
        parts,
        notes,
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
