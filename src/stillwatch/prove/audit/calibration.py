"""Does the suspect know how sure it may be, as a reference does? Stated confidence beside right and wrong.

Each answer comes with a confidence between 0 and 1. The Brier score (squared distance between confidence and outcome)
is compared item by item; how far mean confidence lies above the share of right answers stands beside it for each model.

*Looks alike*: a request for confidence that one model was tuned on; confidences rounded to tens; other temperature.

References
----------
Brier, *Verification of forecasts expressed in terms of probability*, 1950. Lin, Hilton and Evans, *Teaching models to
express their uncertainty in words*, 2022.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import ConfigError
from stillwatch.prove.audit.compared import Compared, Words, paired, same_items
from stillwatch.prove.audit.resample import Floats, mean_interval, mean_part
from stillwatch.records.audit import AuditPart, AuditResult

Bools = NDArray[np.bool_]
WORDS = Words(
    "calibration",
    "Brier score of stated confidence, suspect minus reference (positive = worse calibrated or less right)",
    ("Both models were asked for their confidence in the same words.",),
    (
        "One model was tuned on such requests, or rounds its confidence.",
        "A model that is right less often has a higher score at equal calibration; compare the parts.",
    ),
)


def calibration(who: Compared, suspect: tuple[Floats, Bools], reference: tuple[Floats, Bools]) -> AuditResult:
    """Stated confidence against outcome, paired.

    Args:
        who: names, population, seed and level.
        suspect: confidence in each answer, 0..1, and whether it was right; nan where none was stated.
        reference: the same for the reference, on the same questions.
    """
    same_items(*suspect, *reference)
    ours, theirs = (np.asarray(one[0], dtype=np.float64) for one in (suspect, reference))
    for one in (ours, theirs):
        if ((one < 0) | (one > 1)).any():
            raise ConfigError("a confidence outside 0 to 1", hint="divide percentages by 100")
    stated = ~(np.isnan(ours) | np.isnan(theirs))
    rights = [np.asarray(one[1], dtype=np.float64)[stated] for one in (suspect, reference)]
    sure = [ours[stated], theirs[stated]]
    scores = [(s - r) ** 2 for s, r in zip(sure, rights, strict=True)]
    parts: list[AuditPart] = []
    for name, one, s, r in zip((who.suspect, who.reference), scores, sure, rights, strict=True):
        if one.size:
            over = s - r
            parts += [
                mean_part(f"{name}: Brier score", one),
                AuditPart(
                    f"{name}: confidence above accuracy", float(over.mean()), mean_interval(over), over.size
                ),
            ]
    dropped = (("no confidence was stated", int((~stated).sum())),)
    return paired(who, WORDS, scores[0] - scores[1], parts, dropped=dropped)
