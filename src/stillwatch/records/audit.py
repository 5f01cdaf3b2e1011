"""What an integrity audit says of a suspect: is it what it claims to be, beside a reference model?

An `AuditResult` is a consistency finding. It is a type of its own and carries no `EvidenceClass`: a gap, however
large, never says what a model was trained on. `stillwatch.records.claim` holds the other half; the two are reported
apart, and a conclusion about provenance refuses an audit result.

Examples
--------
>>> [verdict.value for verdict in AuditVerdict]
['gap', 'no_gap_seen', 'not_judged']
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AuditVerdict(StrEnum):
    """What one contrast comes to. ``NO_GAP_SEEN`` does not say that there is none: the interval says how large."""

    GAP = "gap"
    NO_GAP_SEEN = "no_gap_seen"
    NOT_JUDGED = "not_judged"
    """Too little, or a measure that its own check does not bear; ``notes`` say which."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure lies, at a level of confidence, and by which method."""

    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True, slots=True)
class AuditPart:
    """One figure that went into a result: a rate of one model, the agreement of a scorer."""

    name: str
    value: float
    interval: Interval
    of: int
    """Items, labels or replies that it rests on."""


@dataclass(frozen=True, slots=True)
class AuditResult:
    """One contrast between a suspect and a reference, or one check of the suspect alone."""

    test: str
    """``benchmark-gap``, ``canonical-order``, ``refusal-harmful``, ``refusal-benign``, ..."""
    suspect: str
    reference: str
    """The model it is compared with; empty for a check of the suspect alone."""
    verdict: AuditVerdict
    statistic: str
    """What ``value`` is, in words, and what its sign means."""
    value: float
    interval: Interval
    p_value: float
    """Two-sided unless the statistic says otherwise; 1 where nothing was judged."""
    p_adjusted: float
    """After Holm over everything that was tested together."""
    alpha: float
    items: int
    population: str
    """Which items, from where."""
    seed: int
    assumptions: tuple[str, ...]
    looks_alike: tuple[str, ...]
    """Innocent explanations of the same gap; printed each time."""
    parts: tuple[AuditPart, ...] = ()
    dropped: tuple[tuple[str, int], ...] = ()
    """(reason, how many) of what was not scored."""
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The strongest words that the verdict allows; never a word on provenance."""
        beside = f" beside {self.reference}" if self.reference else ""
        if self.verdict is AuditVerdict.NOT_JUDGED:
            return f"{self.suspect}{beside}: {self.test} could not be judged."
        figure = (
            f"{self.statistic}: {self.value:.3f} ({self.interval.low:.3f} to {self.interval.high:.3f}), "
            f"adjusted p {self.p_adjusted:.2g}"
        )
        if self.verdict is AuditVerdict.GAP:
            return f"{self.suspect}{beside}: {figure}. A consistency finding, and no evidence of theft."
        return f"{self.suspect}{beside}: {figure}. No gap was seen, which does not say that there is none."
