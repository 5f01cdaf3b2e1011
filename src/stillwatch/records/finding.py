"""What a scan says: findings, abstentions, campaigns, members, and the whole result.

All are frozen; none holds raw prompt text unless content retention was switched on (``exemplars``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Family(StrEnum):
    """Traits whose evidence may depend on each other share a family; bits add across families only."""

    CONTENT = "content"
    INFRASTRUCTURE = "infrastructure"
    TIMING = "timing"
    IDENTITY = "identity"
    BEHAVIOUR = "behaviour"


class Kind(StrEnum):
    """A *pool* is run by one controller, use unknown; a *campaign* is a pool at work on extraction."""

    POOL = "pool"
    CAMPAIGN = "campaign"


class Tier(StrEnum):
    """How firmly an account belongs to a pool or campaign. Only ``MEMBER`` may be acted on."""

    MEMBER = "member"
    ASSOCIATED = "associated"
    WATCH = "watch"


class Disposition(StrEnum):
    """A hint for the operator, never a verdict on a person."""

    NONE = "none"
    WATCH = "watch"
    REVIEW = "review"
    ACT = "act"


class Confidence(StrEnum):
    """How sure, in one word; the figures behind it stand beside it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Abstention:
    """Something that could not be judged, and why. Not the same as "looked, nothing unusual"."""

    trait: str
    reason: str
    missing: tuple[str, ...] = ()
    """Contract fields that were absent."""
    subject: str = "run"
    """``run``, or an account id."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen, how unusual, against which baseline. Never "malicious"."""

    id: str
    trait: str
    family: Family
    subject: str
    """Campaign id or account id."""
    effect: float
    unit: str
    """Unit of ``effect``, for example ``accounts`` or ``share``."""
    baseline: str
    p_value: float | None
    log10_e_value: float | None
    reasons: tuple[str, ...]
    looks_alike: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One line of the ledger behind a campaign: one channel, its share of the weight."""

    trait: str
    family: Family
    value: str
    """What is shared, in safe words (a digest or a closed-vocabulary label)."""
    members: int
    """How many members show it."""
    reference_share: float
    """How common it is among the reference cohort, 0..1."""
    kappa: float
    log10_e_value: float
    control: bool
    """True when the channel shows control rather than shared software."""
    without_log10_e_value: float
    """The group's weight of evidence if this channel had not been seen."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """One feature of dataset-shaped traffic, beside what honest linked groups show."""

    feature: str
    value: float
    percentile: float
    """Position among the calibration groups, 0..1."""
    honest_median: float
    meaning: str


@dataclass(frozen=True, slots=True)
class Member:
    """One account of a pool or campaign."""

    campaign_id: str
    account_id: str
    tier: Tier
    membership_bits: float
    extraction_share: float
    exchange_count: int
    first_seen: datetime
    last_seen: datetime
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A pool or campaign with everything a person needs to check it."""

    campaign_id: str
    kind: Kind
    first_seen: datetime
    last_seen: datetime
    account_count: int
    exchange_count: int
    output_tokens: int
    log10_e_value: float
    p_value: float | None
    """Conformal p-value of extraction shape against honest linked groups; None = not enough calibration."""
    calibration_count: int
    false_discovery_rate: float
    bits: dict[Family, float]
    extraction_share: float
    extraction_share_low: float
    extraction_share_high: float
    capabilities: tuple[str, ...]
    techniques: tuple[str, ...]
    confidence: Confidence
    granted: bool
    explanation: str
    evidence: tuple[Evidence, ...] = ()
    shape: tuple[Shape, ...] = ()
    innocent: tuple[tuple[str, str], ...] = ()
    """(innocent explanation, what speaks for or against it in this case)."""
    would_change: tuple[str, ...] = ()
    """What would change the verdict."""
    timeline: tuple[tuple[datetime, int], ...] = ()
    """Exchanges per hour: (start of hour, count)."""
    model_timeline: tuple[tuple[str, datetime, int], ...] = ()
    """(model, start of hour, count)."""
    models: tuple[tuple[str, int], ...] = ()
    edges: tuple[tuple[str, str, str], ...] = ()
    """Account graph, bounded: (account id, trait, safe value) triples."""
    exemplars: tuple[str, ...] = ()
    """Prompt texts; only with ``privacy.content = "retain"``."""
    taken: tuple[tuple[str, int, int], ...] = ()
    """(capability, exchanges, output tokens)."""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account seen in the input."""

    account_id: str
    exchange_count: int
    campaign_id: str | None
    disposition_hint: Disposition
    abstentions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Everything a scan found. ``accounts`` is columnar because it may hold millions of rows."""

    campaigns: tuple[Campaign, ...]
    members: tuple[Member, ...]
    findings: tuple[Finding, ...]
    abstentions: tuple[Abstention, ...]
    accounts: Any
    """pyarrow Table: account_id, exchange_count, campaign_id, disposition_hint, abstentions."""
    summary: dict[str, Any] = field(default_factory=dict)
    """Counts, versions, digests, time range, what could not be judged, timings; becomes summary.json."""
