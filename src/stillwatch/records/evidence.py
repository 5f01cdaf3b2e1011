"""What evidence is made of: exhibits, custody, and the file on a case as its package needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from stillwatch.records.finding import Campaign, Finding, Member


class LeafKind(StrEnum):
    """What a leaf of the log is about."""

    RUN = "run"
    FINDING = "finding"
    DECISION = "decision"
    ACTION = "action"
    UNLOCK = "unlock"
    SHARE = "share"
    WITHDRAWAL = "withdrawal"
    KEY = "key"
    PACKAGE = "package"
    OPENING = "opening"
    VERDICT = "verdict"
    APPROVAL = "approval"
    APPEAL = "appeal"
    GRANT = "grant"
    POLICY = "policy"
    AUDIT = "audit"
    """The head of the audit record of people's work."""
    HUB = "hub"
    """What was done at a sharing hub: a commitment to it."""
    PLAN = "plan"
    """What will be asked of a suspect model, and under which keys, before the first question."""


class Evasion(StrEnum):
    """Ways round a control. Each is a fact with a source, never a guess from language, name or VPN use."""

    FALSE_IDENTITY = "false_identity"
    GEOGRAPHY = "geography"
    BAN_EVASION = "ban_evasion"
    JAILBREAK = "jailbreak"
    SEALED_REPLAY = "sealed_reasoning_replay"
    POOLED_ACCOUNTS = "pooled_accounts"


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One sealed item, known by its digest."""

    path: str
    sha256: str
    size: int
    what: str
    source: str
    """Where it came from."""
    collector: str
    """Who took it."""
    tool: str
    """Program and version that made it."""
    settings_digest: str
    at: str


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Which terms an account accepted, and when."""

    account_id: str
    tos_version: str | None
    accepted_at: datetime | None
    verification: str | None


@dataclass(frozen=True, slots=True)
class Circumvention:
    """One step round a control."""

    kind: Evasion
    at: datetime | None
    account_id: str | None
    fact: str
    source: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What an account was told, and when."""

    at: datetime
    account_id: str
    what: str
    how: str


@dataclass(frozen=True, slots=True)
class Work:
    """Hours that people spent on responding."""

    person: str
    what: str
    hours: float
    usd_per_h: float | None


@dataclass(frozen=True, slots=True)
class SeenInRun:
    """One scan that filed something under the case."""

    run_id: str
    at: datetime
    relation: str
    accounts: int
    joined: int
    left: int
    settings_digest: str
    program: str


@dataclass(frozen=True, slots=True)
class MeasureTaken:
    """What was done to one account, or taken back."""

    at: datetime
    account_id: str
    what: str
    executor: str
    plan: str


@dataclass(frozen=True, slots=True)
class AppealRow:
    """An objection and what became of it; never the customer's words."""

    appeal: str
    account_id: str
    measure: str
    state: str
    offered_at: datetime
    filed_at: datetime | None
    decided_at: datetime | None
    outcome: str | None
    decided_by: str | None


@dataclass(frozen=True, slots=True)
class CaseStep:
    """One line of a case's timeline."""

    at: datetime
    person: str
    kind: str
    words: str | None
    """What was written; None when it is left out."""


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """What people did on a case, as the store has it."""

    state: str
    opened_at: datetime
    closed_at: datetime | None
    hours: float
    sightings: tuple[SeenInRun, ...]
    measures: tuple[MeasureTaken, ...]
    appeals: tuple[AppealRow, ...]
    steps: tuple[CaseStep, ...]
    former: tuple[str, ...]
    """Accounts that an earlier scan had and the newest has not."""


@dataclass(frozen=True, slots=True)
class CaseFile:
    """Everything that a package on one case may hold. Made from the folder of a run, or from a case of the respond
    room: evidence does not ask which."""

    case_id: str
    title: str
    campaigns: tuple[Campaign, ...]
    members: tuple[Member, ...]
    findings: tuple[Finding, ...]
    run: dict[str, Any]
    """The run's summary: versions, digests, time range, what could not be judged."""
    run_files: dict[str, str] = field(default_factory=dict)
    """sha256 of every file of the run, by name."""
    acceptances: tuple[Acceptance, ...] = ()
    circumventions: tuple[Circumvention, ...] = ()
    notices: tuple[Notice, ...] = ()
    work: tuple[Work, ...] = ()
    verdict: str | None = None
    """A person's: ``true_positive``, ``benign_positive``, ``false_positive``, ``undetermined``; None = not yet."""
    verdict_by: str | None = None
    attribution: dict[str, Any] | None = None
    """Apart from detection, and only with a person's name under it."""
    first_known: datetime | None = None
    """When it was first known: by whoever says so, or when the first scan that showed it was filed."""
    record: CaseRecord | None = None
    """Of a case that people worked on in the store."""
