"""Plans, their steps, notices and appeals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from stillwatch.records.case import name_of


class PlanState(StrEnum):
    """Where a plan stands."""

    DRAFT = "draft"
    """Waits for approvals."""
    APPROVED = "approved"
    RUNNING = "running"
    """Under way, or stopped on the way: run it again to resume."""
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"
    DROPPED = "dropped"
    """Refused by an approver, or withdrawn."""


class Measure(StrEnum):
    """What is done to an account. Each can be taken back."""

    BLOCK = "block"
    """Nothing is served."""
    VERIFY = "verify"
    """Served after step-up verification."""
    THROTTLE = "throttle"
    SUMMARISE = "summarise"
    OBSERVE = "observe"
    """Nothing changes; the notice alone."""


class StepKind(StrEnum):
    """One effect on one account."""

    ACT = "act"
    REVOKE = "revoke"
    """One credential."""
    NOTICE = "notice"


class StepState(StrEnum):
    """Where a step stands."""

    WAITING = "waiting"
    SENDING = "sending"
    """Handed out; after a crash it is sent again under the same key, and the receiver acts once."""
    DONE = "done"
    FAILED = "failed"
    """Refused for good; a person looks."""
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Plan:
    """A takedown plan: which accounts, which measure, in what order, and what it may cost the innocent."""

    number: int
    case_number: int
    state: PlanState
    measure: Measure
    executor: str
    stages: tuple[float, ...]
    """Cumulative shares of accounts by stage; ``(1.0,)`` is all at once."""
    stage_wait_s: float
    reason: str
    """Reason code of the notice."""
    sentence: str
    account_count: int
    credential_count: int
    estimate: dict[str, Any]
    approvals_needed: int
    digest: str
    """Over everything that is approved; an approval holds for this digest alone."""
    made_by: int
    made_at: datetime
    run_by: int | None
    version: int

    @property
    def id(self) -> str:
        """As people name it."""
        return name_of("P", self.number)


@dataclass(frozen=True, slots=True)
class Step:
    """One effect on one account, from the outbox."""

    step_id: int
    plan_number: int
    account_id: str
    kind: StepKind
    undo: bool
    stage: int
    state: StepState
    key: str
    """Idempotency key: the same however often it is sent."""
    target: str
    """Digest of the credential to revoke; else empty."""
    attempts: int
    error: str
    due_at: datetime | None
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class Sent:
    """What an executor says of one step."""

    state: StepState
    """DONE, FAILED, or WAITING when it may be tried again."""
    error: str = ""
    retry_after_s: float = 0.0
    credentials: tuple[str, ...] = ()
    """Keys of the account that acting on it has found, by digest: each is revoked in a step of its own."""


class AppealState(StrEnum):
    """Where an appeal stands."""

    OFFERED = "offered"
    """The customer has a link and has not answered."""
    FILED = "filed"
    DECIDED = "decided"
    LAPSED = "lapsed"


class Outcome(StrEnum):
    """What the reviewer decided."""

    UPHELD = "upheld"
    """The action stands."""
    OVERTURNED = "overturned"
    """The action was wrong and is taken back."""
    EASED = "eased"
    """The action is taken back; what was seen is not disputed."""


@dataclass(frozen=True, slots=True)
class Appeal:
    """An affected account's objection, decided by a person who did not act."""

    number: int
    account_id: str
    plan_number: int
    case_number: int
    state: AppealState
    measure: str
    reason: str
    sentence: str
    families: tuple[str, ...]
    """Families of evidence that led to the action."""
    offered_at: datetime
    expires_at: datetime
    """Last moment at which it may be filed."""
    filed_at: datetime | None
    due_at: datetime | None
    """The reviewer's clock."""
    statement: str
    outcome: Outcome | None
    decided_by: int | None
    decided_at: datetime | None
    answer: str
    """The reviewer's words to the customer."""
    version: int

    @property
    def id(self) -> str:
        """As people name it."""
        return name_of("A", self.number)


@dataclass(frozen=True, slots=True)
class Document:
    """Something a customer handed in; its content is read by its own call, on record."""

    document_id: int
    appeal_number: int
    kind: str
    name: str
    media_type: str
    size_bytes: int
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """A recorded permission to distil."""

    grant_id: str
    account_id: str | None
    org_id: str | None
    purpose: str
    models: tuple[str, ...]
    """Empty: every model."""
    valid_from: datetime
    valid_until: datetime
    max_exchanges: int | None
    max_output_tokens: int | None
    note: str
    added_by: int | None
    added_at: datetime
    revoked_at: datetime | None = None
    revoked_by: int | None = None
    version: int = 1
